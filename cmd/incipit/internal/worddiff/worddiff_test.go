package worddiff

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCompareSpeaksOfWords(t *testing.T) {
	got := Compare("Answer in two sentences.\n", "Answer in three short sentences.\n")
	want := []Span{{Op: Same, Text: "Answer in "}, {Op: Removed, Text: "two"}, {Op: Added, Text: "three short"}, {Op: Same, Text: " sentences.\n"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSpansAreBothTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab \n.é⟨")))
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		var x, y strings.Builder
		for _, s := range Compare(a, b) {
			if s.Op != Added {
				x.WriteString(s.Text)
			}
			if s.Op != Removed {
				y.WriteString(s.Text)
			}
		}
		if x.String() != a || y.String() != b {
			t.Fatalf("spans of %q and %q are %q and %q", a, b, x.String(), y.String())
		}
	})
}
