package worddiff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sketch writes a line with [-removed-], {+added+}, <moved> ends and ⏎.
func sketch(l Line) string {
	var b strings.Builder
	for _, s := range l.Spans {
		text := strings.ReplaceAll(s.Text, "\n", "⏎")
		if s.Moved > 0 {
			text = fmt.Sprintf("<%d:%s>", s.Moved, text)
		}
		switch {
		case s.Op == Same || s.Quiet:
			b.WriteString(text)
		case s.Op == Added:
			b.WriteString("{+" + text + "+}")
		default:
			b.WriteString("[-" + text + "-]")
		}
	}
	return b.String()
}

func sketches(rows []Row) []string {
	var out []string
	for _, r := range rows {
		mark := " "
		if r.Changed {
			mark = "*"
		}
		out = append(out, fmt.Sprintf("%s %d|%s || %d|%s", mark, r.NA, sketch(r.A), r.NB, sketch(r.B)))
	}
	return out
}

func TestSideBySide(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       []string
	}{
		{"nothing is no row", "", "", nil},
		{"the same lines stand beside each other", "one\ntwo\n", "one\ntwo\n", []string{"  1|one || 1|one", "  2|two || 2|two"}},
		{"a word that changed", "one\ntwo\n", "one\nTWO\n", []string{"  1|one || 1|one", "* 2|[-two-] || 2|{+TWO+}"}},
		{"a line that came leaves a hole", "one\nthree\n", "one\ntwo\nthree\n", []string{"  1|one || 1|one", "* 0| || 2|{+two⏎+}", "  2|three || 3|three"}},
		{"lines that were rewritten stand beside each other", "a b c d\nx\n", "e f g h\ni j k l\nx\n", []string{"* 1|[-a b c d-] || 1|{+e f g h⏎+}", "* 0| || 2|{+i j k l+}", "  2|x || 3|x"}},
		{"a text that is new has nothing beside it", "", "a\nb", []string{"* 0| || 1|{+a⏎+}", "* 0| || 2|{+b+}"}},
		{"a line end that went is seen", "x\n", "x", []string{"* 1|x[-⏎-] || 1|x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, sketches(SideBySide(Calm(Compare(tt.a, tt.b))))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestInlineLaysOneTextIntoTheOther(t *testing.T) {
	got := sketches(Inline(Compare("one\ntwo\nfour\n", "one\n2\nthree\nfour\n")))
	want := []string{"  1|one || 1|", "* 2|[-two-]{+2⏎+} || 2|", "* 2|{+three+} || 3|", "  3|four || 4|"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFoldKeepsALittleAroundEachChange(t *testing.T) {
	rows := make([]Row, 20)
	rows[2].Changed, rows[9].Changed = true, true
	var got []string
	for _, p := range Fold(rows, 1, 4) {
		got = append(got, fmt.Sprint(len(p.Rows), p.Folded))
	}
	if d := cmp.Diff([]string{"4 false", "4 true", "3 false", "9 true"}, got); d != "" {
		t.Error(d) // the first row is too little to fold
	}
}

// texts draws two texts with much in common.
func texts(t *rapid.T) (a, b string) {
	word := rapid.SampledFrom([]string{"answer ", "in ", "two sentences", ".\n", "\n", "\n\n", "politely, ", "{{name}}", "\t", "é", "\u200b", "Never promise a refund that was not granted. "})
	line := rapid.SliceOfN(word, 0, 30)
	return strings.Join(line.Draw(t, "a"), ""), strings.Join(line.Draw(t, "b"), "")
}

// both are the texts of spans.
func both(spans []Span) (a, b string) {
	for _, s := range spans {
		if s.Op != Added {
			a += s.Text
		}
		if s.Op != Removed {
			b += s.Text
		}
	}
	return a, b
}

func TestWhatIsMadeOfSpansStillIsBothTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts(t)
		calm := Calm(Compare(a, b))
		moved, _ := Moves([]Text{{Spans: Loose(calm)}})
		for name, spans := range map[string][]Span{"calm": calm, "loose": Loose(calm), "moved": moved[0].Spans} {
			if x, y := both(spans); x != a || y != b {
				t.Fatalf("%s: %q and %q became %q and %q", name, a, b, x, y)
			}
		}
		var x, y []string
		na, nb := 0, 0
		for _, r := range SideBySide(moved[0].Spans) {
			if r.NA > 0 {
				x, na = append(x, strings.TrimSuffix(plain(r.A), "\n")), na+1
			}
			if r.NB > 0 {
				y, nb = append(y, strings.TrimSuffix(plain(r.B), "\n")), nb+1
			}
			if r.NA > 0 && r.NA != na || r.NB > 0 && r.NB != nb {
				t.Fatalf("the lines of %q and %q are not counted right", a, b)
			}
		}
		if strings.Join(x, "\n") != strings.TrimSuffix(a, "\n") || strings.Join(y, "\n") != strings.TrimSuffix(b, "\n") {
			t.Fatalf("rows of %q and %q are %q and %q", a, b, x, y)
		}
	})
}

func plain(l Line) string {
	var b strings.Builder
	for _, s := range l.Spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

func TestLooseTakesAParagraphThatWasWrappedAnewForTheSame(t *testing.T) {
	a, b := "Answer in two\nsentences. Be kind.", "Answer in two sentences.\nBe kind."
	for _, r := range SideBySide(Loose(Compare(a, b))) {
		if r.Changed {
			t.Errorf("%s", sketches([]Row{r}))
		}
	}
	changed := false
	for _, r := range Inline(Loose(Compare(a, b+" Be brief."))) {
		changed = changed || r.Changed
	}
	if !changed {
		t.Error("a change of words is not seen")
	}
}
