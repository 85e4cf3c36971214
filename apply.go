package incipit

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A delivery is a snapshot or a patch as it came over the wire. Each entry was
// decoded by itself, so that one that cannot be read takes no other with it.
type delivery struct {
	patch       bool
	environment string
	generation  int64
	revision    int64
	entries     map[prompt.ID]entry
}

type entry struct {
	*registry.Entry
	err error // why it could not be decoded
}

// parseDelivery reads a snapshot or a patch. Fields that it does not know are
// ignored: the server may be newer.
func parseDelivery(patch bool, data []byte) (delivery, error) {
	if err := strictjson.CheckWithin(data, registry.EnvelopeDepth); err != nil {
		return delivery{}, registry.Errorf(ErrInvalid, "it is not JSON: %s", prompt.Clip(err.Error(), 200))
	}
	var wire struct {
		Environment string                        `json:"environment"`
		Generation  *int64                        `json:"generation"`
		Revision    *int64                        `json:"revision"`
		Prompts     map[prompt.ID]json.RawMessage `json:"prompts"`
		Prompt      prompt.ID                     `json:"prompt"`
		Entry       json.RawMessage               `json:"entry"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return delivery{}, registry.Errorf(ErrInvalid, "it cannot be read: %s", prompt.Clip(err.Error(), 200))
	}
	if wire.Generation == nil || wire.Revision == nil || patch && wire.Prompt == "" || !patch && wire.Prompts == nil {
		return delivery{}, registry.Errorf(ErrInvalid, "it has no generation, no revision or no prompts")
	}
	if patch {
		wire.Prompts = map[prompt.ID]json.RawMessage{wire.Prompt: wire.Entry}
	}
	u := delivery{patch, wire.Environment, *wire.Generation, *wire.Revision, make(map[prompt.ID]entry, len(wire.Prompts))}
	for id, raw := range wire.Prompts {
		var e entry
		if len(raw) > 0 {
			e.err = json.Unmarshal(raw, &e.Entry)
		}
		u.entries[id] = e
	}
	return u, nil
}

// covers reports whether a snapshot is about the prompts that the view knows.
func (v *view) covers(u delivery) bool {
	for id := range u.entries {
		if v.snapshot.Prompts[id] == nil && v.refused[id] == nil {
			return false
		}
	}
	return len(u.entries) == len(v.snapshot.Prompts)+len(v.refused) // a prompt stands in one of the two
}

// fullDelivery is the delivery that a snapshot is.
func fullDelivery(s *registry.Snapshot) delivery {
	u := delivery{environment: s.Environment, generation: s.Generation, revision: s.Revision, entries: make(map[prompt.ID]entry, len(s.Prompts))}
	for id, e := range s.Prompts {
		u.entries[id] = entry{Entry: e}
	}
	return u
}

// A verdict says what an update is to a view.
type verdict int

const (
	applied verdict = iota
	current         // the very state that is served
	older           // ignored: what was served once never comes back
	gap             // ignored: something between is missing, and a snapshot is needed
	foreign         // ignored: it is of another environment
)

// apply answers what is served after an update, and which of its entries were
// refused. It is a pure function, and these are the rules:
//
//   - A lower generation is ignored; in the same one, a revision that is not
//     higher. The one exception is a snapshot of the same revision with other
//     prompts in it: what the key may see has changed.
//   - A patch must be of the same generation and the next revision.
//   - An entry that cannot be served is refused by itself: its prompt stays as
//     it was, or has a reason in refused if it was not there.
func apply(v *view, u delivery, source string) (*view, verdict, map[prompt.ID]error) {
	if u.environment != v.snapshot.Environment {
		return v, foreign, nil
	}
	if v.known() {
		have := v.snapshot
		switch {
		case u.generation < have.Generation || u.generation == have.Generation && u.revision < have.Revision:
			return v, older, nil
		case u.generation == have.Generation && u.revision == have.Revision && u.patch:
			return v, older, nil
		case u.generation == have.Generation && u.revision == have.Revision && v.covers(u):
			return v, current, nil
		}
	}
	if u.patch && !(v.known() && u.generation == v.snapshot.Generation && u.revision == v.snapshot.Revision+1) {
		return v, gap, nil
	}
	next, templates := newView(source, u.environment), v.templates()
	next.snapshot.Generation, next.snapshot.Revision = u.generation, u.revision
	if u.patch {
		next.snapshot.Prompts = maps.Clone(v.snapshot.Prompts)
		next.releases = maps.Clone(v.releases)
		next.refused = maps.Clone(v.refused)
	}
	refused := make(map[prompt.ID]error)
	for id, e := range u.entries {
		before := next.snapshot.Prompts[id]
		err := e.err
		if err == nil {
			err = next.add(id, e.Entry, templates)
		}
		switch {
		case err != nil:
			why := registry.Errorf(ErrInvalid, "what revision %d has for it is refused: %s", u.revision, prompt.Clip(err.Error(), 300))
			refused[id] = why
			if !u.patch && !(v.known() && next.keep(id, v)) || u.patch && before == nil {
				next.refused[id] = why
			}
		case before != nil:
			for i := range before.Rollout.Arms {
				delete(next.releases, &before.Rollout.Arms[i])
			}
		}
	}
	return next, applied, refused
}

// viewOf is what is served of a whole snapshot.
func viewOf(s *registry.Snapshot, source string) (*view, map[prompt.ID]error) {
	v, _, refused := apply(newView("", s.Environment), fullDelivery(s), source)
	return v, refused
}

// A Change tells what is served differently from now on, or what is wrong.
type Change struct {
	Generation int64
	Revision   int64
	Source     string
	Changed    []string // prompts with another release, or other shares of them
	Removed    []string // prompts that were retired, or are no longer there

	// Err is what is wrong, and what is served stays: the key is refused, the
	// server cannot be reached, a release is not what its digest says.
	Err error
}

// diff lists what is served differently in b than in a.
func diff(a, b *view) Change {
	c := Change{Generation: b.snapshot.Generation, Revision: b.snapshot.Revision, Source: b.source}
	for id, e := range b.snapshot.Prompts {
		old := a.snapshot.Prompts[id]
		switch {
		case old == e || old == nil && e.Removed:
		case old != nil && old.Removed == e.Removed && reflect.DeepEqual(old.Rollout, e.Rollout):
		case e.Removed:
			c.Removed = append(c.Removed, string(id))
		default:
			c.Changed = append(c.Changed, string(id))
		}
	}
	for id, e := range a.snapshot.Prompts {
		if b.snapshot.Prompts[id] == nil && !e.Removed && a.source != fromBundle { // the bundle serves it still
			c.Removed = append(c.Removed, string(id))
		}
	}
	slices.Sort(c.Changed)
	slices.Sort(c.Removed)
	return c
}
