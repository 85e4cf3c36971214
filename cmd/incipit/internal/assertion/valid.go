package assertion

import (
	"strconv"
	"strings"
)

// What each type asks of its value. Each says what is wrong, "" for nothing.

func isAnything(any) string { return "" }

// isNothing lets a value be: promptfoo passes over one that a type does not
// read, and suites have them.
func isNothing(any) string { return "" }

func isString(v any) string {
	if _, ok := v.(string); !ok {
		return "has no text as its value"
	}
	return ""
}

func isFull(v any) string {
	if text, _ := v.(string); text == "" {
		return "has no text as its value"
	}
	return ""
}

func isText(v any) string {
	if text, _ := v.(string); strings.TrimSpace(text) == "" {
		return "has no text as its value"
	}
	return ""
}

func isWord(v any) string {
	if text, ok := v.(string); ok && text != "" {
		return ""
	}
	if _, ok := floatOf(v); ok {
		return ""
	}
	return "has neither a text nor a number as its value"
}

func isWords(v any) string {
	words, err := wordsOf(v)
	switch {
	case err != "":
		return err
	case len(words) == 0:
		return "has no list as its value, in which something is looked for"
	}
	return ""
}

func isTexts(v any) string {
	list, ok := v.([]any)
	if !ok {
		return isText(v)
	}
	if len(list) == 0 {
		return "has an empty list as its value"
	}
	for _, e := range list {
		if isText(e) != "" {
			return "has a list as its value that does not hold texts alone"
		}
	}
	return ""
}

// textsOf is a value that isTexts.
func textsOf(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{wordOf(v)}
	}
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = wordOf(e)
	}
	return texts
}

func isCriterion(v any) string {
	switch v := v.(type) {
	case map[string]any, []any:
		return ""
	case string:
		return isText(v)
	}
	return "has no criterion as its value"
}

func isSchema(v any) string {
	switch v.(type) {
	case nil, string, map[string]any, bool:
		return ""
	}
	return "has a value that is no JSON Schema"
}

func isCount(v any) string {
	_, _, err := countOf(v)
	return err
}

// countOf reads the value of word-count: a number, or the least and the most.
// What is not said is nil.
func countOf(v any) (least, most *float64, wrong string) {
	if text, ok := v.(string); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, nil, "has the value " + quote(text) + ", which is no number"
		}
		v = f
	}
	if f, ok := floatOf(v); ok {
		return &f, &f, ""
	}
	bounds, ok := v.(map[string]any)
	if !ok {
		return nil, nil, "has neither a number nor {min, max} as its value"
	}
	for key, bound := range bounds {
		f, ok := floatOf(bound)
		switch {
		case !ok:
			return nil, nil, "has a " + quote(key) + " that is no number"
		case key == "min":
			least = &f
		case key == "max":
			most = &f
		default:
			return nil, nil, "has a " + quote(key) + ", and knows min and max"
		}
	}
	switch {
	case least == nil && most == nil:
		return nil, nil, "has neither a min nor a max"
	case least != nil && most != nil && *least > *most:
		return nil, nil, "has a min above its max"
	}
	return least, most, ""
}

func isMaxScore(v any) string {
	_, err := maxScoreOf(v)
	return err
}
