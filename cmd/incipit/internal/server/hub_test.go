package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A world is a store of one environment, in memory, that can be away.
type world struct {
	mu         sync.Mutex
	generation int64
	log        []registry.Patch // revision i+1 at i
	away       error
	asked      int
}

var errAway = registry.Errorf(registry.ErrUnavailable, "away")

func (w *world) change(t rapid.TB, id prompt.ID, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, registry.Patch{Environment: "dev", Generation: w.generation, Revision: int64(len(w.log)) + 1, Prompt: id, Entry: entryOf(t, id, text)})
}

func entryOf(t rapid.TB, id prompt.ID, text string) *registry.Entry {
	p := prompt.Prompt{ID: id, Version: "1.0.0", Model: "m", Messages: []prompt.Message{{Role: prompt.System, Content: text}}}
	digest, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	d := registry.Deployment{Version: prompt.Version{Major: 1}, Digest: digest}
	return &registry.Entry{Rollout: d.Running(), Releases: map[string]prompt.Prompt{registry.StableArm: p}}
}

func (w *world) source() source {
	return source{
		Revisions: func(context.Context) (int64, map[string]int64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked++
			return w.generation, map[string]int64{"dev": int64(len(w.log))}, w.away
		},
		Patches: func(_ context.Context, _ string, after int64, limit int) ([]registry.Patch, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.away != nil {
				return nil, w.away
			}
			after = min(after, int64(len(w.log)))
			rest := w.log[after:]
			return append([]registry.Patch(nil), rest[:min(limit, len(rest))]...), nil
		},
		Snapshot: func(_ context.Context, env string, _ ...prompt.ID) (*registry.Snapshot, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.away != nil {
				return nil, w.away
			}
			s := &registry.Snapshot{Environment: env, Generation: w.generation, Revision: int64(len(w.log)), Prompts: map[prompt.ID]*registry.Entry{}}
			for _, p := range w.log {
				s.Prompts[p.Prompt] = p.Entry
			}
			return s, nil
		},
	}
}

func newWorld() *world { return &world{generation: 1} }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Whatever changes, is away, is restored or is looked at in which order: the
// hub ends at what the store says, and never goes back.
func TestAHubFollowsTheStoreAndNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.change(t, "a", "first")
		h := newHub(w.source(), quiet())
		var generation, revision int64
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				for range rapid.SampledFrom([]int{1, 1, 2, pageSize + 3}).Draw(t, "changes") {
					w.change(t, rapid.SampledFrom([]prompt.ID{"a", "b", "c"}).Draw(t, "id"), fmt.Sprint(i))
				}
			case 2:
				w.away = errAway
			case 3:
				w.away = nil
			case 4: // a backup is restored
				w.mu.Lock()
				w.generation++
				w.log = w.log[:rapid.IntRange(1, len(w.log)).Draw(t, "kept")]
				for k := range w.log {
					w.log[k].Generation = w.generation
				}
				w.mu.Unlock()
			case 5:
				h.poke(t.Context(), "dev")
			}
			if err := h.look(t.Context()); (err != nil) != (w.away != nil) {
				t.Fatal(err)
			}
			f := h.feeds["dev"]
			if f == nil {
				continue
			}
			now := f.now.Load()
			if now.generation < generation || now.generation == generation && now.revision < revision {
				t.Fatalf("from %d.%d back to %s", generation, revision, now.id())
			}
			generation, revision = now.generation, now.revision
		}
		w.away = nil
		if err := h.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := h.feeds["dev"].now.Load()
		want, err := w.source().Snapshot(t.Context(), "dev")
		if err != nil || now.generation != want.Generation || now.revision != want.Revision || len(now.entries) != len(want.Prompts) {
			t.Fatalf("%s, want %d.%d", now.id(), want.Generation, want.Revision)
		}
		for id, e := range want.Prompts {
			if now.entries[id].Entry.Releases[registry.StableArm].Messages[0] != e.Releases[registry.StableArm].Messages[0] {
				t.Fatalf("%s differs", id)
			}
		}
	})
}

func TestAHubLooksAsOftenAsItIsToldAndBoundsWhatItKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.change(t, "a", "x")
		h := newHub(w.source(), quiet())
		ctx, cancel := context.WithCancel(t.Context())
		told := make(map[bool]int)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.follow(ctx, 250*time.Millisecond, func(err error) { told[err == nil]++ })
		}()
		for range 5 * ringSize {
			w.change(t, "a", "y")
		}
		time.Sleep(time.Second)
		w.mu.Lock()
		w.away = errAway
		w.mu.Unlock()
		time.Sleep(time.Second)
		w.mu.Lock()
		w.away = nil
		w.mu.Unlock()
		w.change(t, "b", "z")
		time.Sleep(time.Second)
		cancel()
		<-done
		now := h.feeds["dev"].now.Load()
		if now.revision != 5*ringSize+2 || told[false] < 3 || told[true] < 6 || w.asked > 14 {
			t.Errorf("%s, told %v, asked %d", now.id(), told, w.asked)
		}
		for range 5 * ringSize {
			w.change(t, "a", "y")
			h.poke(t.Context(), "dev")
		}
		if n := len(h.feeds["dev"].ring); n > 2*ringSize {
			t.Errorf("%d patches are kept", n)
		}
		if _, missed, ok := h.feeds["dev"].since(1, now.revision); ok || missed != nil {
			t.Error("what is no longer kept is continued")
		}
		last := h.feeds["dev"].now.Load().revision
		if _, missed, ok := h.feeds["dev"].since(1, last-ringSize+1); !ok || len(missed) != ringSize-1 || missed[0].revision != last-ringSize+2 {
			t.Errorf("%d patches, %v", len(missed), ok)
		}
	})
}

func TestAGenerationThatGrowsReplacesEverything(t *testing.T) {
	w := newWorld()
	w.change(t, "a", "1")
	w.change(t, "b", "2")
	h := newHub(w.source(), quiet())
	if err := h.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := h.feeds["dev"]
	before := f.now.Load()
	w.mu.Lock()
	w.generation, w.log = 2, w.log[:1]
	w.log[0].Generation = 2
	w.mu.Unlock()
	if err := h.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-before.next:
	default:
		t.Error("nobody is woken")
	}
	if now := f.now.Load(); now.id() != "2.1" || now.entries["b"] != nil {
		t.Errorf("%s, %v", now.id(), now.entries)
	}
	if _, _, ok := f.since(1, 1); ok {
		t.Error("a revision of the old generation is continued")
	}
}

func TestATextIsQuotedAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		var back string
		if err := read(appendString(nil, s), &back); err != nil || back != s {
			t.Fatalf("%q became %s, %v", s, appendString(nil, s), err)
		}
	})
	var back string
	if err := read(appendString(nil, "a\xffb\x00\u2028"), &back); err != nil || back != "a\ufffdb\x00\u2028" {
		t.Errorf("%q, %v", back, err)
	}
	if errors.Is(errAway, prompt.ErrInvalid) {
		t.Error("a store that is away is no mistake of the client")
	}
}
