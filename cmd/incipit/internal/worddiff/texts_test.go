package worddiff

import (
	"slices"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestExcerptShowsWhatChangedAndALittleAroundIt(t *testing.T) {
	a := "one\ntwo\nthree\nfour\nfive\nsix\nseven"
	b := "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\u200b"
	got := Excerpt(Compare(a, b), 1, nil)
	want := []string{Gap, "three", "[-four-]{+FOUR+}", "five", "six", "seven{+⟨U+200B⟩+}"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTextsComparesEachMessageWithTheOneInItsPlace(t *testing.T) {
	system := prompt.Message{Role: prompt.System, Content: "same"}
	got := Texts([]prompt.Message{system, {Role: prompt.User, Content: "a b"}}, []prompt.Message{system, {Role: prompt.User, Content: "a c d"}})
	if len(got) != 1 || got[0].Message != prompt.User || got[0].Added != 3 || got[0].Removed != 1 {
		t.Errorf("got %+v", got)
	}
}
