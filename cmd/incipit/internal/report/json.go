package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	// Schema is the version of the JSON form.
	Schema = 1
	// MaxBytes is the largest report that is read.
	MaxBytes = 64 << 20
)

// JSON is the whole report, indented, with a newline at its end. It is an error
// if a number in it is not finite, or a case's variables are not JSON.
func (r Report) JSON() ([]byte, error) {
	r.Schema = Schema
	if r.Prompts == nil {
		r.Prompts = []Prompt{}
	}
	doc, err := encode(r)
	if err != nil {
		return nil, fmt.Errorf("the report: %w", err)
	}
	return doc, nil
}

// encode is JSON as all forms of the report write it: indented, < and > as they
// are, and valid UTF-8 whatever the texts hold.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	doc := replaced(buf.Bytes())
	if !utf8.Valid(doc) { // raw JSON is copied as it is
		doc = bytes.ToValidUTF8(doc, []byte("\uFFFD"))
	}
	// Printed to the log of a GitHub workflow, this would be a command.
	if command := []byte("##["); bytes.Contains(doc, command) {
		doc = bytes.ReplaceAll(doc, command, []byte(`\u0023#[`))
	}
	return doc, nil
}

// replaced writes the escape that the encoder makes of bytes which are not UTF-8
// as the character itself, which is how it writes the same string when it was
// read back.
func replaced(doc []byte) []byte {
	escape := []byte(`\ufffd`)
	if !bytes.Contains(doc, escape) {
		return doc
	}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); {
		switch {
		case bytes.HasPrefix(doc[i:], escape):
			out = append(out, "\uFFFD"...)
			i += len(escape)
		case doc[i] == '\\' && i+1 < len(doc): // an escaped backslash hides what follows
			out = append(out, doc[i], doc[i+1])
			i += 2
		default:
			out = append(out, doc[i])
			i++
		}
	}
	return out
}

// Read reads what JSON wrote, and nothing else: a report is evidence, so one in
// which a name stands twice, or that was edited, is refused with
// prompt.ErrInvalid rather than understood in some way.
func Read(data []byte) (Report, error) {
	refuse := func(why string) (Report, error) {
		return Report{}, fmt.Errorf("the report is %w: %s; write a new one with incipit test or incipit ci", prompt.ErrInvalid, why)
	}
	if len(data) > MaxBytes {
		return refuse(fmt.Sprintf("it has more than %d MB", MaxBytes>>20))
	}
	var r Report
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return refuse(prompt.Clip(strings.TrimPrefix(err.Error(), "json: "), 200))
	}
	if r.Schema != Schema {
		return refuse(fmt.Sprintf("its schema is %d, and this program knows %d", r.Schema, Schema))
	}
	again, err := r.JSON()
	if err != nil {
		return refuse(prompt.Clip(err.Error(), 200))
	}
	if !bytes.Equal(data, again) {
		return refuse("it is not as it was written")
	}
	return r, nil
}
