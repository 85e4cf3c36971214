package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A state is a snapshot, decoded and encoded. It never changes.
type state struct {
	env                  string
	generation, revision int64
	entries              map[prompt.ID]*entry
	next                 chan struct{} // closed when there is a newer state

	mu    sync.Mutex       // guards views
	views map[string]*view // by the patterns of who sees them
}

// An entry is a prompt of a state: decoded, encoded, ready to be resolved.
type entry struct {
	*registry.Entry
	json []byte
	arms map[string]*armed // by name
}

// A view is the part of a state that some callers may see, encoded.
type view struct {
	tag  string // ETag, with its quotes
	json []byte
	gzip func() []byte
}

// maxViews bounds the views that a state keeps; more are made for each request.
const maxViews = 256

func newEntry(env string, id prompt.ID, e *registry.Entry) (*entry, error) {
	if e.Removed {
		return &entry{Entry: e, json: []byte(`{"removed":true}`)}, nil
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	out := &entry{Entry: e, json: encoded, arms: make(map[string]*armed, len(e.Rollout.Arms))}
	if err := e.Rollout.Validate(); err != nil {
		return nil, err
	}
	for _, a := range e.Rollout.Arms {
		p, ok := e.Releases[a.Name]
		if !ok {
			return nil, fmt.Errorf("the release of arm %s is missing", a.Name)
		}
		if out.arms[a.Name], err = newArmed(env, id, a, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// id is how clients name the state.
func (s *state) id() string {
	return strconv.FormatInt(s.generation, 10) + "." + strconv.FormatInt(s.revision, 10)
}

// view is what those with the patterns see. Two callers get the same bytes only
// if their patterns are equal.
func (s *state) view(p registry.Patterns) *view {
	key := fmt.Sprintf("%q", []string(p))
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.views[key]; ok {
		return v
	}
	v := s.encode(p, key)
	if len(s.views) < maxViews {
		s.views[key] = v
	}
	return v
}

func (s *state) encode(p registry.Patterns, key string) *view {
	ids := make([]prompt.ID, 0, len(s.entries))
	size := 128
	for id, e := range s.entries {
		if p.Fit(string(id)) {
			ids = append(ids, id)
			size += len(id) + len(e.json) + 8
		}
	}
	slices.Sort(ids)
	b := make([]byte, 0, size)
	b = append(b, `{"environment":`...)
	b = appendString(b, s.env)
	b = fmt.Appendf(b, `,"generation":%d,"revision":%d,"prompts":{`, s.generation, s.revision)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(id)), ':')
		b = append(b, s.entries[id].json...)
	}
	b = append(b, "}}"...)
	v := &view{tag: `"` + s.id() + `"`, json: b}
	if !p.All() { // so that nobody takes the part for the whole
		v.tag = `"` + s.id() + "." + short(key) + `"`
	}
	v.gzip = sync.OnceValue(func() []byte { return zipped(b) })
	return v
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(data)
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
