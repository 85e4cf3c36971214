package suite

import (
	"errors"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// Errors of the grammar of __expected.
var (
	errQuoteOpen  = errors.New("a quoted value does not end; close it with \", and write a quote in it as \"\"")
	errQuoteComma = errors.New("a comma must follow a quoted value")
)

// thresholds are the types that have a threshold in CSV even where none is
// said: 0.75, and 0.8 for similar.
var thresholds = map[string]bool{
	"answer-relevance": true, "classifier": true, "context-faithfulness": true, "context-recall": true, "context-relevance": true,
	"cost": true, "latency": true, "levenshtein": true, "perplexity-score": true, "perplexity": true, "rouge-n": true, "similar": true,
	"starts-with": true,
}

// expected reads what a column __expected of a CSV holds, in promptfoo's short
// form: type:value, type(threshold):value, not-type:value, fn:code, grade:text;
// anything else is the whole of the expected answer.
//
// In one thing it differs: a threshold in parentheses counts for every type,
// where promptfoo forgets it for some.
func expected(s string) (assertion.Assertion, error) {
	s = strings.TrimSpace(s)
	for _, p := range []struct{ prefix, kind string }{
		{"javascript:", "javascript"}, {"fn:", "javascript"}, {"eval:", "javascript"}, {"python:", "python"}, {"grade:", "llm-rubric"}, {"llm-rubric:", "llm-rubric"},
	} {
		if rest, ok := strings.CutPrefix(s, p.prefix); ok {
			if p.kind != "llm-rubric" {
				rest = strings.TrimSpace(rest)
			}
			return assertion.Assertion{Type: p.kind, Value: rest}, nil
		}
	}
	if strings.HasPrefix(s, fileScheme) && isScript(s) {
		kind := "javascript"
		if strings.HasSuffix(s, ".py") || strings.Contains(s, ".py:") {
			kind = "python"
		}
		return assertion.Assertion{Type: kind, Value: s}, nil
	}
	a, rest, colon, ok := expectedType(s)
	if !ok {
		return assertion.Assertion{Type: "equals", Value: s}, nil
	}
	if thresholds[a.Type] && a.Threshold == nil {
		least := 0.75
		if a.Type == "similar" {
			least = 0.8
		}
		a.Threshold = &least
	}
	if !colon {
		return a, nil
	}
	switch a.Type {
	case "contains-all", "contains-any", "icontains-all", "icontains-any":
		if rest == "" {
			a.Value = ""
			return a, nil
		}
		values, err := expectedList(rest)
		a.Value = values
		return a, err
	case "contains-json", "is-json":
		a.Value = rest
	default:
		a.Value = strings.TrimSpace(rest)
	}
	return a, nil
}

// expectedType reads not-type(threshold) up to the colon or the end. ok is
// false if s is no such thing.
func expectedType(s string) (a assertion.Assertion, rest string, colon, ok bool) {
	s, a.Not = strings.CutPrefix(s, "not-")
	for end := 0; end <= len(s) && end < 64; end++ {
		if end < len(s) && s[end] != ':' && s[end] != '(' || !typeNames[s[:end]] {
			continue
		}
		a.Type, rest = s[:end], s[end:]
		a.Threshold = nil
		if strings.HasPrefix(rest, "(") {
			digits, behind, closed := strings.Cut(rest[1:], ")")
			f, good := plainDecimal(digits)
			if !closed || !good {
				continue
			}
			a.Threshold, rest = &f, behind
		}
		if rest == "" {
			return a, "", false, true
		}
		if rest[0] == ':' {
			return a, rest[1:], true, true
		}
	}
	return a, "", false, false
}

// plainDecimal reads digits, with a point among them or none.
func plainDecimal(s string) (float64, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	for _, part := range []string{whole, fraction} {
		if strings.Trim(part, "0123456789") != "" {
			return 0, false
		}
	}
	if whole == "" || point && fraction == "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// expectedList reads values parted by commas. One in quotes may hold commas;
// in it "" or \" is a quote and \\ a backslash.
func expectedList(s string) ([]any, error) {
	out := []any{}
	for {
		s = strings.TrimLeft(s, ", \t\r\n")
		if s == "" {
			return out, nil
		}
		if s[0] != '"' {
			field, rest, _ := strings.Cut(s, ",")
			out, s = append(out, strings.TrimSpace(field)), rest
			continue
		}
		field, rest, err := quotedValue(s[1:])
		if err != nil {
			return nil, err
		}
		if rest = strings.TrimLeft(rest, " \t\r\n"); rest != "" && rest[0] != ',' {
			return nil, errQuoteComma
		}
		out, s = append(out, field), rest
	}
}

func quotedValue(s string) (field, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		next := byte(0)
		if i+1 < len(s) {
			next = s[i+1]
		}
		switch {
		case s[i] == '\\' && (next == '"' || next == '\\'), s[i] == '"' && next == '"':
			b.WriteByte(next)
			i++
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errQuoteOpen
}
