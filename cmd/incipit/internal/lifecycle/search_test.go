package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// hits are those of a search in short.
func hits(t *testing.T, r *rig, envs, prompts, text string, limit int) string {
	t.Helper()
	found, err := r.shared.Search(reader(t, envs, prompts), text, limit)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var out []string
	for _, h := range found {
		line := string(h.Kind) + " " + string(h.Prompt)
		if h.Kind != registry.HitPrompt {
			line += "@" + h.Version
		}
		if h.Line > 0 {
			line += fmt.Sprintf(" %s:%d", h.Role, h.Line)
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

func TestASearchFindsPromptsReleasesAndTexts(t *testing.T) {
	eachShared(t, threeEnvironments(), func(t *testing.T, r *rig) {
		spoken := made{"support", prompt.Version{Major: 1, Minor: 4}, "You answer for {{company}}.\nNever promise a REFUND.\nAsk for the order's number, and wait for it."}.indexed(t)
		spoken.Author, spoken.Notes = "Grace <grace@example.com>", "asks for the order before a refund"
		if _, problems, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{spoken}); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		for _, tt := range []struct{ name, envs, prompts, text, want string }{
			{"the beginning of an id, before what only mentions it", "*", "*", "refund", "prompt billing/refunds, release support@1.4.0, text billing/refunds@1.3.0 system:1, text support@1.4.0 system:2"},
			{"the beginning of a prompt's own name", "*", "billing/*", "BILL", "prompt billing/refunds, text billing/refunds@1.3.0 system:1"},
			{"words in any order", "*", "*", "fund bill", "prompt billing/refunds, text billing/refunds@1.3.0 system:1"},
			{"a tag", "*", "*", "support@1.2", "release support@1.2.0"},
			{"an author", "*", "*", "grace@example.com", "release support@1.4.0"},
			{"a prompt and its author", "*", "*", "support ada", "release support@1.3.0, release support@1.2.0, release support@1.1.0, release support@1.0.0"},
			{"a line of the newest text", "*", "*", "wait order's number", "text support@1.4.0 system:3"},
			{"no text of an older one", "*", "supp*", "truthfully", ""},
			{"the description", "*", "supp*", "of the tests", "prompt support"},
			{"nothing", "*", "*", "unheard-of", ""},
			{"no words", "*", "*", "  ", ""},
			{"only what the caller may read", "dev", "billing/*", "refund", "prompt billing/refunds, text billing/refunds@1.3.0 system:1"},
			{"for nobody", "", "", "refund", ""},
		} {
			if got := hits(t, r, tt.envs, tt.prompts, tt.text, 50); got != tt.want {
				t.Errorf("%s: %q finds\n%s, want\n%s", tt.name, tt.text, got, tt.want)
			}
		}
		if got := hits(t, r, "*", "*", "refund", 2); got != "prompt billing/refunds, release support@1.4.0" {
			t.Errorf("the first two: %s", got)
		}
		found, err := r.shared.Search(reader(t, "*", "*"), "REFUND never", 5)
		if err != nil || len(found) != 1 || found[0].Text != "Never promise a REFUND." {
			t.Errorf("the line is shown as %+v, %v", found, err)
		}
	})
}

func TestWhatWasReleasedIsFoundAtOnce(t *testing.T) {
	eachShared(t, threeEnvironments(), func(t *testing.T, r *rig) {
		if got := hits(t, r, "*", "*", "welcome", 5); got != "" {
			t.Fatal(got)
		}
		m := made{"onboarding/welcome", prompt.Version{Major: 1}, "You welcome people of {{company}}, warmly and in two sentences."}
		if _, _, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{m.indexed(t)}); err != nil {
			t.Fatal(err)
		}
		if got := hits(t, r, "*", "*", "welcome", 5); got != "prompt onboarding/welcome, text onboarding/welcome@1.0.0 system:1" {
			t.Error(got)
		}
	})
}

func TestASearchThatCannotBeIsRefused(t *testing.T) {
	eachShared(t, threeEnvironments(), func(t *testing.T, r *rig) {
		for name, limit := range map[string]int{"no hits": 0, "too many": maxHits + 1} {
			if _, err := r.shared.Search(reader(t, "*", "*"), "support", limit); !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.shared.Search(reader(t, "*", "*"), strings.Repeat("a", maxQuery+1), 5); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("too long: %v", err)
		}
		words := strings.Fields(strings.Repeat("support ", maxWords) + "unheard-of")
		if got, err := r.shared.Search(reader(t, "*", "support"), strings.Join(words, " "), 5); err != nil || !slices.ContainsFunc(got, func(h registry.Hit) bool { return h.Kind == registry.HitPrompt }) {
			t.Errorf("a word too many: %v, %v", got, err)
		}
	})
}

// BenchmarkSearch looks through 1,000 prompts × 10 releases of 2 KB; the first
// search after a release reads them.
//
//	go test -run '^$' -bench BenchmarkSearch ./cmd/incipit/internal/lifecycle
func BenchmarkSearch(b *testing.B) {
	r := crowded(b)
	ctx := reader(b, "*", "*")
	for _, tt := range []struct{ name, text string }{{"id", "prompt-0500"}, {"author", "ada"}, {"text", "never outages"}, {"nothing", "unheard-of"}} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.shared.Search(ctx, tt.text, 20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			r.shared.shelves = newShelves()
			if _, err := r.shared.Search(ctx, "unheard-of", 20); err != nil {
				b.Fatal(err)
			}
		}
	})
}
