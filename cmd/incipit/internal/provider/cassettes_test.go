package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A fake answers what its function says.
type fake struct {
	id     string
	calls  atomic.Int32
	answer func(r Request, n int) (Response, error)
}

func (f *fake) ID() string { return f.id }

func (f *fake) Call(_ context.Context, r Request) (Response, error) {
	return f.answer(r, int(f.calls.Add(1)))
}

func counting(id string) *fake {
	return &fake{id: id, answer: func(r Request, n int) (Response, error) {
		return Response{Output: fmt.Sprintf("%s: answer %d", PromptText(r), n), FinishReason: "stop", Usage: Usage{Input: 10, Output: 5}, LatencyMS: 12.5}, nil
	}}
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 123, time.UTC)

func clockAt(at time.Time) func() time.Time { return func() time.Time { return at } }

// tape is cassettes in a directory.
func tape(t *testing.T, dir string, edit func(*CassetteConfig)) *Cassettes {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	c := CassetteConfig{Mode: Replay, Read: os.DirFS(dir), Write: root, Now: clockAt(noon)}
	if edit != nil {
		edit(&c)
	}
	out, err := NewCassettes(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func recording(c *CassetteConfig) { c.Mode = Record }

func around(c *Cassettes) Around { return Around{Cassettes: c, Now: time.Now} }

// files are those of a directory, by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARecordedAnswerIsReplayedToTheLetter(t *testing.T) {
	dir := t.TempDir()
	live := counting("openai:chat")
	recorder := tape(t, dir, recording)
	p := around(recorder).Wrap(live)
	r := conversation()
	r.Model = "gpt-4o-mini"
	first, err := p.Call(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Call(t.Context(), r); err != nil || again.Output != first.Output || live.calls.Load() != 1 {
		t.Errorf("%+v, %v after %d calls", again, err, live.calls.Load())
	}
	all := files(t, dir)
	key, err := Key("openai:chat", r)
	if err != nil || len(all) != 1 || all[key[:2]+"/"+key+".json"] == "" {
		t.Fatalf("%s, %v in %v", key, err, slices.Collect(maps.Keys(all)))
	}
	text := all[key[:2]+"/"+key+".json"]
	if !strings.HasPrefix(text, "{\n  \"format\": 1,\n  \"provider\": \"openai:chat\",\n  \"request\": {\n    \"messages\": [\n") || !strings.HasSuffix(text, "\"recorded_at\": \"2026-11-29T12:00:00Z\"\n}\n") {
		t.Error(text)
	}
	replayer := tape(t, dir, nil)
	got, err := around(replayer).Wrap(&fake{id: "openai:chat"}).Call(t.Context(), r) // it would panic if it was asked
	if err != nil || !got.Replayed || !got.RecordedAt.Equal(noon.Truncate(time.Second)) {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Replayed, got.RecordedAt = false, time.Time{}
	if diff := cmp.Diff(first, got); diff != "" || got.Cost == nil {
		t.Error(diff)
	}
	h1, o1, _ := recorder.Used()
	h2, o2, _ := replayer.Used()
	if h1 != h2 || !o1.Equal(o2) || !strings.HasPrefix(h1, "sha256:") || len(h1) != 7+64 {
		t.Error(h1, h2, o1, o2)
	}
	other := tape(t, t.TempDir(), recording)
	if _, err := around(other).Wrap(counting("openai:chat")).Call(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if h3, _, _ := other.Used(); h3 != h1 {
		t.Error("the same content has other bytes")
	}
}

func TestAKeyIsOfAllThatWasAsked(t *testing.T) {
	base := conversation()
	keys := map[string]string{}
	add := func(name, id string, r Request) {
		key, err := Key(id, r)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := keys[key]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	add("base", "p", base)
	add("another provider", "q", base)
	for name, edit := range map[string]func(*Request){
		"model":      func(r *Request) { r.Model = "n" },
		"repeat":     func(r *Request) { r.Repeat = 1 },
		"parameters": func(r *Request) { r.Parameters = json.RawMessage(`{"temperature":0.3}`) },
		"tools":      func(r *Request) { r.Tools = nil },
		"schema":     func(r *Request) { r.OutputSchema = nil },
		"messages":   func(r *Request) { r.Messages = r.Messages[1:] },
		"a role": func(r *Request) {
			r.Messages = append([]Message{{Role: "developer", Content: "Be brief."}}, r.Messages[1:]...)
		},
	} {
		r := base
		edit(&r)
		add(name, "p", r)
	}
	same := base
	same.Parameters = json.RawMessage(`{ "tool_choice":"required", "stop":"\u0045ND","max_tokens":5e1,"reasoning_effort":"low","temperature":0.20 }`)
	if key, err := Key("p", same); err != nil || keys[key] != "base" {
		t.Errorf("the same request written in another way has another key: %v", err)
	}
	empty, other := ask("x"), ask("x")
	other.Parameters, other.Tools, other.OutputSchema = json.RawMessage(" {} "), json.RawMessage("[]"), json.RawMessage("null")
	if a, b := must(Key("p", empty)), must(Key("p", other)); a != b {
		t.Error("what is empty in two ways has two keys")
	}
	other.Parameters = json.RawMessage(`{"seed":9007199254740993}`)
	if _, err := Key("p", other); err == nil {
		t.Error("a number that others round has a key")
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func TestAMissSaysWhatToRun(t *testing.T) {
	for _, c := range []*Cassettes{tape(t, t.TempDir(), nil), tape(t, t.TempDir(), func(c *CassetteConfig) { c.Read = nil }), tape(t, t.TempDir(), func(c *CassetteConfig) { c.Mode = Sample })} {
		_, err := around(c).Wrap(&fake{id: "p"}).Call(t.Context(), ask("hi"))
		key := must(Key("p", ask("hi")))
		if e := failure(t, err, Missing); !strings.Contains(e.Text, key) || !strings.Contains(e.Fix, "incipit test --mode record") {
			t.Errorf("%+v", e)
		}
		if hash, oldest, stale := c.Used(); hash != "" || !oldest.IsZero() || stale != nil {
			t.Error(hash, oldest, stale)
		}
	}
}

// A replay needs no key, no network, no program and no price.
func TestAReplayNeedsNothing(t *testing.T) {
	evil := trap(t)
	dir := t.TempDir()
	specs := append(wires(evil), Spec{ID: "openai:m"}, Spec{ID: "anthropic:m"}, Spec{ID: "exec:/nowhere"})
	for _, spec := range specs {
		p, name := open(t, spec, testConfig(nil))
		recorder := tape(t, dir, recording)
		g := around(recorder).Wrap(p).(*guarded)
		g.inner = counting(p.ID()) // as if it had a key
		r := ask("hi")
		r.Model = name
		if _, err := g.Call(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		a := around(tape(t, dir, nil))
		a.Budget = NewBudget(BudgetConfig{MaxCost: 1e-9, MaxCalls: 1})
		got, err := a.Wrap(p).Call(t.Context(), r)
		if err != nil || !got.Replayed || got.Output != "hi: answer 1" {
			t.Errorf("%s: %+v, %v", spec.ID, got, err)
		}
		if cost, calls, tokens := a.Budget.Spent(); cost != 0 || calls != 0 || tokens != 0 {
			t.Error("a replay is charged for")
		}
	}
}

func TestNoSecretIsRecorded(t *testing.T) {
	dir := t.TempDir()
	hide := testConfig(map[string]string{"OPENAI_API_KEY": canary}).Hider()
	leak := &fake{id: "openai:chat@https://llm.example.com/" + canary, answer: func(Request, int) (Response, error) {
		return Response{Output: "your key is " + canary + ".", ID: canary, ToolCalls: json.RawMessage(`[{"id":"` + canary + `"}]`)}, nil
	}}
	r := ask("my key is " + canary)
	record := tape(t, dir, func(c *CassetteConfig) { c.Mode, c.Hide = Record, hide })
	got, err := around(record).Wrap(leak).Call(t.Context(), r)
	if err != nil || got.Output != "your key is [secret]." {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, text := range files(t, dir) {
		if strings.Contains(text, canary[:leastShare]) || !strings.Contains(text, `"hidden": true`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	again, err := around(tape(t, dir, nil)).Wrap(leak).Call(t.Context(), r)
	if err != nil || again.Output != got.Output || leak.calls.Load() != 1 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestACassetteThatCannotBeTrustedIsNamed(t *testing.T) {
	dir := t.TempDir()
	if _, err := around(tape(t, dir, recording)).Wrap(counting("p")).Call(t.Context(), ask("hi")); err != nil {
		t.Fatal(err)
	}
	key := must(Key("p", ask("hi")))
	name := cassettePath(key)
	good := files(t, dir)[name]
	for what, text := range map[string]string{
		"nothing":           "",
		"half of it":        good[:len(good)/2],
		"a conflict of Git": "<<<<<<< HEAD\n" + good,
		"another request":   strings.Replace(good, `"hi"`, `"ho"`, 1),
		"another provider":  strings.Replace(good, `"provider": "p"`, `"provider": "q"`, 1),
		"another format":    strings.Replace(good, `"format": 1`, `"format": 2`, 1),
		"a list":            "[]",
		"more":              good + "{}",
		"a field twice":     strings.Replace(good, `"format": 1`, `"format": 1, "format": 1`, 1),
		"a field of others": strings.Replace(good, `"format": 1`, `"format": 1, "note": 1`, 1),
		"no time":           strings.Replace(good, `"recorded_at": "2026-11-29T12:00:00Z"`, `"recorded_at": "0001-01-01T00:00:00Z"`, 1),
		"a bottomless pit":  strings.Repeat("[", 1<<20),
		"what is no text":   strings.Replace(good, `"hi"`, "\"h\xff\"", 1),
	} {
		if what != "nothing" && text == good {
			t.Fatalf("%s is the same", what)
		}
		c := tape(t, dir, func(c *CassetteConfig) { c.Read = fstest.MapFS{name: {Data: []byte(text)}} })
		_, err := around(c).Wrap(&fake{id: "p"}).Call(t.Context(), ask("hi"))
		if err == nil {
			t.Errorf("%s is taken", what)
			continue
		}
		if e := failure(t, err, Missing); !strings.Contains(e.Text, name) || !strings.Contains(e.Text, "cannot be used") {
			t.Errorf("%s: %+v", what, e)
		}
	}
	big := fstest.MapFS{name: {Data: bytes.Repeat([]byte(" "), maxCassette+1)}}
	if _, _, err := readCassette(big, key); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Error(err)
	}
}

func FuzzCassette(f *testing.F) {
	request := []byte(must(string(must2(keyOf("p", ask("hi").normal()))), nil))
	good, err := encodeCassette("p", request, Response{Output: "x"}, noon, func(s string) string { return s })
	if err != nil {
		f.Fatal(err)
	}
	key := must(Key("p", ask("hi")))
	f.Add(good)
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte("{"))
	f.Add(bytes.Replace(good, []byte(`"format"`), []byte(`"hidden": true, "format"`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCassette(data, key)
		if err != nil {
			return
		}
		if c.Format != cassetteFormat || !json.Valid(c.Request) || !json.Valid(c.Response) {
			t.Errorf("%s", data)
		}
		if is, _, err := keyOf(c.Provider, c.Request); !c.Hidden && (err != nil || is != key) {
			t.Errorf("%s is of %s", data, is)
		}
	})
}

func must2(_ string, canonical []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return canonical
}

func TestASampleAsksAShareOfTheKeysAndTellsWhatChanged(t *testing.T) {
	dir := t.TempDir()
	first := around(tape(t, dir, recording)).Wrap(counting("p"))
	const n = 200
	for i := range n {
		if _, err := first.Call(t.Context(), ask(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir)
	var asked [2][]Sampled
	for run := range asked {
		live := &fake{id: "p", answer: func(r Request, _ int) (Response, error) {
			return Response{Output: PromptText(r) + ": answer 1"}, nil // as it was for the first alone
		}}
		c := tape(t, dir, func(c *CassetteConfig) { c.Mode, c.Share, c.Write = Sample, 0.25, nil })
		p := around(c).Wrap(live)
		for i := range n {
			got, err := p.Call(t.Context(), ask(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			if sampled := c.IsSampled(must(Key("p", ask(fmt.Sprint(i))))); sampled == got.Replayed {
				t.Errorf("%d: sampled %v, replayed %v", i, sampled, got.Replayed)
			}
		}
		asked[run] = c.Samples()
		if len(asked[run]) != int(live.calls.Load()) || len(asked[run]) < n/8 || len(asked[run]) > n/2 {
			t.Errorf("%d of %d were asked", len(asked[run]), n)
		}
		for _, s := range asked[run] {
			if s.Same != strings.HasPrefix(s.Recorded, "0: ") || !strings.HasSuffix(s.Live, "answer 1") {
				t.Errorf("%+v", s)
			}
		}
	}
	if diff := cmp.Diff(asked[0], asked[1]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Error("a sample that may not record did: ", diff)
	}
}

func TestRecordingAnewReplacesEachAnswerOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := around(tape(t, dir, recording)).Wrap(counting("p")).Call(t.Context(), ask("hi")); err != nil {
		t.Fatal(err)
	}
	live := &fake{id: "p", answer: func(Request, int) (Response, error) { return Response{Output: "new"}, nil }}
	p := around(tape(t, dir, func(c *CassetteConfig) { c.Mode, c.Anew = Record, true })).Wrap(live)
	for range 3 {
		if got, err := p.Call(t.Context(), ask("hi")); err != nil || got.Output != "new" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if live.calls.Load() != 1 || len(files(t, dir)) != 1 {
		t.Errorf("%d calls, %d files", live.calls.Load(), len(files(t, dir)))
	}
}

func TestAFailureIsNotRecorded(t *testing.T) {
	dir := t.TempDir()
	p := around(tape(t, dir, recording)).Wrap(&fake{id: "p", answer: func(Request, int) (Response, error) {
		return Response{}, &Error{Kind: Denied, Provider: "p", Text: "no", Fix: "yes"}
	}})
	_, err := p.Call(t.Context(), ask("hi"))
	fails(t, err, Denied)
	if all := files(t, dir); len(all) != 0 {
		t.Error(all)
	}
}

func TestOldCassettesAreTold(t *testing.T) {
	dir := t.TempDir()
	for i, age := range []time.Duration{0, 10, 100} {
		c := tape(t, dir, func(c *CassetteConfig) { c.Mode, c.Now = Record, clockAt(noon.Add(-age*24*time.Hour)) })
		if _, err := around(c).Wrap(counting("p")).Call(t.Context(), ask(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	c := tape(t, dir, func(c *CassetteConfig) { c.MaxAge = 90 * 24 * time.Hour })
	for i := range 3 {
		if _, err := around(c).Wrap(&fake{id: "p"}).Call(t.Context(), ask(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	_, oldest, stale := c.Used()
	if want := noon.Add(-100 * 24 * time.Hour).Truncate(time.Second); !oldest.Equal(want) || len(stale) != 1 || stale[0].Key != must(Key("p", ask("2"))) || stale[0].Provider != "p" {
		t.Error(oldest, stale)
	}
}

// Whatever the order and the concurrency, the same requests leave the same
// files and the same hash, and each is asked once.
func TestRecordingIsTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation([]int{0, 0, 1, 1, 2, 3, 4, 5}).Draw(rt, "order")
		dir := t.TempDir()
		c := tape(t, dir, recording)
		live := &fake{id: "p", answer: func(r Request, _ int) (Response, error) { return Response{Output: PromptText(r)}, nil }}
		p := around(c).Wrap(live)
		var wg sync.WaitGroup
		for _, i := range order {
			wg.Go(func() {
				if _, err := p.Call(context.Background(), ask(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		hash, _, _ := c.Used()
		if live.calls.Load() != 6 || len(files(t, dir)) != 6 || hash != "sha256:a" && len(hash) != 71 {
			rt.Fatalf("%d calls, %d files, %s", live.calls.Load(), len(files(t, dir)), hash)
		}
		replay := tape(t, dir, nil)
		for i := range 6 {
			if _, err := around(replay).Wrap(&fake{id: "p"}).Call(context.Background(), ask(fmt.Sprint(i))); err != nil {
				rt.Fatal(err)
			}
		}
		if again, _, _ := replay.Used(); again != hash {
			rt.Fatal(again, hash)
		}
	})
}

func TestCassettesThatCannotWorkAreRefused(t *testing.T) {
	for name, c := range map[string]CassetteConfig{
		"no clock":             {Mode: Replay},
		"no mode":              {Now: time.Now},
		"a mode of others":     {Mode: "auto", Now: time.Now},
		"nowhere to record":    {Mode: Record, Now: time.Now},
		"more than all":        {Mode: Sample, Share: 1.5, Now: time.Now},
		"a share that is none": {Mode: Sample, Share: -0.1, Now: time.Now},
	} {
		if _, err := NewCassettes(c); err == nil {
			t.Errorf("%s works", name)
		}
	}
	dir := t.TempDir()
	c := tape(t, dir, recording)
	if err := c.config.Write.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := around(c).Wrap(counting("p")).Call(t.Context(), ask("hi"))
	fails(t, err, Missing)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unlock, err := c.lock(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.lock(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	unlock()
}
