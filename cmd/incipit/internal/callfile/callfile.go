// Package callfile writes calls to files for other programs: NDJSON, and
// Parquet for warehouses and notebooks. Nothing here knows where calls come
// from or where a file lies.
package callfile

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Format is a kind of file.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"  // a line of JSON for each call, as it stands on the wire
	Parquet Format = "parquet" // a column for each field of a call, of its name
)

// Formats are all of them.
func Formats() []Format { return []Format{NDJSON, Parquet} }

// A Writer writes calls to a file, in the order in which they come. What it
// holds in memory does not grow with the file.
type Writer interface {
	Write(calls []registry.WireCall) error
	// Close writes the end of the file: without it a Parquet file cannot be
	// read. It does not close what the file is written to.
	Close() error
}

// New begins a file. It reports prompt.ErrInvalid for a format that there is
// not.
func New(w io.Writer, f Format) (Writer, error) {
	switch f {
	case NDJSON:
		return newLines(w), nil
	case Parquet:
		return newColumns(w, groupBytes), nil
	}
	names := make([]string, len(Formats()))
	for i, f := range Formats() {
		names[i] = string(f)
	}
	return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no format of calls", prompt.Clip(string(f), 40)),
		"formats are %s", strings.Join(names, " and "))
}

// lines is a file of NDJSON.
type lines struct {
	w   io.Writer
	buf bytes.Buffer
	enc *json.Encoder // into buf
}

func newLines(w io.Writer) *lines {
	l := &lines{w: w}
	l.enc = json.NewEncoder(&l.buf)
	l.enc.SetEscapeHTML(false)
	return l
}

// Write writes all calls at once: a reader behind a pipe sees whole lines.
func (l *lines) Write(calls []registry.WireCall) error {
	l.buf.Reset()
	for i := range calls {
		if err := l.enc.Encode(&calls[i]); err != nil {
			return err
		}
	}
	_, err := l.w.Write(l.buf.Bytes())
	return err
}

func (*lines) Close() error { return nil }
