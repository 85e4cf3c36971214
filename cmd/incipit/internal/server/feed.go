package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ringSize is how many patches an environment keeps in memory for streams that
// come back or fall behind; whoever missed more gets a whole snapshot.
const ringSize = 1024

// pageSize is how many patches are read at once.
const pageSize = 256

// A feed is what one environment runs, as it is served: the state as of now,
// and the last patches that led to it. The state is replaced and never changed,
// so whoever holds one needs no lock, and nobody who is slow keeps anybody back.
type feed struct {
	env    string
	source source
	log    *slog.Logger
	now    atomic.Pointer[state]
	busy   chan struct{} // holds a token while somebody refreshes

	mu   sync.RWMutex // guards ring
	ring []patch      // the last ones, in order, without gaps; at most 2 × ringSize
}

// A patch is one of a feed, encoded as an event of a stream.
type patch struct {
	generation, revision int64
	id                   prompt.ID
	event                []byte
}

func newFeed(env string, from source, log *slog.Logger) *feed {
	return &feed{env: env, source: from, log: log, busy: make(chan struct{}, 1)}
}

// refresh brings the feed up to what the store says. It is the only way by
// which a feed changes, whoever made the change.
func (f *feed) refresh(ctx context.Context) error {
	select {
	case f.busy <- struct{}{}:
		defer func() { <-f.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		now := f.now.Load()
		if now == nil {
			return f.reload(ctx)
		}
		patches, err := f.source.Patches(ctx, f.env, now.revision, pageSize)
		if err != nil {
			return err
		}
		if !follows(now, patches) {
			return f.reload(ctx)
		}
		if err := f.apply(now, patches); err != nil {
			f.log.ErrorContext(ctx, "a patch cannot be served", "environment", f.env, "error", err)
			return f.reload(ctx)
		}
		if len(patches) < pageSize {
			return nil
		}
	}
}

// reloaded refreshes as a whole, for a generation that is another one.
func (f *feed) reloaded(ctx context.Context) error {
	select {
	case f.busy <- struct{}{}:
		defer func() { <-f.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return f.reload(ctx)
}

// follows reports whether each patch is the one after the one before.
func follows(now *state, patches []registry.Patch) bool {
	for i, p := range patches {
		if p.Generation != now.generation || p.Revision != now.revision+int64(i)+1 || p.Entry == nil {
			return false
		}
	}
	return true
}

func (f *feed) reload(ctx context.Context) error {
	snap, err := f.source.Snapshot(ctx, f.env)
	if err != nil {
		return err
	}
	now := f.now.Load()
	if now != nil && !newer(snap.Generation, snap.Revision, now) {
		return nil // a revision never goes back
	}
	next := &state{env: f.env, generation: snap.Generation, revision: snap.Revision, entries: make(map[prompt.ID]*entry, len(snap.Prompts))}
	for id, e := range snap.Prompts {
		made, err := newEntry(f.env, id, e)
		if err != nil { // one prompt that cannot be served keeps no other back
			f.log.ErrorContext(ctx, "a prompt cannot be served", "environment", f.env, "prompt", id, "error", err)
			if now == nil || now.entries[id] == nil {
				continue
			}
			made = now.entries[id]
		}
		next.entries[id] = made
	}
	f.publish(next, nil)
	return nil
}

func newer(generation, revision int64, than *state) bool {
	return generation > than.generation || generation == than.generation && revision > than.revision
}

func (f *feed) apply(now *state, patches []registry.Patch) error {
	if len(patches) == 0 {
		return nil
	}
	next := &state{env: f.env, generation: now.generation, entries: maps.Clone(now.entries)}
	events := make([]patch, 0, len(patches))
	for _, p := range patches {
		e, err := newEntry(f.env, p.Prompt, p.Entry)
		if err != nil {
			return err
		}
		next.entries[p.Prompt], next.revision = e, p.Revision
		events = append(events, newPatch(p, e.json))
	}
	f.publish(next, events)
	return nil
}

// publish makes a state the current one, and wakes who waits for it. Without
// events it does not follow on the one before.
func (f *feed) publish(next *state, events []patch) {
	next.next, next.views = make(chan struct{}), make(map[string]*view)
	f.mu.Lock()
	if events == nil {
		f.ring = nil
	}
	f.ring = append(f.ring, events...)
	if len(f.ring) > 2*ringSize {
		f.ring = slices.Clone(f.ring[len(f.ring)-ringSize:])
	}
	last := f.now.Swap(next)
	f.mu.Unlock()
	if last != nil {
		close(last.next)
	}
}

// since is the patches after a revision, in order, up to the state that it
// returns with them, and false if they are not all there any more.
func (f *feed) since(generation, revision int64) (*state, []patch, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	now := f.now.Load()
	if generation != now.generation {
		return now, nil, false
	}
	if revision >= now.revision {
		return now, nil, true
	}
	if len(f.ring) == 0 || f.ring[0].revision > revision+1 {
		return now, nil, false
	}
	return now, f.ring[revision+1-f.ring[0].revision:], true
}

func newPatch(p registry.Patch, encoded []byte) patch {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d.%d\nevent: patch\ndata: {\"environment\":%s,\"generation\":%d,\"revision\":%d,\"prompt\":%s,\"entry\":",
		p.Generation, p.Revision, appendString(nil, p.Environment), p.Generation, p.Revision, appendString(nil, string(p.Prompt)))
	b.Write(encoded)
	b.WriteString("}\n\n")
	return patch{p.Generation, p.Revision, p.Prompt, b.Bytes()}
}
