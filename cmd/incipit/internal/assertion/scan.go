package assertion

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	maxNesting = 1000    // of JSON that is read
	maxValues  = 100_000 // of JSON that is held to a schema: each may be an error of its own
	maxTangle  = 8       // how many times its length a text is walked in search of JSON
)

// measured walks a text that may be JSON, and counts its values. It reports one
// that is nested too deeply to be read.
func measured(text string) (values int, err error) {
	depth, inside := 0, false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case inside && ch == '\\':
			i++
		case ch == '"':
			inside = !inside
		case inside:
		case ch == '{' || ch == '[':
			values++
			if depth++; depth > maxNesting {
				return 0, tooDeep()
			}
		case ch == '}' || ch == ']':
			depth--
		case ch == ',':
			values++
		}
	}
	return values + 1, nil
}

func tooDeep() error {
	return registry.WithFix(fmt.Errorf("the output is nested deeper than %d", maxNesting), "no reader of JSON is asked to follow that: fail it with a regex, or cut it down in a transform")
}

// objects calls yield with each JSON object in text, from left to right; what
// stands within one is not looked at again. It ends when yield says false.
//
// A text of nothing but half objects could be walked once for each of its
// braces, so the walk has a bound, and passing it is an error.
func objects(text string, yield func(object string) bool) error {
	budget := maxTangle*len(text) + 1<<16
	for at := 0; ; {
		next := strings.IndexByte(text[at:], '{')
		if next < 0 {
			return nil
		}
		at += next
		size, walked, err := closing(text[at:])
		if err != nil {
			return err
		}
		if budget -= walked; budget < 0 {
			return registry.WithFix(fmt.Errorf("the output opens so many braces without closing them that no JSON is looked for in it"), "cut out the JSON in a transform")
		}
		if size == 0 || !json.Valid([]byte(text[at:at+size])) {
			at++
			continue
		}
		if !yield(text[at : at+size]) {
			return nil
		}
		at += size
	}
}

// closing finds where an object that opens at the start of text ends: size is 0
// if it does not. A valid object can end nowhere else.
func closing(text string) (size, walked int, err error) {
	var open []byte
	inside, fresh := false, false // a string; just behind a brace, where a key or the end stands
	for i := 0; i < len(text); i++ {
		ch := text[i]
		if fresh && !inside && ch != ' ' && ch != '\n' && ch != '\r' && ch != '\t' {
			if ch != '"' && ch != '}' {
				return 0, i + 1, nil
			}
			fresh = false
		}
		switch {
		case inside && ch < ' ':
			return 0, i + 1, nil // no string of JSON holds it
		case inside && ch == '\\':
			i++
		case ch == '"':
			inside = !inside
		case inside:
		case ch == '{' || ch == '[':
			if len(open) == maxNesting {
				return 0, i, tooDeep()
			}
			open = append(open, ch+2) // the bracket that closes it: two further in ASCII
			fresh = ch == '{'
		case ch == '}' || ch == ']':
			if open[len(open)-1] != ch {
				return 0, i + 1, nil
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				return i + 1, i + 1, nil
			}
		}
	}
	return 0, len(text), nil
}
