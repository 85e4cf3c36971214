package sandbox

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNested is how deep a list is followed; below, nunjucks may.
const maxNested = 50

// jsText writes a value as JavaScript does when it becomes part of a text. ok
// is false for what a suite's data does not hold, and where an object could
// have a say.
func jsText(v any) (text string, ok bool) {
	if v == nil {
		return "", true
	}
	return jsTextAt(v, 0)
}

func jsTextAt(v any, depth int) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, isText(v)
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return jsNumber(float64(v)), true
	case int64:
		return jsNumber(float64(v)), true
	case uint64:
		return jsNumber(float64(v)), true
	case float64:
		return jsNumber(v), !math.IsNaN(v) && !math.IsInf(v, 0) // JSON has no word for these
	case []any:
		return jsList(v, depth)
	case map[string]any:
		return jsObject(v, depth)
	}
	return "", false
}

func jsList(list []any, depth int) (text string, ok bool) {
	if depth == maxNested {
		return "", false
	}
	parts := make([]string, len(list))
	for i, item := range list {
		if item == nil {
			continue // null is nothing in a list
		}
		if parts[i], ok = jsTextAt(item, depth+1); !ok {
			return "", false
		}
	}
	return strings.Join(parts, ","), true
}

// jsObject is the same for all objects but those that speak for themselves,
// or that JSON could not carry to JavaScript.
func jsObject(o map[string]any, depth int) (text string, ok bool) {
	for _, name := range [...]string{"toString", "valueOf", "__proto__"} {
		if _, own := o[name]; own {
			return "", false
		}
	}
	for _, v := range o {
		if !isData(v, depth+1) {
			return "", false
		}
	}
	return "[object Object]", true
}

// isData reports whether v can be written as JSON without being asked.
func isData(v any, depth int) bool {
	switch v := v.(type) {
	case nil, string, bool, int, int64, uint64:
		return true
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case []any:
		for _, item := range v {
			if depth >= maxNested || !isData(item, depth+1) {
				return false
			}
		}
		return true
	case map[string]any:
		for _, item := range v {
			if depth >= maxNested || !isData(item, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}

// isText reports whether s comes through JSON as it is.
func isText(s string) bool { return utf8.ValidString(s) }

// jsNumber writes a finite number as ECMAScript's Number::toString does: the
// shortest digits that mean it, plain from 1e-6 up to below 1e21.
func jsNumber(f float64) string {
	if f == 0 {
		return "0" // of either sign
	}
	if size := math.Abs(f); size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}
