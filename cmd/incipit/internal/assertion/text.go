package assertion

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// equals holds if the output is the value, written as JavaScript writes it; a
// list, a mapping and null are compared with the output read as JSON.
func (c *Checker) equals(_ context.Context, q question) (finding, error) {
	switch q.value.(type) {
	case nil, []any, map[string]any:
		return equalsJSON(q)
	}
	want := wordOf(q.value)
	if q.output == want {
		return plain(true, "the output is exactly "+quote(want)), nil
	}
	return plain(false, fmt.Sprintf("the output is %s, and not %s", quote(q.output), quote(want))), nil
}

func equalsJSON(q question) (finding, error) {
	want, err := asJSON(q.value)
	if err != nil {
		return finding{}, invalid(q.a, "has a value that JSON cannot hold", "correct it")
	}
	if _, err := measured(q.output); err != nil {
		return finding{}, err
	}
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		return finding{}, err
	}
	if err := json.Unmarshal([]byte(q.output), &b); err != nil {
		return plain(false, "the output is no JSON, and not "+quote(want)+": "+quote(q.output)), nil
	}
	if reflect.DeepEqual(a, b) {
		return plain(true, "the output is, as JSON, "+quote(want)), nil
	}
	return plain(false, fmt.Sprintf("the output is, as JSON, %s, and not %s", quote(q.output), quote(want))), nil
}

// contains looks for a text or a number; icontains whatever the case.
func (c *Checker) contains(_ context.Context, q question) (finding, error) {
	want := wordOf(q.value)
	if strings.Contains(folded(q, q.output), folded(q, want)) {
		return plain(true, "the output contains "+quote(want)), nil
	}
	return plain(false, fmt.Sprintf("the output does not contain %s: %s", quote(want), quote(q.output))), nil
}

// folded is a text in lower case for the types that pass over case.
func folded(q question, text string) string {
	if strings.HasPrefix(q.a.Type, "i") {
		return strings.ToLower(text)
	}
	return text
}

// containsSome looks for any or all of a list.
func (c *Checker) containsSome(_ context.Context, q question) (finding, error) {
	words, wrong := wordsOf(q.value)
	if wrong != "" {
		return finding{}, invalid(q.a, wrong, "write a list, or texts with commas between them")
	}
	output := folded(q, q.output)
	var found, absent []string
	for _, w := range words {
		if strings.Contains(output, folded(q, w)) {
			found = append(found, w)
		} else {
			absent = append(absent, w)
		}
	}
	list := quote(strings.Join(words, ", "))
	switch any := strings.HasSuffix(q.a.Type, "-any"); {
	case any && len(found) > 0:
		return plain(true, "the output contains "+quote(found[0])), nil
	case any:
		return plain(false, fmt.Sprintf("the output contains none of %s: %s", list, quote(q.output))), nil
	case len(absent) == 0:
		return plain(true, "the output contains all of "+list), nil
	}
	return plain(false, fmt.Sprintf("the output does not contain %s: %s", quote(strings.Join(absent, ", ")), quote(q.output))), nil
}

// wordsOf reads a list of texts, or a text with commas between. A field in
// double quotes may hold commas; a quote in it is written \" or "". Empty
// fields without quotes are passed over.
func wordsOf(v any) (words []string, wrong string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			switch e.(type) {
			case nil, []any, map[string]any:
				return nil, "has a list as its value that does not hold texts alone"
			}
			words = append(words, wordOf(e))
		}
		return words, ""
	case string:
		return fields(v)
	}
	if _, ok := floatOf(v); ok {
		return []string{wordOf(v)}, ""
	}
	return nil, "has no list as its value"
}

func fields(text string) (words []string, wrong string) {
	rest := text
	for {
		rest = strings.TrimLeftFunc(rest, func(r rune) bool { return r == ',' || blank(r) })
		switch {
		case rest == "":
			return words, ""
		case rest[0] != '"':
			field, after, _ := strings.Cut(rest, ",")
			words, rest = append(words, strings.TrimFunc(field, blank)), after
		default:
			field, after, ok := quoted(rest[1:])
			if !ok {
				return nil, "has a quote in its value that is not closed"
			}
			rest = strings.TrimLeftFunc(after, blank)
			if rest != "" && rest[0] != ',' {
				return nil, "has text behind a quote in its value, where a comma belongs"
			}
			words = append(words, field)
		}
	}
}

// quoted reads a field up to its closing quote.
func quoted(text string) (field, after string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case text[i] == '\\' && (next == '"' || next == '\\'), text[i] == '"' && next == '"':
			b.WriteByte(next)
			i++
		case text[i] == '"':
			return b.String(), text[i+1:], true
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", false
}

func (c *Checker) startsWith(_ context.Context, q question) (finding, error) {
	want := wordOf(q.value)
	if strings.HasPrefix(q.output, want) {
		return plain(true, "the output starts with "+quote(want)), nil
	}
	return plain(false, fmt.Sprintf("the output does not start with %s: %s", quote(want), quote(q.output))), nil
}

// regex looks for a match anywhere. The pattern is JavaScript's, without flags.
func (c *Checker) regex(ctx context.Context, q question) (finding, error) {
	text := wordOf(q.value)
	p, err := c.pattern(q.a, text)
	if err != nil {
		return finding{}, err
	}
	found, err := p.Match(ctx, q.output)
	if err != nil {
		return finding{}, fmt.Errorf("the pattern %s was not matched: %w", quote(text), err)
	}
	if found {
		return plain(true, "the output matches "+quote(text)), nil
	}
	return plain(false, fmt.Sprintf("the output does not match %s: %s", quote(text), quote(q.output))), nil
}

// pattern compiles a regular expression once.
func (c *Checker) pattern(a Assertion, text string) (Pattern, error) {
	if c.Pattern == nil {
		return nil, missing(a, "regular expressions of JavaScript", "this run was started without them")
	}
	p, err := c.patterns.get(text, func() (Pattern, error) { return c.Pattern(text) })
	if err != nil {
		return nil, invalid(a, "has the pattern "+quote(text)+", which does not compile: "+err.Error(), "correct it")
	}
	return p, nil
}

// wordCount counts what stands between white space.
func (c *Checker) wordCount(_ context.Context, q question) (finding, error) {
	least, most, wrong := countOf(q.value)
	if wrong != "" {
		return finding{}, invalid(q.a, wrong, "write a number, or min and max")
	}
	n := 0
	for range strings.FieldsFuncSeq(q.output, blank) {
		n++
	}
	f := float64(n)
	holds := (least == nil || f >= *least) && (most == nil || f <= *most)
	var asked string
	switch {
	case least == nil:
		asked = "at most " + number(*most)
	case most == nil:
		asked = "at least " + number(*least)
	case *least == *most:
		asked = number(*least)
	default:
		asked = number(*least) + " to " + number(*most)
	}
	return plain(holds, fmt.Sprintf("the output has %d words, the value is %s", n, asked)), nil
}

// blank reports what JavaScript's \s matches (ECMA-262, WhiteSpace and
// LineTerminator): not U+0085, which unicode.IsSpace counts.
func blank(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}
