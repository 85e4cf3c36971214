package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/otlp"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	maxCalls  = 4 << 20  // of a body with calls, packed or not
	firstRoom = 64 << 10 // for a body whose length is not told
	large     = 64 << 10 // of what is recorded in its turn
	packing   = 8        // how much larger calls are usually when they are unpacked
)

// record takes calls, in JSON or a line each.
func (s *Server) record(w *answer, r *http.Request) error {
	var lines bool
	switch kind := mediaType(r); kind {
	case "application/json":
	case "application/x-ndjson":
		lines = true
	default:
		return wrongType(kind, "application/json or application/x-ndjson")
	}
	once, err := onceOf(w.caller, r.Header)
	if err != nil {
		return err
	}
	in, err := s.take(w, r, func(body []byte) (registry.Batch, error) {
		b, err := api.ReadCalls(body, lines)
		if once != "" {
			b.Once = once
		}
		return b, err
	})
	if err != nil {
		return err
	}
	return w.json(marshal(in))
}

// spans takes calls that OpenTelemetry tells of.
func (s *Server) spans(w *answer, r *http.Request) error {
	encoding, ok := otlp.EncodingOf(r.Header.Get("Content-Type"))
	if !ok {
		return wrongType(mediaType(r), "application/x-protobuf or application/json")
	}
	in, err := s.take(w, r, func(body []byte) (registry.Batch, error) {
		b, ignored, err := otlp.Read(body, encoding)
		s.metrics.ignored.Add(float64(ignored))
		return b, err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", encoding.ContentType())
	_, err = w.Write(otlp.Answer(in, encoding))
	return err
}

// take admits a request, reads and decodes its calls, and has them recorded.
func (s *Server) take(w *answer, r *http.Request, decode func([]byte) (registry.Batch, error)) (registry.Intake, error) {
	var none registry.Intake
	packed, err := isPacked(r)
	if err != nil {
		return none, err
	}
	if r.ContentLength > maxCalls {
		return none, tooLarge(maxCalls)
	}
	// Who sends slowly must not keep a place from others, nor a connection that
	// is told to come back.
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(s.config.Now().Add(s.config.CallsTimeout))
	p, ok := s.admission.enter(sender(w.caller), roomFor(r.ContentLength, packed))
	if !ok {
		s.dawdle(r.Context())
		return none, s.crowded(w)
	}
	defer p.leave()
	body, err := s.receive(w, r, p)
	if err != nil {
		return none, err
	}
	return s.kept(registry.WithCaller(r.Context(), w.caller), w, p, body, packed, decode)
}

// kept decodes a body when it is its turn, and has its calls recorded. A large
// one keeps its turn meanwhile, for what is worked with at once to be bounded;
// small ones are written together.
func (s *Server) kept(ctx context.Context, w *answer, p *pass, body []byte, packed bool, decode func([]byte) (registry.Batch, error)) (registry.Intake, error) {
	if err := s.admission.turn(ctx); err != nil {
		return registry.Intake{}, err
	}
	done := sync.OnceFunc(s.admission.done)
	defer done()
	batch, err := s.decoded(w, p, body, packed, decode)
	if err != nil {
		return registry.Intake{}, err
	}
	if p.bytes < large {
		done()
	}
	start := s.config.Now()
	in, err := s.service.Record(ctx, batch)
	s.metrics.recorded(&in, s.config.Now().Sub(start), err)
	if err == nil || ctx.Err() == nil {
		s.recorded.Store(&outcome{err})
	}
	return in, err
}

// An outcome is how it went.
type outcome struct{ err error }

// receive takes the body in as it was sent.
func (s *Server) receive(w *answer, r *http.Request, p *pass) ([]byte, error) {
	body, err := s.grown(w, http.MaxBytesReader(w.ResponseWriter, r.Body, maxCalls), r.ContentLength, p)
	if err == nil {
		// The limit on reading would end the wait for the disk, too.
		_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Time{})
		return body, nil
	}
	if _, crowded := errors.AsType[*crowdedError](err); crowded {
		return nil, err
	}
	return nil, unreadable(err, maxCalls)
}

// decoded unpacks and decodes a body.
func (s *Server) decoded(w *answer, p *pass, body []byte, packed bool, decode func([]byte) (registry.Batch, error)) (registry.Batch, error) {
	if packed {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = s.grown(w, io.LimitReader(z, maxCalls+1), min(packing*int64(len(body)), maxCalls), p)
		}
		if _, crowded := errors.AsType[*crowdedError](err); crowded {
			return registry.Batch{}, err
		}
		if err != nil {
			return registry.Batch{}, registry.Errorf(prompt.ErrInvalid, "the body is said to be gzip, and cannot be unpacked")
		}
		if len(body) > maxCalls {
			return registry.Batch{}, tooLarge(maxCalls)
		}
	}
	b, err := decode(body)
	if errors.Is(err, api.ErrTooMany) {
		return b, &statusError{http.StatusRequestEntityTooLarge, err}
	}
	return b, err
}

// grown reads to the end of what has at most maxCalls bytes, or one more;
// beyond what was expected it takes room first.
func (s *Server) grown(w *answer, from io.Reader, expected int64, p *pass) ([]byte, error) {
	if expected < 0 {
		expected = firstRoom
	}
	b := make([]byte, 0, expected+bytes.MinRead)
	for {
		if len(b) == cap(b) {
			more := min(int64(cap(b)), maxCalls+bytes.MinRead-int64(cap(b)))
			if !p.grow(more) {
				return nil, s.crowded(w)
			}
			b = append(make([]byte, 0, int64(cap(b))+more), b...)
		}
		n, err := from.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// roomFor is how many bytes a body will take, as far as its header tells.
func roomFor(length int64, packed bool) int64 {
	switch {
	case length < 0:
		return firstRoom
	case packed:
		return length + min(packing*length, maxCalls)
	}
	return length
}

func isPacked(r *http.Request) (bool, error) {
	switch kind := strings.ToLower(r.Header.Get("Content-Encoding")); kind {
	case "", "identity":
		return false, nil
	case "gzip":
		return true, nil
	default:
		return false, &statusError{http.StatusUnsupportedMediaType, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body has the Content-Encoding %s", prompt.Clip(prompt.Visible(kind), 40)), "send it as it is, or with gzip")}
	}
}

// mediaType is what a request says its body is, "" if it does not.
func mediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func wrongType(kind, wanted string) error {
	if kind == "" {
		kind = "nothing"
	}
	return &statusError{http.StatusUnsupportedMediaType, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is said to be %s", prompt.Clip(prompt.Visible(kind), 60)), "send it with Content-Type: %s", wanted)}
}

func tooLarge(most int64) error {
	return &statusError{http.StatusRequestEntityTooLarge, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is larger than %d bytes", most), "send it in several parts")}
}
