package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// MaxCalls is how many calls a batch may have.
const MaxCalls = 1000

// ErrTooMany is a batch of more than MaxCalls. It is prompt.ErrInvalid, too.
var ErrTooMany = errors.New("too many calls")

// ReadCalls reads a batch of calls: a list of them, {"calls": […]}, one call,
// or, with ndjson, one call a line. It is strict: no key twice, none in another
// case, none that is not known, nothing behind the value.
//
// A call that cannot be read is a Rejection, and the others are kept. What
// nobody can tell the calls of is an error: prompt.ErrInvalid, and ErrTooMany
// besides. Whether a call can be is for registry.Call.Check to say.
//
// Once of the batch is a digest of body, if one of the calls needs it. The
// texts of all calls are parts of one copy of body: whoever keeps one keeps all.
func ReadCalls(body []byte, ndjson bool) (registry.Batch, error) {
	r := callReader{scanner: scanner{data: string(body)}}
	r.batch.Calls = make([]registry.Call, 0, min(MaxCalls, 1+len(body)/256))
	r.batch.Index = make([]int, 0, cap(r.batch.Calls))
	var err error
	if ndjson {
		err = r.lines()
	} else {
		err = r.document()
	}
	if err != nil {
		return registry.Batch{}, brokenBatch(body, err)
	}
	for i := range r.batch.Calls {
		if r.batch.Calls[i].ID.IsZero() {
			sum := sha256.Sum256(body)
			r.batch.Once = "sha256:" + hex.EncodeToString(sum[:])
			break
		}
	}
	return r.batch, nil
}

func brokenBatch(body []byte, err error) error {
	bad, ok := errors.AsType[*syntaxError](err)
	if !ok {
		return err
	}
	line, column := place(body, bad.offset)
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is no batch of calls at line %d, column %d: %s", line, column, bad.text),
		`send [call, …], {"calls": [call, …]} or one call as application/json, or one call a line as application/x-ndjson`)
}

// A tooManyError has two kinds.
type tooManyError struct{ error }

func (e tooManyError) Unwrap() []error { return []error{e.error, ErrTooMany} }

// A callReader reads the calls of a batch.
type callReader struct {
	scanner
	batch registry.Batch
	index int                 // of the next call
	seen  fields              // of the call that is read
	null  fields              // those of them that are null, which is as if they were not there
	fault *registry.Rejection // the first of the call that is read
}

// lines reads one call from each line that is not empty. A line that is broken
// breaks no other.
func (r *callReader) lines() error {
	for line := range strings.SplitSeq(r.data, "\n") {
		r.scanner = scanner{data: line}
		if r.peek(); r.pos == len(line) {
			continue
		}
		err := r.element(r.end)
		bad, ok := errors.AsType[*syntaxError](err)
		if ok {
			r.refuse(registry.Reject(registry.RejectMalformed, "the line is no JSON at column %d: %s", 1+bad.offset, bad.text))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// document reads any of the other forms.
func (r *callReader) document() error {
	switch r.peek() {
	case '[':
		if err := r.list(); err != nil {
			return err
		}
	case '{':
		if err := r.envelope(); err != nil {
			return err
		}
	default:
		return r.errorf("a list or an object should stand here")
	}
	return r.end()
}

// envelope reads {"calls": […]}, or else one call.
func (r *callReader) envelope() error {
	start := r.pos
	if r.open('}') {
		if key, _, err := r.key(); err != nil {
			return err
		} else if key == "calls" && r.peek() == '[' {
			if err := r.list(); err != nil {
				return err
			}
			if more, err := r.next('}'); err != nil || more {
				return errors.Join(err, r.errorf("beside calls nothing may stand here"))
			}
			return nil
		}
	}
	r.pos = start
	return r.element(nil)
}

func (r *callReader) list() error {
	for more := r.open(']'); more; {
		if err := r.element(nil); err != nil {
			return err
		}
		var err error
		if more, err = r.next(']'); err != nil {
			return err
		}
	}
	return nil
}

// element reads one call, and what must be true behind it.
func (r *callReader) element(behind func() error) error {
	if r.index == MaxCalls {
		return registry.WithFix(tooManyError{registry.Errorf(prompt.ErrInvalid, "the batch has more than %d calls", MaxCalls)}, "send them in several batches")
	}
	r.fault, r.seen, r.null = nil, 0, 0
	n := len(r.batch.Calls)
	r.batch.Calls = append(r.batch.Calls, registry.Call{})
	err := r.call(&r.batch.Calls[n])
	if err == nil && behind != nil {
		err = behind()
	}
	if err != nil || r.fault != nil {
		r.batch.Calls = r.batch.Calls[:n]
	}
	if err != nil {
		return err
	}
	if r.fault != nil {
		r.refuse(r.fault)
		return nil
	}
	r.batch.Index = append(r.batch.Index, r.index)
	r.index++
	return nil
}

func (r *callReader) refuse(why *registry.Rejection) {
	why.Index = r.index
	r.batch.Rejected = append(r.batch.Rejected, *why)
	r.index++
}

// call reads an object into c. What is wrong with it alone is r.fault.
func (r *callReader) call(c *registry.Call) error {
	if r.peek() != '{' {
		kind, err := r.skip(1)
		r.blame(registry.RejectMalformed, "it is %s; a call must be an object", kind)
		return err
	}
	for more := r.open('}'); more; {
		key, bad, err := r.key()
		if err != nil {
			return err
		}
		if bad != "" {
			r.blame(registry.RejectMalformed, "a key %s", bad)
		}
		if err := r.member(c, key); err != nil {
			return err
		}
		if more, err = r.next('}'); err != nil {
			return err
		}
	}
	if r.fault == nil {
		r.fault = (r.seen &^ r.null).missing()
	}
	return nil
}

// blame keeps the first fault of a call.
func (r *callReader) blame(code, format string, args ...any) {
	if r.fault == nil {
		r.fault = registry.Reject(code, format, args...)
	}
}
