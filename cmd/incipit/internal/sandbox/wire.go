package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A message is its length in 4 bytes, the highest first, and that many bytes
// of JSON. The first one to a child is its limits, each other a request, and
// each request has one answer, in order.
const headerBytes = 4

// Limits is what a child holds itself to.
type limits struct {
	Timeout     time.Duration `json:"timeout"`
	MemoryBytes int           `json:"memory_bytes"`
	MaxInput    int           `json:"max_input"`
	MaxOutput   int           `json:"max_output"`
}

// maxLimits is the size of the first message at most: it says the size of the
// others.
const maxLimits = 1 << 10

// A request is one script, or one template.
type request struct {
	Template bool              `json:"template,omitempty"`
	Code     string            `json:"code"`
	File     string            `json:"file,omitempty"` // the script is this file, and a module
	Function string            `json:"function,omitempty"`
	Params   []string          `json:"params,omitempty"`
	Args     []json.RawMessage `json:"args,omitempty"` // one for each of Params; of a template its variables
	Env      map[string]string `json:"env,omitempty"`  // of a template
}

// name says what a request is in an error.
func (r request) name() string {
	switch {
	case r.Template:
		return "template"
	case r.File != "":
		return prompt.Visible(prompt.Clip(r.File, 200))
	}
	return "javascript"
}

// An answer is what came of a request.
type answer struct {
	Value  json.RawMessage `json:"value,omitempty"`  // none: undefined
	Number string          `json:"number,omitempty"` // one that JSON has no word for: NaN, Infinity, -Infinity
	Fault  *fault          `json:"fault,omitempty"`
	Last   bool            `json:"last,omitempty"` // the child ends now: it has worked long enough
}

// decode gives the answer as a value of Go.
func (a answer) decode() (any, error) {
	switch a.Number {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if a.Value == nil {
		return nil, nil
	}
	var v any
	if err := json.Unmarshal(a.Value, &v); err != nil {
		return nil, fmt.Errorf("the result cannot be read: %w", err)
	}
	return v, nil
}

// encodeFrame makes the message of v. It reports ErrSize if it has more than
// limit bytes.
func encodeFrame(v any, limit int) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("a value cannot be handed to a script: %w", err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("%w: %d bytes, and at most %d can be handed to a script", ErrSize, len(body), limit)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, headerBytes+len(body)), uint32(len(body)))
	return append(frame, body...), nil
}

// readFrame reads one message of at most limit bytes into v. It reports io.EOF
// at the end of r, and nothing but what was sent is kept in memory: a length
// that lies costs nothing.
func readFrame(r io.Reader, limit int, v any) error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(header[:]))
	if n > int64(limit) {
		return fmt.Errorf("%w: a message of %d bytes, at most %d are read", ErrSize, n, limit)
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, n); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if err := json.Unmarshal(body.Bytes(), v); err != nil {
		return fmt.Errorf("a message cannot be read: %w", err)
	}
	return nil
}
