package incipit

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// served is a client with a canary of two arms among a hundred prompts, and
// subjects that are user ids.
func served(t testing.TB) (*Client, []string) {
	t.Helper()
	entries := make(map[prompt.ID]*registry.Entry)
	for i := range 100 {
		entries[prompt.ID(fmt.Sprintf("prompt-%d", i))] = runs(t, "1.0.0", text)
	}
	entries["support"] = canary(t, made("1.0.0", text), made("1.1.0", text+" Be brief."), 5000)
	c, err := New(context.Background(), bundled(t, entries))
	if err != nil {
		t.Fatal(err)
	}
	subjects := make([]string, 1024)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("user-%016x", uint64(i)*0x9e3779b97f4a7c15)
	}
	return c, subjects
}

// large is a prompt of 2 KB with five variables.
func large(t testing.TB) (*registry.Entry, Vars) {
	t.Helper()
	filler := strings.Repeat("Answer in plain words. ", 42)
	p := prompt.Prompt{
		Version: "1.0.0", Model: "test-model-1",
		Messages: []prompt.Message{
			{Role: prompt.System, Content: "You support {{product}}. " + filler + "Be {{tone}}. " + filler + "Answer in {{language}}."},
			{Role: prompt.User, Content: "{{history}}\n{{question}}"},
		},
		Variables: map[string]prompt.Variable{"product": {Trusted: true}, "tone": {Trusted: true}, "language": {Trusted: true}, "history": {}, "question": {MaxLength: 4000}},
	}
	a := armOf(t, registry.StableArm, p)
	d := registry.Deployment{Version: a.Version, Digest: a.Digest}
	return &registry.Entry{Rollout: d.Running(), Releases: map[string]prompt.Prompt{registry.StableArm: p}},
		Vars{"product": "a shop", "tone": "kind", "language": "English", "history": "none", "question": "Where is my parcel?"}
}

func TestAllocations(t *testing.T) {
	c, subjects := served(t)
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		if _, r, err := c.resolve("support", subjects[i%1024]); err != nil || r == nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("resolve allocates %v times", n)
	}
	e, vars := large(t)
	c = connect(t, bundled(t, map[prompt.ID]*registry.Entry{"support": e}))
	_, r, err := c.resolve("support", "u")
	if err != nil {
		t.Fatal(err)
	}
	render := testing.AllocsPerRun(1000, func() {
		if _, err := r.template.Render(prompt.Vars(vars)); err != nil {
			t.Fatal(err)
		}
	})
	if render > 3 {
		t.Errorf("the rendering of 2 KB with 5 variables allocates %v times", render)
	}
	whole := testing.AllocsPerRun(1000, func() {
		if _, err := c.Prompt(context.Background(), "support", "u", vars, WithMaxStaleness(1<<62, Fail)); err != nil {
			t.Fatal(err)
		}
	})
	if whole > render+2 { // the call id, and its random bytes under the race detector
		t.Errorf("Prompt allocates %v times, of which rendering is %v", whole, render)
	}
	t.Logf("allocations: resolve 0, render %v, Client.Prompt as a whole %v", render, whole)
}

func BenchmarkResolve(b *testing.B) {
	c, subjects := served(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := c.resolve("support", subjects[i%1024]); err != nil {
			b.Fatal(err)
		}
	}
}

// The yardstick does what nobody can do without: one atomic load, one look
// into a map of the same size, one hash of the same subject.
func BenchmarkResolveYardstick(b *testing.B) {
	c, subjects := served(b)
	var current atomic.Pointer[map[prompt.ID]*registry.Entry]
	current.Store(&c.view.Load().snapshot.Prompts)
	b.ReportAllocs()
	sum := uint32(0)
	for i := 0; b.Loop(); i++ {
		e := (*current.Load())["support"]
		sum += registry.Bucket(e.Rollout.Salt, subjects[i%1024])
	}
	_ = sum
}

func BenchmarkPromptRender(b *testing.B) {
	e, vars := large(b)
	c, err := New(context.Background(), bundled(b, map[prompt.ID]*registry.Entry{"support": e}))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Client.Prompt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Prompt(context.Background(), "support", "user-1", vars); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Client.Prompt/WithVersion", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Prompt(context.Background(), "support", "user-1", vars, WithVersion("^1")); err != nil {
				b.Fatal(err)
			}
		}
	})
	_, r, _ := c.resolve("support", "user-1")
	b.Run("Render", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.template.Render(prompt.Vars(vars)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkApply is what a deploy costs each client, among a thousand prompts.
func BenchmarkApply(b *testing.B) {
	s := &registry.Snapshot{Environment: "production", Generation: 1, Revision: 1, Prompts: make(map[prompt.ID]*registry.Entry)}
	e := runs(b, "1.0.0", strings.Repeat(text, 20))
	for i := range 1000 {
		s.Prompts[prompt.ID(fmt.Sprintf("prompt-%d", i))] = e
	}
	full := encoded(b, s)
	patch := encoded(b, registry.Patch{Environment: "production", Generation: 1, Revision: 2, Prompt: "prompt-7", Entry: runs(b, "1.0.1", text)})
	for name, data := range map[string][]byte{"patch": patch, "snapshot": full} {
		b.Run(name, func(b *testing.B) {
			v, _ := viewOf(s, fromStream)
			if name == "snapshot" {
				v = newView("", "production")
			}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				u, err := parseDelivery(name == "patch", data)
				if err != nil {
					b.Fatal(err)
				}
				if _, verdict, _ := apply(v, u, fromStream); verdict != applied {
					b.Fatal(verdict)
				}
			}
		})
	}
}
