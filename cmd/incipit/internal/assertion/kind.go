package assertion

import (
	"context"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A kind is how one type is checked.
type kind struct {
	check     func(c *Checker, ctx context.Context, q question) (finding, error) // nil: it is judged over all outputs, by Select
	valid     func(v any) string                                                 // what is wrong with a value, "" for nothing; a value whose template is not rendered yet is not shown to it
	share     bool                                                               // its threshold is a share, from 0 to 1
	threshold bool                                                               // it must have one
	blind     bool                                                               // it does not read the output
	upright   bool                                                               // there is no not- of it
	code      bool                                                               // its value is code: a text, or a file that is not read as a value
}

// kindOf finds the type of a, or says why there is none.
func kindOf(a Assertion) (kind, error) {
	k, ok := kindNamed(a.Type)
	switch {
	case !ok:
		return kind{}, unknown(a)
	case a.Not && k.upright:
		return kind{}, invalid(a, "is no assertion", "write %s without the not-", a.Type)
	}
	return k, nil
}

// kindNamed is the table of all types. It is a function, since an assert-set
// comes back to it.
func kindNamed(name string) (kind, bool) {
	switch name {
	case "equals":
		return kind{check: (*Checker).equals, valid: isAnything}, true
	case "contains":
		return kind{check: (*Checker).contains, valid: isWord}, true
	case "icontains":
		return kind{check: (*Checker).contains, valid: isWord}, true
	case "contains-any", "contains-all", "icontains-any", "icontains-all":
		return kind{check: (*Checker).containsSome, valid: isWords}, true
	case "starts-with":
		return kind{check: (*Checker).startsWith, valid: isFull}, true
	case "regex":
		return kind{check: (*Checker).regex, valid: isFull}, true
	case "word-count":
		return kind{check: (*Checker).wordCount, valid: isCount}, true
	case "is-refusal":
		return kind{check: (*Checker).isRefusal, valid: isNothing}, true
	case "is-json":
		return kind{check: (*Checker).isJSON, valid: isSchema}, true
	case "contains-json":
		return kind{check: (*Checker).containsJSON, valid: isSchema}, true
	case "is-valid-openai-tools-call":
		return kind{check: (*Checker).isToolsCall, valid: isNothing, blind: true}, true
	case "levenshtein":
		return kind{check: (*Checker).levenshtein, valid: isString}, true
	case "rouge-n":
		return kind{check: (*Checker).rouge, valid: isText, share: true}, true
	case "bleu":
		return kind{check: (*Checker).bleu, valid: isTexts, share: true}, true
	case "latency":
		return kind{check: (*Checker).latency, valid: isNothing, threshold: true, blind: true}, true
	case "cost":
		return kind{check: (*Checker).cost, valid: isNothing, threshold: true, blind: true}, true
	case "finish-reason":
		return kind{check: (*Checker).finishReason, valid: isText, blind: true}, true
	case "javascript", "python":
		return kind{check: (*Checker).script, valid: isText, code: true}, true
	case "webhook":
		return kind{check: (*Checker).webhook, valid: isText}, true
	case "assert-set":
		return kind{check: (*Checker).set, valid: isNothing, share: true, blind: true, upright: true}, true
	}
	return gradedByModels(name)
}

// gradedByModels is the part of the table that asks a judge or embeds.
func gradedByModels(name string) (kind, bool) {
	switch name {
	case "llm-rubric":
		return kind{check: (*Checker).rubric, valid: isCriterion}, true
	case "model-graded-closedqa":
		return kind{check: (*Checker).closedQA, valid: isText}, true
	case "g-eval":
		return kind{check: (*Checker).geval, valid: isTexts, share: true}, true
	case "factuality", "model-graded-factuality":
		return kind{check: (*Checker).factuality, valid: isText}, true
	case "answer-relevance":
		return kind{check: (*Checker).relevance, valid: isNothing, share: true}, true
	case "similar", "similar:cosine", "similar:dot", "similar:euclidean":
		return kind{check: (*Checker).similar, valid: isTexts}, true
	case "select-best":
		return kind{valid: isText, upright: true}, true
	case "max-score":
		return kind{valid: isMaxScore, upright: true}, true
	}
	return kind{}, false
}

// Types returns the types that are checked, without their not-, sorted.
func Types() []string {
	return []string{
		"answer-relevance", "assert-set", "bleu", "contains", "contains-all", "contains-any", "contains-json", "cost", "equals", "factuality",
		"finish-reason", "g-eval", "icontains", "icontains-all", "icontains-any", "is-json", "is-refusal", "is-valid-openai-tools-call",
		"javascript", "latency", "levenshtein", "llm-rubric", "max-score", "model-graded-closedqa", "model-graded-factuality", "python",
		"regex", "rouge-n", "select-best", "similar", "similar:cosine", "similar:dot", "similar:euclidean", "starts-with", "webhook", "word-count",
	}
}

// refused are promptfoo's other types, with what to write in their place.
func refused(name string) (instead string, ok bool) {
	switch name {
	case "is-xml", "contains-xml", "is-html", "contains-html", "is-sql", "contains-sql":
		return "use regex, or javascript with a parser of your own", true
	case "meteor", "gleu":
		return "use bleu or rouge-n, which compare words too", true
	case "is-valid-function-call", "is-valid-openai-function-call":
		return "use is-valid-openai-tools-call: functions are called as tools now", true
	case "perplexity", "perplexity-score":
		return "the likelihoods of tokens are not asked of providers here", true
	case "ruby":
		return "use javascript or python", true
	case "classifier", "moderation", "guardrails", "pi", "human":
		return "use llm-rubric, javascript or webhook", true
	case "context-faithfulness", "context-recall", "context-relevance", "conversation-relevance", "search-rubric", "agent-rubric":
		return "use llm-rubric with the context in its value", true
	case "skill-used", "tool-call-f1":
		return "use javascript, which sees the output", true
	}
	for _, family := range []string{"trajectory:", "trace-", "promptfoo:"} {
		if strings.HasPrefix(name, family) {
			return "traces and red teaming are no part of incipit", true
		}
	}
	return "", false
}

// unknown is the error of a type that is not checked.
func unknown(a Assertion) error {
	shown := prompt.Clip(a.Name(), 60)
	if instead, ok := refused(a.Type); ok {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the assertion type %q is promptfoo's and is not supported here", shown), "%s", instead)
	}
	err := registry.Errorf(prompt.ErrInvalid, "there is no assertion type %q", shown)
	if near := nearest(a.Type); near != "" {
		return registry.WithFix(err, "did you mean %q?", near)
	}
	return registry.WithFix(err, "the types are %s", strings.Join(Types(), ", "))
}

// nearest is the type that one with a slip most likely stands for, or "".
func nearest(name string) string {
	if len(name) > 40 {
		return ""
	}
	best := slices.MinFunc(Types(), func(a, b string) int { return editsBetween(name, a) - editsBetween(name, b) })
	if editsBetween(name, best) > 3 {
		return ""
	}
	return best
}
