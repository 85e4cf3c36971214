package incipit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func snapshotAt(t testing.TB, gen, rev int64, version string) *registry.Snapshot {
	t.Helper()
	return &registry.Snapshot{Environment: "production", Generation: gen, Revision: rev, Prompts: map[prompt.ID]*registry.Entry{"support": runs(t, version, text)}}
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestApply(t *testing.T) {
	patch := func(gen, rev int64) []byte {
		return encoded(t, registry.Patch{Environment: "production", Generation: gen, Revision: rev, Prompt: "support", Entry: runs(t, "3.0.0", text)})
	}
	full := func(gen, rev int64) []byte { return encoded(t, snapshotAt(t, gen, rev, "3.0.0")) }
	wider := snapshotAt(t, 2, 5, "3.0.0")
	wider.Prompts["billing"] = retired()
	for _, c := range []struct {
		name   string
		source string // of what is served: 2.0.0 at 2.5
		patch  bool
		data   []byte
		want   verdict
		serves string // the version and revision afterwards
	}{
		{"a higher snapshot", fromStream, false, full(2, 9), applied, "3.0.0 2.9"},
		{"a lower snapshot", fromStream, false, full(2, 4), older, "2.0.0 2.5"},
		{"the same snapshot", fromStream, false, full(2, 5), current, "2.0.0 2.5"},
		{"the same revision, of more prompts: the key may see more", fromStream, false, encoded(t, wider), applied, "3.0.0 2.5"},
		{"a lower revision, of more prompts", fromStream, false, []byte(strings.Replace(string(encoded(t, wider)), `"revision":5`, `"revision":4`, 1)), older, "2.0.0 2.5"},
		{"a snapshot of a lower generation", fromStream, false, full(1, 9), older, "2.0.0 2.5"},
		{"a lower snapshot of a higher generation", fromStream, false, full(3, 1), applied, "3.0.0 3.1"},
		{"the next patch", fromStream, true, patch(2, 6), applied, "3.0.0 2.6"},
		{"the next patch, upon the copy on disk", fromDisk, true, patch(2, 6), applied, "3.0.0 2.6"},
		{"the same patch", fromStream, true, patch(2, 5), older, "2.0.0 2.5"},
		{"a lower patch", fromStream, true, patch(2, 1), older, "2.0.0 2.5"},
		{"the patch after the next", fromStream, true, patch(2, 7), gap, "2.0.0 2.5"},
		{"a patch of a lower generation", fromStream, true, patch(1, 6), older, "2.0.0 2.5"},
		{"a patch of a higher generation", fromStream, true, patch(3, 6), gap, "2.0.0 2.5"},
		{"a snapshot upon a bundle of a higher revision", fromBundle, false, full(1, 1), applied, "3.0.0 1.1"},
		{"a patch upon a bundle", fromBundle, true, patch(2, 6), gap, "2.0.0 2.5"},
		{"a patch upon nothing", "", true, patch(2, 6), gap, "2.0.0 2.5"},
		{"a snapshot of another environment", fromStream, false, []byte(strings.Replace(string(full(2, 9)), "production", "staging", 1)), foreign, "2.0.0 2.5"},
		{"fields that are not known", fromStream, false, []byte(strings.Replace(string(full(2, 9)), `{"environment"`, `{"region":"eu","environment"`, 1)), applied, "3.0.0 2.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, refused := viewOf(snapshotAt(t, 2, 5, "2.0.0"), c.source)
			if len(refused) > 0 {
				t.Fatal(refused)
			}
			u, err := parseDelivery(c.patch, c.data)
			if err != nil {
				t.Fatal(err)
			}
			next, got, refused := apply(v, u, fromStream)
			r, err := next.resolve("support", "u")
			if err != nil || len(refused) > 0 {
				t.Fatal(err, refused)
			}
			if serves := fmt.Sprintf("%s %d.%d", r.version, next.snapshot.Generation, next.snapshot.Revision); got != c.want || serves != c.serves {
				t.Errorf("got verdict %d and %s, want %d and %s", got, serves, c.want, c.serves)
			}
			if len(next.releases) != 1 {
				t.Errorf("%d releases are kept", len(next.releases))
			}
		})
	}
}

func TestOneBadEntryTakesNoOtherWithIt(t *testing.T) {
	good := string(encoded(t, registry.Snapshot{Environment: "production", Generation: 1, Revision: 2, Prompts: map[prompt.ID]*registry.Entry{
		"support": runs(t, "2.0.0", "BAD "+text), "billing": runs(t, "2.0.0", text),
	}}))
	entryAt := strings.Index(good, `"support":`) + len(`"support":`)
	for name, data := range map[string]string{
		"null":                    good[:entryAt] + "null}}",
		"a number":                good[:entryAt] + "7}}",
		"a version that is none":  good[:entryAt] + strings.Replace(good[entryAt:], `"version":"2.0.0"`, `"version":"two"`, 1),
		"another text":            good[:entryAt] + strings.Replace(good[entryAt:], "BAD", "bad", 1),
		"no ranges":               good[:entryAt] + strings.Replace(good[entryAt:], `"ranges"`, `"rangez"`, 1),
		"a bucketing of tomorrow": good[:entryAt] + strings.Replace(good[entryAt:], "fnv1a-fmix32", "siphash", 1),
		"no releases":             good[:entryAt] + strings.Replace(good[entryAt:], `"releases"`, `"releasez"`, 1),
		"an empty object":         good[:entryAt] + "{}}}",
	} {
		t.Run(name, func(t *testing.T) {
			if data == good {
				t.Fatal("nothing was broken")
			}
			u, err := parseDelivery(false, []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			v, _ := viewOf(snapshotAt(t, 1, 1, "1.0.0"), fromStream)
			next, got, refused := apply(v, u, fromStream)
			if got != applied || len(refused) != 1 || refused["support"] == nil {
				t.Fatalf("verdict %d, refused %v", got, refused)
			}
			for id, want := range map[prompt.ID]string{"support": "1.0.0", "billing": "2.0.0"} {
				if r, err := next.resolve(id, "u"); err != nil || r.version != want {
					t.Errorf("%s: %v, %v", id, r, err)
				}
			}
			fresh, _, _ := apply(newView("", "production"), u, fromStream)
			if _, err := fresh.resolve("support", "u"); err == nil || fresh.refused["support"] == nil {
				t.Error("without a good one before, it is served")
			}
		})
	}
}

func TestATemplateIsCompiledOncePerDigest(t *testing.T) {
	v, _ := viewOf(snapshotAt(t, 1, 1, "1.0.0"), fromStream)
	before, _ := v.resolve("support", "u")
	next, _, _ := apply(v, fullDelivery(snapshotAt(t, 1, 2, "1.0.1")), fromStream)
	after, _ := next.resolve("support", "u")
	if before.template != after.template || after.version != "1.0.1" {
		t.Error("the same text was compiled twice")
	}
}

func TestDiffNamesWhatIsServedDifferently(t *testing.T) {
	entries := func(m map[prompt.ID]*registry.Entry) *view {
		v, _ := viewOf(&registry.Snapshot{Environment: "production", Revision: int64(len(m)), Prompts: m}, fromStream)
		return v
	}
	a := entries(map[prompt.ID]*registry.Entry{
		"same": runs(t, "1.0.0", text), "new-version": runs(t, "1.0.0", text), "gone": runs(t, "1.0.0", text),
		"retired": runs(t, "1.0.0", text), "long-gone": retired(), "more": canary(t, made("1.0.0", text), made("1.1.0", text+"!"), 5000),
	})
	b := entries(map[prompt.ID]*registry.Entry{
		"same": runs(t, "1.0.0", text), "new-version": runs(t, "1.0.1", text), "added": runs(t, "1.0.0", text),
		"retired": retired(), "unheard-of": retired(), "more": canary(t, made("1.0.0", text), made("1.1.0", text+"!"), 10000),
	})
	c := diff(a, b)
	if got, want := fmt.Sprint(c.Changed, c.Removed), "[added more new-version] [gone retired]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(true, []byte(`{"environment":"production","generation":1,"revision":6,"prompt":"support","entry":{"removed":true}}`))
	f.Add(false, []byte(`{"environment":"production","generation":2,"revision":1,"prompts":{"a":null,"b":{}}}`))
	f.Add(false, encoded(f, snapshotAt(f, 1, 6, "2.0.0")))
	f.Add(true, encoded(f, registry.Patch{
		Environment: "production", Generation: 1, Revision: 6, Prompt: "support",
		Entry: canary(f, made("1.0.0", text), made("1.1.0", text+"!"), 5000),
	}))
	f.Fuzz(func(t *testing.T, patch bool, data []byte) {
		v, _ := viewOf(snapshotAt(t, 1, 5, "1.0.0"), fromStream)
		u, err := parseDelivery(patch, data)
		if err != nil {
			return
		}
		next, verdict, _ := apply(v, u, fromStream)
		if verdict != applied && next != v {
			t.Fatal("what was not applied changed what is served")
		}
		if a, b := v.snapshot, next.snapshot; b.Generation < a.Generation || b.Generation == a.Generation && b.Revision < a.Revision {
			t.Fatalf("%d.%d came after %d.%d", b.Generation, b.Revision, a.Generation, a.Revision)
		}
		for id, e := range next.snapshot.Prompts {
			if err := e.Check(); err != nil {
				t.Fatalf("%s is served and is not good: %v", id, err)
			}
			for _, subject := range []string{"", "a", "b", "c"} {
				r, err := next.resolve(id, subject)
				if !e.Removed && (err != nil || r == nil) {
					t.Fatalf("%s for %q: %v, %v", id, subject, r, err)
				}
				if r != nil {
					_, _ = r.template.Render(prompt.Vars{"question": "x"})
				}
			}
		}
	})
}

// A prompt stands in the snapshot or has a reason why not, never both: covers
// counts on it.
func TestARefusedPromptIsCountedOnce(t *testing.T) {
	bad := runs(t, "2.0.0", text)
	bad.Rollout.Arms[0].Digest = "sha256:0"
	deliver := func(v *view, rev int64, id prompt.ID, e *registry.Entry) *view {
		next, verdict, _ := apply(v, delivery{patch: true, environment: "production", generation: 1, revision: rev, entries: map[prompt.ID]entry{id: {Entry: e}}}, fromStream)
		if verdict != applied {
			t.Fatal(verdict)
		}
		return next
	}
	v, _ := viewOf(snapshotAt(t, 1, 1, "1.0.0"), fromStream)
	for i, step := range []struct {
		id prompt.ID
		e  *registry.Entry
	}{{"support", bad}, {"billing", bad}, {"billing", runs(t, "1.0.0", text)}, {"billing", bad}, {"other", bad}, {"other", bad}} {
		v = deliver(v, int64(i+2), step.id, step.e)
		for id := range v.refused {
			if v.snapshot.Prompts[id] != nil {
				t.Errorf("after step %d, %s is served and refused", i, id)
			}
		}
	}
	s := &registry.Snapshot{Environment: "production", Generation: 1, Revision: 7, Prompts: map[prompt.ID]*registry.Entry{"support": bad, "billing": bad, "other": bad}}
	if _, verdict, _ := apply(v, fullDelivery(s), fromStream); verdict != current {
		t.Errorf("the same state has the verdict %d", verdict)
	}
}
