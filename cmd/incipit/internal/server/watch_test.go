package server

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A follower is a client of a stream that takes whole events alone, as the SDK
// does, and holds the server to its word.
type follower struct {
	generation, revision int64
	texts                map[prompt.ID]string
	id                   string
}

func textOf(e *registry.Entry) string { return e.Releases[registry.StableArm].Messages[0].Content }

// take reads what came over a connection that may have been cut anywhere.
func (f *follower) take(t *rapid.T, stream []byte, allows registry.Patterns) {
	for {
		block, rest, whole := bytes.Cut(stream, []byte("\n\n"))
		if !whole {
			return
		}
		stream = rest
		scanEvents(strings.NewReader(string(block)+"\n\n"), func(e event) { f.apply(t, e, allows) })
	}
}

func (f *follower) apply(t *rapid.T, e event, allows registry.Patterns) {
	switch e.name {
	case "snapshot":
		var s registry.Snapshot
		if err := json.Unmarshal([]byte(e.data), &s); err != nil {
			t.Fatal(err)
		}
		if s.Generation < f.generation || s.Generation == f.generation && s.Revision < f.revision {
			t.Fatalf("from %d.%d back to %s", f.generation, f.revision, e.id)
		}
		f.generation, f.revision, f.texts = s.Generation, s.Revision, make(map[prompt.ID]string)
		for id, entry := range s.Prompts {
			if !allows.Fit(string(id)) {
				t.Fatalf("%s is shown", id)
			}
			f.texts[id] = textOf(entry)
		}
	case "patch":
		var p registry.Patch
		if err := json.Unmarshal([]byte(e.data), &p); err != nil {
			t.Fatal(err)
		}
		if p.Generation != f.generation || p.Revision != f.revision+1 || !allows.Fit(string(p.Prompt)) {
			t.Fatalf("patch %s of %s after %d.%d", e.id, p.Prompt, f.generation, f.revision)
		}
		f.revision, f.texts[p.Prompt] = p.Revision, textOf(p.Entry)
	}
	if e.id != "" {
		f.id = e.id
	}
}

// Whatever changes, however often and wherever the connection is cut, and
// whether a client sees all or a part: each revision comes once, in order and
// whole, and in the end the client has what the server has.
func TestAClientThatIsCutOffAnywhereEndsAtWhatTheServerHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.change(t, "a", "first")
		h := newHub(w.source(), quiet())
		allows := rapid.SampledFrom([]registry.Patterns{{"*"}, {"a"}, {"a", "c*"}}).Draw(t, "sees")
		grant := registry.Caller{Grants: []registry.Grant{{Permissions: maySee(), Environments: []string{"*"}, Prompts: allows}}}
		var client follower
		connect := func() (*stream, *bytes.Buffer, *events) {
			f, err := h.feed(context.Background(), "dev")
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			out := &events{w: &answer{ResponseWriter: rec}, control: http.NewResponseController(rec), now: time.Now, sent: uncounted{}}
			st := &stream{feed: f, kick: make(chan struct{}, 1)}
			st.grant(grant)
			st.resume(client.id, out)
			return st, rec.Body, out
		}
		st, body, out := connect()
		text := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				for range rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 5, 8, 13, ringSize + 5}).Draw(t, "changes") {
					text++
					w.change(t, rapid.SampledFrom([]prompt.ID{"a", "b", "c", "cc"}).Draw(t, "id"), strings.Repeat("x", text%7+1))
				}
				h.poke(context.Background(), "dev")
				fallthrough
			case 2:
				if _, err := st.catchUp(out); err != nil {
					t.Fatal(err)
				}
			case 3: // the connection is cut within what was sent
				sent := body.Bytes()
				client.take(t, sent[:rapid.IntRange(0, len(sent)).Draw(t, "cut")], allows)
				st, body, out = connect()
			}
		}
		if _, err := st.catchUp(out); err != nil {
			t.Fatal(err)
		}
		client.take(t, body.Bytes(), allows)
		want := make(map[prompt.ID]string)
		for id, e := range st.feed.now.Load().entries {
			if allows.Fit(string(id)) {
				want[id] = textOf(e.Entry)
			}
		}
		if !maps.Equal(client.texts, want) {
			t.Fatalf("the client has %v, want %v", client.texts, want)
		}
	})
}

type uncounted struct{}

func (uncounted) count(string) {}

func TestAStreamOnWhichNothingHappensIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.change(t, "a", "x")
		f, err := newHub(w.source(), quiet()).feed(t.Context(), "dev")
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		st := &stream{feed: f, kick: make(chan struct{}, 1)}
		st.grant(dev())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		out := &events{w: &answer{ResponseWriter: rec}, control: http.NewResponseController(rec), now: time.Now, sent: uncounted{}}
		if err := st.run(ctx, out, nil); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(rec.Body.String(), ": heartbeat\n\n"); n != 4 {
			t.Errorf("%d heartbeats in a minute", n)
		}
	})
}

func TestVariablesAreReadAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "variables")
		doc, err := json.MarshalIndent(want, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readStrings(doc)
		if err != nil || !maps.Equal(got, want) {
			t.Fatalf("%s became %v, %v", doc, got, err)
		}
	})
	for _, doc := range []string{`{"a":1}`, `{"a":{"b":"c"}}`, `{"a":null}`, `[]`, `"a"`, `1`, `{"a":"b","c":[]}`} {
		if got, err := readStrings([]byte(doc)); err == nil {
			t.Errorf("%s became %v", doc, got)
		}
	}
}
