package suite

import (
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// judgedBy is assertions with what the options of their test say of judges:
// provider, rubricPrompt and factuality, each where an assertion itself is
// silent. The list that came is left as it was, since tests share it.
func judgedBy(asserts []assertion.Assertion, o CaseOptions) []assertion.Assertion {
	if o.Judge == nil && o.RubricPrompt == nil && len(o.Factuality) == 0 {
		return asserts
	}
	out := slices.Clone(asserts)
	for i := range out {
		a := &out[i]
		a.Set = judgedBy(a.Set, o)
		if !judged(a.Type) {
			continue
		}
		if a.Provider == nil {
			a.Provider = o.Judge
		}
		if a.Rubric == nil {
			a.Rubric = o.RubricPrompt
		}
		if strings.HasSuffix(a.Type, "factuality") && len(a.Config) == 0 {
			a.Config = o.Factuality
		}
	}
	return out
}

// judged reports whether a model decides about assertions of a type.
func judged(typ string) bool {
	switch typ {
	case "llm-rubric", "model-graded-closedqa", "g-eval", "factuality", "model-graded-factuality", "answer-relevance", "select-best":
		return true
	}
	return typ == "similar" || strings.HasPrefix(typ, "similar:")
}
