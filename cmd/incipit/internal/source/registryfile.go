package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A Registry is prompts/registry.json: the lesson's shape, with our own fields
// inside each prompt's entry. It is a value of bytes: an entry that is not
// changed keeps every one of them, known fields and unknown ones.
type Registry struct {
	data    []byte
	members map[prompt.ID]strictjson.Member
}

// maxRegistryBytes bounds the file: about 50,000 prompts.
const maxRegistryBytes = gitrepo.MaxObject

// Registry reads the registry of the work tree. Where there is no file it is
// empty. Nobody sees what a change has written and not committed, be it under
// way or killed.
func (w *Workspace) Registry() (*Registry, error) {
	if w.bare != nil {
		return w.committedRegistry()
	}
	data, err := w.readFile(w.RegistryPath(), maxRegistryBytes)
	if err == nil {
		data, err = w.committed(w.RegistryPath(), data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte("{}\n")
	} else if err != nil {
		return nil, err
	}
	return parseRegistry(data, w.RegistryPath())
}

// ParseRegistry reads a registry file; name is the file's, for errors.
func ParseRegistry(data []byte, name string) (*Registry, error) {
	return parseRegistry(data, name)
}

func parseRegistry(data []byte, name string) (*Registry, error) {
	members, err := strictjson.Members(data)
	if bad, ok := errors.AsType[*strictjson.Error](err); ok {
		line, col := strictjson.Position(data, bad.Offset)
		return nil, registry.WithFix(fmt.Errorf("%s:%d:%d: the registry is %w: %s", name, line, col, prompt.ErrInvalid, bad.Msg),
			"correct it by hand; incipit registry rebuild takes the last one of this workspace that can be read")
	}
	r := &Registry{data: data, members: make(map[prompt.ID]strictjson.Member, len(members))}
	for _, m := range members {
		id, err := prompt.ParseID(m.Key)
		if err != nil {
			line, col := strictjson.Position(data, m.KeyStart)
			return nil, fmt.Errorf("%s:%d:%d: %w", name, line, col, err)
		}
		r.members[id] = m
	}
	return r, nil
}

// IDs lists the registered prompts in order.
func (r *Registry) IDs() []prompt.ID { return slices.Sorted(maps.Keys(r.members)) }

// Names lists the ids as strings, to suggest from.
func (r *Registry) Names() []string {
	out := make([]string, 0, len(r.members))
	for _, id := range r.IDs() {
		out = append(out, string(id))
	}
	return out
}

// Bytes is the file.
func (r *Registry) Bytes() []byte { return r.data }

// Entry reads a prompt's entry, and nil if it is not registered.
func (r *Registry) Entry(id prompt.ID) (*Entry, error) {
	m, ok := r.members[id]
	if !ok {
		return nil, nil
	}
	raw := r.data[m.Start:m.End]
	e := &Entry{raw: raw}
	err := json.Unmarshal(raw, e)
	if err == nil && raw[0] != '{' { // null, which Unmarshal takes for nothing
		err = errors.New("it must be a JSON object")
	}
	if err != nil {
		line, _ := strictjson.Position(r.data, m.KeyStart)
		return nil, fmt.Errorf("registry.json:%d: the entry of %s is %w: %w", line, id, prompt.ErrInvalid, err)
	}
	return e, nil
}

// Put returns a registry in which id has the entry e.
func (r *Registry) Put(id prompt.ID, e *Entry) (*Registry, error) {
	raw, err := e.Encode()
	if err != nil {
		return nil, err
	}
	if m, ok := r.members[id]; ok {
		return r.splice(m, raw), nil
	}
	data, err := strictjson.Set(r.data, string(id), json.RawMessage(raw))
	if err != nil {
		return nil, err
	}
	return parseRegistry(data, "registry.json")
}

// splice returns a registry in which the value of m is raw. The rest of a file
// of a megabyte need not be read again for it.
func (r *Registry) splice(m strictjson.Member, raw []byte) *Registry {
	next := &Registry{data: slices.Concat(r.data[:m.Start], raw, r.data[m.End:]), members: make(map[prompt.ID]strictjson.Member, len(r.members))}
	longer := len(raw) - (m.End - m.Start)
	for id, other := range r.members {
		if other.Start > m.Start {
			other.KeyStart, other.Start = other.KeyStart+longer, other.Start+longer
		}
		if other.End >= m.End {
			other.End += longer
		}
		next.members[id] = other
	}
	return next
}

// Revision of an environment: the number of deployments there were in it.
func (r *Registry) Revision(env string) (int64, error) {
	n := int64(0)
	for _, id := range r.IDs() {
		e, err := r.Entry(id)
		if err != nil {
			return 0, err
		}
		track, err := e.Track(env)
		if err != nil {
			return 0, err
		}
		n += int64(track.Seq())
	}
	return n, nil
}
