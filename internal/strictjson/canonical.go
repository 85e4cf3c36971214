package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
)

// Canonical returns v in the canonical form of RFC 8785: no white space, keys
// in the order of their UTF-16 code units, the shortest strings, and numbers
// as ECMAScript prints them. Equal values have equal bytes in any language
// that follows the RFC. v is what encoding/json can marshal. An integer that
// a float64 cannot hold is an error, since readers would disagree on it.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return appendCanonical(nil, tree)
}

func appendCanonical(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendNumber(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendCanonical(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		return appendObject(b, v)
	default:
		panic(fmt.Sprintf("strictjson: %T does not come out of a decoder", v))
	}
}

func appendObject(b []byte, obj map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(obj))
	for k := range obj {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y string) int {
		return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
	})
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		var err error
		if b, err = appendCanonical(b, obj[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendString escapes only what RFC 8785 §3.2.2.2 asks for; encoding/json
// would also escape U+2028 and U+2029.
func appendString(b []byte, s string) []byte {
	const short = "btnvfr" // 0x08 to 0x0d; \v is not JSON
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 8 && c <= 13 && c != 11:
			b = append(b, '\\', short[c-8])
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendNumber prints n like ECMAScript, which is also encoding/json's format
// for a float64.
func appendNumber(b []byte, n json.Number) ([]byte, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", n)
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if errors.Is(err, strconv.ErrRange) || err == nil && (i > 1<<53 || i < -(1<<53)) {
		return nil, fmt.Errorf("the integer %s is beyond 2^53: other programs would round it", n)
	}
	if f == 0 {
		f = math.Abs(f) // -0 prints as 0
	}
	raw, err := json.Marshal(f)
	return append(b, raw...), err
}
