package suite

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A keySet says of each key what becomes of it: "" is read; a text that begins
// with "no" refuses it; any other text is the notice that it is ignored.
type keySet map[string]string

const (
	ignored = "is ignored: it changes no verdict"
	flag    = "is ignored: give it on the command line"
)

// The grammar. Facts of promptfoo's configuration reference.
var (
	suiteKeys = map[string]string{
		"description": "", "prompts": "", "providers": "", "targets": "", "tests": "", "defaultTest": "", "scenarios": "",
		"evaluateOptions": "", "commandLineOptions": "", "env": "", "assertionTemplates": "", "$schema": "", "tags": "", "metadata": "",
		"outputPath": flag, "sharing": ignored, "writeLatestResults": ignored,
		"derivedMetrics":  "no derived metrics: name metrics on the assertions",
		"nunjucksFilters": "no filters of one's own in templates",
		"extensions":      "no extensions: a suite runs no hooks",
		"redteam":         "no red-team tests", "plugins": "no red-team tests", "strategies": "no red-team tests",
		"tracing": "no traces",
	}
	testKeys = map[string]string{
		"description": "", "vars": "", "assert": "", "options": "", "threshold": "", "metadata": "", "provider": "", "providers": "", "prompts": "",
		"providerOutput":        "no prepared outputs: use the echo provider, or a cassette",
		"assertScoringFunction": "no scoring function of one's own: use weights, threshold or a javascript assertion",
	}
	scenarioKeys = map[string]string{"description": "", "config": "", "tests": ""}
	assertKeys   = map[string]string{
		"type": "", "value": "", "threshold": "", "weight": "", "metric": "", "provider": "", "rubricPrompt": "", "transform": "", "config": "",
		"contextTransform": "no contextTransform: give the context as a variable",
	}
	setKeys      = map[string]string{"type": "", "assert": "", "threshold": "", "weight": "", "metric": "", "config": ""}
	providerKeys = map[string]string{
		"id": "", "label": "", "config": "", "prompts": "", "transform": "", "delay": "",
		"env":    "no environment for one provider: its key comes from the environment",
		"inputs": "no inputs of a provider",
	}
	promptKeys   = map[string]string{"id": "", "raw": "", "file": "", "label": "", "config": "", "display": ignored, "template": ignored, "function": "no functions as prompts"}
	evaluateKeys = map[string]string{
		"repeat": "", "maxConcurrency": "", "delay": "", "timeoutMs": "", "cache": ignored, "showProgressBar": ignored,
		"interactiveProviders": ignored, "generateSuggestions": ignored, "suggestionsCount": ignored, "silent": ignored,
		"maxEvalTimeMs": flag, "filterRange": "no ranges: use --filter",
	}
	commandKeys = map[string]string{
		"repeat": "", "maxConcurrency": "", "delay": "", "grader": "", "promptPrefix": "", "promptSuffix": "", "description": ignored,
		"verbose": ignored, "cache": ignored, "table": ignored, "tableCellMaxLength": ignored, "share": ignored, "noShare": ignored,
		"progressBar": ignored, "write": ignored, "retryErrors": ignored, "generateSuggestions": ignored, "suggestionsCount": ignored,
		"tags": ignored, "watch": flag, "output": flag, "envPath": "is ignored: no file of the environment is read",
		"filterPattern": "no filters in a suite: use --filter", "filterFirstN": "no filters in a suite: use --filter",
		"filterFailing": "no filters in a suite: use --only-failed", "filterFailingOnly": "no filters in a suite: use --only-failed",
		"filterErrorsOnly": "no filters in a suite: use --only-failed", "filterMetadata": "no filters in a suite: use --filter",
		"filterPrompts": "no filters in a suite: use --filter", "filterProviders": "no filters in a suite: use --filter",
		"filterTargets": "no filters in a suite: use --filter", "filterRange": "no filters in a suite: use --filter",
		"filterSample": "no samples: a suite runs whole", "filterSampleSeed": "no samples: a suite runs whole",
		"vars": "no vars here: use defaultTest", "var": "no vars here: use defaultTest", "tests": "no tests here: use tests",
		"prompts": "no prompts here: use prompts", "providers": "no providers here: use providers", "config": "no other configuration",
		"assertions": "no assertions here: use defaultTest", "modelOutputs": "no prepared outputs", "extension": "no extensions: a suite runs no hooks",
	}
	optionKeys = map[string]string{
		"prefix": "", "suffix": "", "transform": "", "postprocess": "", "transformVars": "", "rubricPrompt": "", "provider": "", "factuality": "",
		"disableVarExpansion": "", "disableDefaultAsserts": "", "repeat": "", "disableConversationVar": ignored, "runSerially": ignored,
		"storeOutputAs": "no outputs kept for later tests",
	}
	pathKeys = map[string]string{"path": "", "config": ""}
)

// decisive are keys whose misspelling would change a verdict: it is an error
// even where unknown keys are notices.
var decisive = map[string]string{"assert": "", "threshold": "", "value": "", "tests": "", "defaultTest": "", "scenarios": "", "weight": "", "vars": "", "transform": ""}

// checkKeys holds a mapping to what is known of its keys.
func (l *loader) checkKeys(n *node, known keySet, what string) {
	for i, key := range n.keys {
		fate, ok := known[key]
		at := &node{mark: n.marks[i], file: n.file}
		switch {
		case ok && fate == "", n.items[i].empty() && ok:
		case ok && strings.HasPrefix(fate, "no "):
			if key == "tracing" && !n.items[i].get("enabled").truth() || n.items[i].kind == list && len(n.items[i].items) == 0 {
				continue
			}
			l.errorAt(at, "unsupported", key+" is not supported: "+fate, "remove it")
		case ok:
			if l.o.Prompts { // of a suite that was written for another tool
				l.noticeAt(at, "ignored", key+" "+fate, "")
			}
		case !strings.HasPrefix(key, "x-"):
			l.unknownKey(at, key, known, what)
		}
	}
}

func (l *loader) unknownKey(at *node, key string, known keySet, what string) {
	msg := fmt.Sprintf("%q is no key of %s", prompt.Clip(key, 60), what)
	names := make([]string, 0, len(known))
	for name, fate := range known {
		if fate == "" {
			names = append(names, name)
		}
	}
	best, ok := closest(key, names)
	if !ok {
		l.strictAt(at, "unknown-key", msg, "remove it; keys that begin with x- are left alone")
		return
	}
	if _, grave := decisive[best]; grave {
		l.errorAt(at, "unknown-key", msg, "did you mean "+best+"?")
		return
	}
	l.strictAt(at, "unknown-key", msg, "did you mean "+best+"?")
}

// closest returns the one of known that is at most two edits, and at most a
// third of its length, away from name. Of equals the first in the alphabet.
func closest(name string, known []string) (string, bool) {
	best, least := "", 3
	for _, k := range known {
		if max(len(k), len(name))-min(len(k), len(name)) > 2 {
			continue
		}
		d := edits(name, k)
		if d*3 <= len(k) && (d < least || d == least && k < best) {
			best, least = k, d
		}
	}
	return best, best != ""
}

// edits is Levenshtein's distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
