package ui

import (
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatIsFarFromEveryChangeIsLeftOut(t *testing.T) {
	long := strings.Repeat("é ", 1000)
	spans := worddiff.Compare("first "+long+"last", "First "+long+"Last")
	got := spansAround(spans)
	shown := ""
	for i, s := range got {
		shown += s.Text
		if s.Op != spans[i].Op || s.Op != worddiff.Same && s.Text != spans[i].Text {
			t.Errorf("span %d was %+v and is %+v", i, spans[i], s)
		}
	}
	if strings.Count(shown, worddiff.Gap) != 1 || len([]rune(shown)) > 3*near || len(spans) != len(got) || !strings.Contains(shown, "firstFirst é") {
		t.Errorf("%d characters are shown: %q", len([]rune(shown)), shown)
	}
	few := worddiff.Compare("a b c", "a x c")
	for i, s := range spansAround(few) {
		if s != few[i] {
			t.Errorf("span %d of a short text was %+v and is %+v", i, few[i], s)
		}
	}
}

func TestACostIsToldInDollarsWhereItIsKnown(t *testing.T) {
	cost := 0.0125
	for want, e := range map[string]editor{
		"":                  {Report: &registry.DraftReport{}},
		"0.0125 US dollars": {Report: &registry.DraftReport{Cost: &cost}},
	} {
		if got := e.Cost(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAPromptThatIsCalledNewHasAPageOfItsOwn(t *testing.T) {
	for got, want := range map[string]string{
		promptPath("new"):                         "/prompts/new/overview",
		promptPath("new", "?version=", "1.0.0"):   "/prompts/new/overview?version=1.0.0",
		promptPath("new", "/edit"):                "/prompts/new/edit",
		promptPath("news"):                        "/prompts/news",
		promptPath("a/new", "?version=", "1.0.0"): "/prompts/a%2Fnew?version=1.0.0",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
