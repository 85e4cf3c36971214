package suite

import (
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	setType    = "assert-set"
	maxAsserts = 10_000 // of one test
)

// typeNames are promptfoo's assertion types, of which it depends on the
// loader's KnownType what can be checked.
var typeNames = map[string]bool{
	"agent-rubric": true, "answer-relevance": true, "bleu": true, "classifier": true, "contains": true, "contains-all": true,
	"contains-any": true, "contains-html": true, "contains-json": true, "contains-sql": true, "contains-xml": true,
	"context-faithfulness": true, "context-recall": true, "context-relevance": true, "conversation-relevance": true, "cost": true,
	"equals": true, "factuality": true, "finish-reason": true, "g-eval": true, "gleu": true, "guardrails": true, "icontains": true,
	"icontains-all": true, "icontains-any": true, "is-html": true, "is-json": true, "is-refusal": true, "is-sql": true,
	"is-valid-function-call": true, "is-valid-openai-function-call": true, "is-valid-openai-tools-call": true, "is-xml": true,
	"javascript": true, "latency": true, "levenshtein": true, "llm-rubric": true, "pi": true, "meteor": true,
	"model-graded-closedqa": true, "model-graded-factuality": true, "moderation": true, "perplexity": true, "perplexity-score": true,
	"python": true, "regex": true, "rouge-n": true, "ruby": true, "similar": true, "similar:cosine": true, "similar:dot": true,
	"similar:euclidean": true, "starts-with": true, "tool-call-f1": true, "skill-used": true, "trajectory:goal-success": true,
	"trajectory:tool-args-match": true, "trajectory:step-count": true, "trajectory:tool-sequence": true, "trajectory:tool-used": true,
	"trace-error-spans": true, "trace-span-count": true, "trace-span-duration": true, "search-rubric": true, "webhook": true,
	"word-count": true,
}

// comparing are the types that only stand in YAML and JSON, not in CSV.
var comparing = map[string]bool{"select-best": true, "max-score": true, "human": true}

// shares are the types whose threshold is a share of 1.
var shares = map[string]bool{
	"similar": true, "similar:cosine": true, "rouge-n": true, "bleu": true, "gleu": true, "meteor": true, "g-eval": true, "llm-rubric": true,
	"answer-relevance": true, "classifier": true, "context-recall": true, "context-relevance": true, "context-faithfulness": true,
	"factuality": true, "model-graded-closedqa": true, setType: true,
}

// asserts reads a test's list of assertions. A text file://… stands for the
// list in that file.
func (l *loader) asserts(n *node, depth int) []assertion.Assertion {
	if n.empty() {
		return nil
	}
	if n.kind == text && strings.HasPrefix(n.str(), fileScheme) {
		n = l.tree(n)
	}
	switch {
	case n.empty():
		return nil
	case n.kind == mapping:
		n = &node{kind: list, items: []*node{n}, mark: n.mark, file: n.file}
	case n.kind != list:
		l.errorAt(n, "shape", "assert takes a list, this is "+n.kind.String(), "write - type: contains")
		return nil
	case len(n.items) > maxAsserts || depth > 8:
		l.errorAt(n, "too-large", fmt.Sprintf("holds more than %d assertions, or sets in sets", maxAsserts), "")
		return nil
	}
	out := make([]assertion.Assertion, 0, len(n.items))
	for _, item := range n.items {
		if item.kind == text && strings.HasPrefix(item.str(), fileScheme) && depth < 4 {
			out = append(out, l.asserts(item, depth+1)...)
			continue
		}
		if a, ok := l.assert(item, depth); ok {
			out = append(out, a)
		}
	}
	return out
}

// tree reads the YAML or JSON file that n names.
func (l *loader) tree(n *node) *node {
	name, ok := l.resolve(n.str(), l.dir, n)
	if !ok {
		return nil
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
	default:
		l.errorAt(n, "unsupported", prompt.Clip(name, 120)+" is no YAML or JSON", "")
		return nil
	}
	root := l.document(name, maxSuiteBytes, n)
	if root == nil {
		return nil
	}
	return l.prepare(root, asIs)
}

func (l *loader) assert(n *node, depth int) (a assertion.Assertion, ok bool) {
	kind := n.get("type")
	if ref := n.get("$ref"); ref != nil {
		return a, false // it leads nowhere, which has been reported
	}
	if n.kind != mapping || kind == nil || kind.kind != text {
		l.errorAt(n, "shape", "an assertion is a mapping with a type", "write - type: contains, and value: below it, without a dash of its own")
		return a, false
	}
	a = assertion.Assertion{File: n.file, Line: n.line, Metric: l.text(n, "metric"), Config: n.get("config").plainMap()}
	a.Type, a.Not = strings.CutPrefix(kind.str(), "not-")
	if !l.known(kind, a) {
		return a, false
	}
	a.Threshold = l.thresholdOf(n, shares[a.Type])
	a.Weight = l.number(n, "weight", 0, 1e9)
	if a.Type == setType {
		l.checkKeys(n, setKeys, "an assert-set")
		before := l.errors
		if a.Set = l.asserts(n.get("assert"), depth+1); len(a.Set) == 0 && l.errors == before {
			l.errorAt(n, "no-assertion", "the assert-set is empty", "write assert: with at least one assertion below it")
			return a, false
		}
		return a, true
	}
	l.checkKeys(n, assertKeys, "an assertion")
	a.Value = l.assertValue(n)
	a.Provider = l.judge(n.get("provider"))
	a.Rubric = l.rubric(n.get("rubricPrompt"))
	a.Transform = l.code(n, "transform")
	return a, l.valid(kind, a)
}

// known refuses a type that is not one, or that cannot be checked.
func (l *loader) known(n *node, a assertion.Assertion) bool {
	if a.Type == setType && !a.Not {
		return true
	}
	promptfoos := typeNames[a.Type] || comparing[a.Type] && !a.Not
	if promptfoos && (l.o.KnownType == nil || l.o.KnownType(a.Type)) {
		return true
	}
	if promptfoos {
		l.errorAt(n, "unsupported", "the assertion type "+a.Type+" is not supported", "use another type; javascript can check anything")
		return false
	}
	if !typeNames[a.Type] && l.o.KnownType != nil && l.o.KnownType(a.Type) {
		return true
	}
	names := []string{setType, "select-best", "max-score"}
	for name := range typeNames {
		names = append(names, name)
	}
	fix := "the types are those of promptfoo: contains, regex, is-json, javascript, llm-rubric, …"
	if best, ok := closest(a.Type, names); ok {
		fix = "did you mean " + best + "?"
	}
	l.errorAt(n, "unknown-type", fmt.Sprintf("%q is no assertion type", prompt.Clip(n.str(), 60)), fix)
	return false
}

// valid asks who checks the assertion whether it can be checked.
func (l *loader) valid(n *node, a assertion.Assertion) bool {
	if l.o.Validate == nil {
		return true
	}
	if err := l.o.Validate(a); err != nil {
		l.errorAt(n, "assertion", prompt.Clip(err.Error(), 400), "")
		return false
	}
	return true
}

// assertValue reads a value, and the files that it names: a script is kept as
// a reference, all else is replaced by what is in the file.
func (l *loader) assertValue(n *node) any {
	v := n.get("value")
	if v == nil {
		return nil
	}
	switch {
	case v.kind == text && strings.HasPrefix(v.str(), fileScheme):
		if isScript(v.str()) {
			return l.script(v, v.str())
		}
		return l.externalFile(v, v.str(), 0).plain()
	case v.kind == text && strings.HasPrefix(v.str(), "package:"):
		l.errorAt(v, "unsupported", "a package as a value is not supported", "name a file")
	case v.kind == list:
		return l.external(v, 0).plain()
	}
	return v.plain()
}

// isScript reports whether a reference names a program, with a function or
// without.
func isScript(ref string) bool {
	for _, ext := range []string{".js", ".cjs", ".mjs", ".ts", ".mts", ".cts", ".py", ".rb"} {
		if strings.HasSuffix(ref, ext) || strings.Contains(ref, ext+":") {
			return true
		}
	}
	return false
}

// rubric reads a judge's prompt: a text, a chat, or a file with either.
func (l *loader) rubric(n *node) any {
	if n.empty() {
		return nil
	}
	return l.external(n, 0).plain()
}

// thresholdOf reads threshold, which no score can pass outside of its range.
func (l *loader) thresholdOf(n *node, share bool) *float64 {
	if share && l.o.Strict {
		return l.number(n, "threshold", 0, 1)
	}
	return l.number(n, "threshold", 0, 1e18)
}

// number is a number under key, nil if there is none.
func (l *loader) number(n *node, key string, least, most float64) *float64 {
	v := n.get(key)
	if v.empty() {
		return nil
	}
	f, ok := v.float()
	if !ok {
		l.errorAt(v, "shape", key+" takes a number, this is "+v.kind.String(), "")
		return nil
	}
	if f < least || f > most {
		l.errorAt(v, "range", fmt.Sprintf("%s is %g; it must be from %g to %g", key, f, least, most), "")
		return nil
	}
	return &f
}
