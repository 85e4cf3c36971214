package suite

import (
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

func TestOptionsNameTheJudgeOfWhatNamesNone(t *testing.T) {
	own := []assertion.Assertion{
		{Type: "llm-rubric"},
		{Type: "llm-rubric", Provider: "own", Rubric: "own"},
		{Type: "contains"},
		{Type: "factuality"},
		{Type: setType, Set: []assertion.Assertion{{Type: "similar:cosine"}}},
	}
	got := judgedBy(own, CaseOptions{Judge: "judge", RubricPrompt: "prompt", Factuality: map[string]any{"agree": 0.5}})
	for i, want := range []struct{ provider, rubric any }{{"judge", "prompt"}, {"own", "own"}, {nil, nil}, {"judge", "prompt"}, {nil, nil}} {
		if got[i].Provider != want.provider || got[i].Rubric != want.rubric {
			t.Errorf("assertion %d is judged by %v with %v", i, got[i].Provider, got[i].Rubric)
		}
	}
	if got[4].Set[0].Provider != "judge" || got[3].Config["agree"] != 0.5 || got[0].Config != nil {
		t.Errorf("%+v", got)
	}
	if own[0].Provider != nil || own[4].Set[0].Provider != nil {
		t.Error("the list that tests share was changed")
	}
}
