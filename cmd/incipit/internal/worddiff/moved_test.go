package worddiff

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// movesIn lists what moved, as the two ends have it.
func movesIn(texts []Text) (from, to map[int]string) {
	from, to = make(map[int]string), make(map[int]string)
	for _, t := range texts {
		for _, s := range t.Spans {
			switch {
			case s.Moved == 0:
			case s.Op == Removed:
				from[s.Moved] += s.Text
			default:
				to[s.Moved] += s.Text
			}
		}
	}
	return from, to
}

func TestMoves(t *testing.T) {
	const refund = "Never promise a refund that was not granted."
	message := func(system, user string) []prompt.Message {
		return []prompt.Message{{Role: prompt.System, Content: system}, {Role: prompt.User, Content: user}}
	}
	tests := []struct {
		name string
		a, b []prompt.Message
		want []string
	}{
		{
			"a paragraph that went to the end",
			message("You help.\n"+refund+"\nAnswer in two sentences, politely, in the customer's language.\nSay what you do not know.\n", "x"),
			message("You help.\nAnswer in two sentences, politely, in the customer's language.\nSay what you do not know.\n"+refund+"\n", "x"),
			[]string{refund},
		},
		{"a sentence that went to another message", message("You help. "+refund, "x"), message("You help.", "x "+refund), []string{refund}},
		{"three words stand anywhere", message("You help. Be very kind", "x"), message("You help.", "x Be very kind"), nil},
		{"a passage that was rewritten did not move", message("You help. "+refund, "x"), message("You help.", "x Refunds are given by people alone, later on."), nil},
		{"what was only added did not move", message(refund, "x"), message(refund+" "+refund, "x"), nil},
		{
			"part of a passage moved", message("You help. "+refund, "x"), message("You help.", "x Please: "+strings.TrimSuffix(refund, " granted.")+" asked for."),
			[]string{strings.TrimSuffix(refund, " granted.")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			texts := Messages(tt.a, tt.b)
			for i := range texts {
				texts[i].Spans = Calm(texts[i].Spans)
			}
			moved, n := Moves(texts)
			from, to := movesIn(moved)
			if d := cmp.Diff(from, to); d != "" || n != len(from) {
				t.Fatalf("%d moves, and the ends differ: %s", n, d)
			}
			var got []string
			for i := range n {
				got = append(got, from[i+1])
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBothEndsOfAMoveAreTheSameWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []Text
		for range rapid.IntRange(1, 3).Draw(t, "messages") {
			a, b := texts(t)
			in = append(in, Text{Spans: Calm(Compare(a, b))})
		}
		before := make([][]Span, len(in))
		for i := range in {
			before[i] = slices.Clone(in[i].Spans)
		}
		out, n := Moves(in)
		from, to := movesIn(out)
		if d := cmp.Diff(from, to); d != "" || len(from) != n {
			t.Fatalf("%d moves: %s", n, d)
		}
		for _, text := range from {
			if !long(words(text)) || utf8.RuneCountInString(text) < leastLetters {
				t.Fatalf("%q is too little to say that it moved", text)
			}
		}
		for i := range in {
			a, b := both(in[i].Spans)
			x, y := both(out[i].Spans)
			if x != a || y != b || !slices.Equal(in[i].Spans, before[i]) {
				t.Fatalf("a text changed: %q %q", x, y)
			}
		}
	})
}
