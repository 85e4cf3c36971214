package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// appendCanonical appends v as JSON in one way only: keys sorted, no blanks,
// numbers as JavaScript writes them (1.0 is 1).
func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		return appendNumber(b, v)
	case string:
		return appendText(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			b = appendCanonical(b, v[key])
		}
		return append(b, '}')
	}
	return append(b, "null"...) // nodes hold no other kinds
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// appendNumber follows Number.prototype.toString: decimals up to 1e21, and no
// smaller than 1e-6, stand without an exponent.
func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if abs := math.Abs(f); f == 0 || abs < 1e21 && abs >= 1e-6 {
		return strconv.AppendFloat(b, f+0, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'e', -1, 64)
}

// appendText appends s as a JSON string, with no more escapes than JSON asks.
func appendText(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendAssertion appends what an assertion says, not where it stands.
func appendAssertion(b []byte, a assertion.Assertion) []byte {
	b = append(b, `{"type":`...)
	if a.Not {
		b = appendText(b, "not-"+a.Type)
	} else {
		b = appendText(b, a.Type)
	}
	field := func(name string, v any) {
		if v != nil {
			b = append(append(append(b, ',', '"'), name...), '"', ':')
			b = appendCanonical(b, v)
		}
	}
	field("value", a.Value)
	for _, f := range []struct {
		name string
		v    *float64
	}{{"threshold", a.Threshold}, {"weight", a.Weight}} {
		if f.v != nil {
			field(f.name, *f.v)
		}
	}
	for _, f := range []struct{ name, v string }{{"metric", a.Metric}, {"transform", a.Transform}} {
		if f.v != "" {
			field(f.name, f.v)
		}
	}
	field("provider", a.Provider)
	field("rubricPrompt", a.Rubric)
	if len(a.Config) > 0 {
		field("config", a.Config)
	}
	if len(a.Set) > 0 {
		b = append(b, `,"assert":`...)
		b = appendAssertions(b, a.Set)
	}
	return append(b, '}')
}

func appendAssertions(b []byte, all []assertion.Assertion) []byte {
	b = append(b, '[')
	for i, a := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAssertion(b, a)
	}
	return append(b, ']')
}

// digest is the first half of a SHA-256 in hexadecimal: 128 bits tell the
// cases of a suite apart with room to spare, and fit on a line.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
