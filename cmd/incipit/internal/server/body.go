package server

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// read takes the body in, whole, of at most so many bytes.
func (w *answer) read(r *http.Request, most int64) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	body, err := all(http.MaxBytesReader(w.ResponseWriter, r.Body, most), min(r.ContentLength, most))
	if err != nil {
		return unreadable(err, most)
	}
	if len(body) > 0 && !saysJSON(r.Header.Get("Content-Type")) {
		return &statusError{http.StatusUnsupportedMediaType, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is not said to be JSON"), "send it with Content-Type: application/json")}
	}
	w.body = body
	return nil
}

// all reads to the end, in one piece if the length was told right.
func all(from io.Reader, length int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, max(length, 0)+bytes.MinRead))
	_, err := b.ReadFrom(from)
	return b.Bytes(), err
}

func saysJSON(header string) bool {
	if header == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && kind == "application/json"
}

func unreadable(err error, most int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &statusError{http.StatusRequestEntityTooLarge, registry.Errorf(prompt.ErrInvalid, "the body is larger than %d bytes", most)}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return &statusError{http.StatusRequestTimeout, registry.Errorf(registry.ErrUnavailable, "the body did not come in time")}
	}
	return registry.Errorf(prompt.ErrInvalid, "the body broke off")
}
