package incipit

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is how many bytes of a text leave the program, cutMark included.
const (
	maxText = 16 << 10
	cutMark = "… [cut]"
)

// object is the JSON of the values of variables.
func object(values map[string]string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(values) // strings can always be written
	return strings.TrimSuffix(b.String(), "\n")
}

// A border lets texts leave the program.
type border struct {
	redact func(text string) string
	panics int64  // of redact
	panic  string // of which type the last one was: its value may hold what must not be seen
}

// content is a text as it is sent; "" if it is not.
func (b *border) content(text string) string {
	text, _ = b.pass(text)
	return shorten(text, maxText)
}

// variables is content for what object made: each value is redacted by itself,
// and what is left is such an object again, so that a prompt can be rendered
// with it. A value that cannot be redacted is left out.
func (b *border) variables(text string) string {
	var values map[string]string
	if json.Unmarshal([]byte(text), &values) != nil {
		return b.content(text)
	}
	for name, value := range values {
		if passed, ok := b.pass(value); ok {
			values[name] = passed
		} else {
			delete(values, name)
		}
	}
	for limit := maxText; ; limit /= 2 {
		if out := clean(object(values)); len(out) <= maxText { // names are not redacted, and may hold anything
			return out
		}
		if limit < 2*len(cutMark) {
			return "" // of more names than there is room for
		}
		for name, value := range values {
			values[name] = shorten(value, limit)
		}
	}
}

// pass redacts a text, and takes out what no text has. A redaction that panics
// lets nothing pass.
func (b *border) pass(text string) (passed string, ok bool) {
	if text == "" {
		return "", true
	}
	defer func() {
		if r := recover(); r != nil {
			b.panics++
			b.panic = fmt.Sprintf("%T", r)
			passed, ok = "", false
		}
	}()
	return clean(b.redact(text)), true
}

// clean puts � in place of what the server would refuse a call for: control
// characters, and what is no UTF-8.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\t':
			return r
		}
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// shorten cuts a text to n bytes, and says so at its end.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	n = max(n-len(cutMark), 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + cutMark
}
