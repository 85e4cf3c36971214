package ui

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// written is pieces in one line, those of a kind in brackets.
func written(pieces []textPiece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Kind == "" {
			b.WriteString(p.Text)
		} else {
			b.WriteString("[" + p.Kind + " " + p.Text + "]")
		}
	}
	return b.String()
}

func TestATextIsShownLineByLine(t *testing.T) {
	v := viewText("system", "Dear {{name}},\n\na\u200b\u200bb\r\n")
	var got []string
	for _, l := range v.Lines {
		got = append(got, written(l))
	}
	want := "Dear [variable {{name}}],||a[unseen U+200B × 2]b[unseen U+000D]"
	if s := strings.Join(got, "|"); s != want || !v.Hides || v.Chars != 22 {
		t.Errorf("got %s (%d characters, hides %t), want %s", s, v.Chars, v.Hides, want)
	}
	if data := viewData("tools", "{{name}}"); written(data.Lines[0]) != "{{name}}" || data.Hides {
		t.Errorf("a text that is no template: %v", data.Lines)
	}
}

func TestLinesAreTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab {}\n\t"))).Draw(t, "text")
		var lines []string
		for _, l := range viewText("user", text).Lines {
			var b strings.Builder
			for _, p := range l {
				b.WriteString(p.Text)
			}
			lines = append(lines, b.String())
		}
		if strings.Join(lines, "\n") != strings.TrimSuffix(text, "\n") {
			t.Fatalf("%q became %q", text, lines)
		}
	})
}

func TestBlanksAreShownWhereThatIsAskedFor(t *testing.T) {
	got := written(marked([]textPiece{{Text: " a  b\t"}, {Kind: "variable", Text: "{{ c }}"}, {Text: "d\n"}}))
	if want := "[blank ·]a[blank ··]b[blank →\t][variable {{ c }}]d[blank ⏎]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAPassageThatMovedHasALinkAtEachEnd(t *testing.T) {
	const refund = "Never promise a refund\nthat was not granted."
	a := []prompt.Message{{Role: prompt.System, Content: "Help.\n" + refund + "\nBe kind to everybody.\n"}, {Role: prompt.User, Content: "x"}}
	b := []prompt.Message{{Role: prompt.System, Content: "Help.\nBe kind to everybody.\n"}, {Role: prompt.User, Content: "x\n" + refund}}
	for _, options := range []diffOptions{{}, {Inline: true}, {Loose: true, Marks: true}} {
		d := differ{options, make(map[string]bool)}
		texts, moves := d.texts(a, b)
		links := map[string]int{}
		for _, text := range texts {
			for _, part := range text.Parts {
				for _, row := range part.Rows {
					for _, s := range append(row.A, row.B...) {
						if s.First && s.Move == 1 {
							links[s.Op]++
						}
					}
				}
			}
		}
		if moves != 1 || links["removed"] != 1 || links["added"] != 1 || len(links) != 2 {
			t.Errorf("%+v: %d moves, links %v", options, moves, links)
		}
	}
}

func TestMetadataIsComparedFieldByField(t *testing.T) {
	d := differ{linked: make(map[string]bool)}
	fields, err := d.fields(
		prompt.Metadata{Name: "a", Description: "old", Tags: []string{"x"}, Other: map[string]json.RawMessage{"zone": json.RawMessage(`{"b":1}`)}},
		prompt.Metadata{Name: "a", Description: "new", Other: map[string]json.RawMessage{"zone": json.RawMessage(`{ "b": 1 }`), "team": json.RawMessage(`"y"`)}},
	)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fields {
		got = append(got, f.Key)
	}
	if s := strings.Join(got, " "); s != "description tags team" {
		t.Errorf("%s differ", s)
	}
}

func TestTheAddressOfAComparisonSaysHowItIsShown(t *testing.T) {
	o := diffOptions{ID: "billing/refunds", From: "production", To: "1.0.0"}
	for _, name := range []string{"view", "ws", "marks", "unseen", "swap"} {
		if o.Other(name) == o.Href() {
			t.Errorf("%s changes nothing", name)
		}
	}
	o.Inline, o.Loose = true, true
	if got, want := o.Other("swap"), "/prompts/billing%2Frefunds/diff?from=1.0.0&to=production&view=inline&ws=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
