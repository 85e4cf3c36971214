package ui

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A diffField is a field of the metadata that differs.
type diffField struct {
	Key   string
	Known bool
	Parts []diffPart // inline
}

// fields compares two metadata, field by field.
func (d *differ) fields(a, b prompt.Metadata) ([]diffField, error) {
	before, err := a.Fields()
	if err != nil {
		return nil, err
	}
	after, err := b.Fields()
	if err != nil {
		return nil, err
	}
	known, values := make(map[string]bool), [2]map[string]json.RawMessage{{}, {}}
	var keys []string
	for i, fields := range [][]prompt.MetadataField{before, after} {
		for _, f := range fields {
			if !slices.Contains(keys, f.Key) {
				keys = append(keys, f.Key)
			}
			known[f.Key], values[i][f.Key] = f.Known, f.Value
		}
	}
	var out []diffField
	for _, key := range keys {
		x, y := readable(values[0][key]), readable(values[1][key])
		if x == y {
			continue
		}
		rows := worddiff.Inline(worddiff.Calm(worddiff.Compare(x, y)))
		out = append(out, diffField{key, known[key], d.parts(rows)})
	}
	return out, nil
}

// readable is a JSON value for people: a string as its text, anything else
// indented; "" for none.
func readable(raw json.RawMessage) string {
	if raw == nil {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return string(raw)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if encoder.Encode(v) != nil {
		return string(raw)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// maxBrief is how long a value on one line is, in characters.
const maxBrief = 60

// brief is readable, on one line where there is room.
func brief(raw json.RawMessage) string {
	text := readable(raw)
	short := strings.Join(strings.Fields(text), " ")
	if len(raw) > 0 && raw[0] != '"' && len(short) <= maxBrief {
		return strings.NewReplacer("[ ", "[", " ]", "]", "{ ", "{", " }", "}").Replace(short)
	}
	return text
}
