package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// private marks an answer that nobody may keep, and whose address, which may
// hold a code, goes nowhere.
func private(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

// readJSON reads a small body strictly: an object with just these texts. The
// errors quote nothing of it.
func readJSON(w http.ResponseWriter, r *http.Request, into map[string]*string) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return invalid("the body must be of the type application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return invalid("the body cannot be read, or is longer than %d bytes", maxBody)
	}
	members, err := strictjson.Members(body)
	if err != nil || len(members) != len(into) {
		return invalid("the body is not the JSON that belongs here")
	}
	for _, m := range members {
		text, ok := into[m.Key]
		if !ok || json.Unmarshal(body[m.Start:m.End], text) != nil {
			return invalid("the body is not the JSON that belongs here")
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the reader is gone
	}
}

// An Arrival is the page after signing in at the issuer. It leads on to the page
// that a person wanted, and is a page and not a redirect, because a browser that
// comes from the issuer does not send a SameSite=Strict cookie along a redirect:
// the person would seem signed out.
type Arrival struct {
	To, Mail string
	Nothing  bool // is granted
}

// orArrive is arrive, or a page without looks.
func orArrive(arrive func(http.ResponseWriter, *http.Request, Arrival)) func(http.ResponseWriter, *http.Request, Arrival) {
	if arrive != nil {
		return arrive
	}
	return func(w http.ResponseWriter, _ *http.Request, a Arrival) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if err := arrivalPage.Execute(w, a); err != nil {
			return // the reader is gone
		}
	}
}

var arrivalPage = template.Must(template.New("arrival").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Signed in</title>
{{- if not .Nothing}}<meta http-equiv="refresh" content="0;url={{.To}}">{{end}}</head><body>
<p>You are signed in as {{.Mail}}.</p>
{{- if .Nothing}}<p>Nothing is granted to you yet. Ask an administrator to grant you what you need.</p>{{end}}
<p><a href="{{.To}}">Go on</a></p></body></html>
`))

// orFail is fail, or plain text. What is not a sentence for people is not
// shown.
func orFail(fail func(http.ResponseWriter, *http.Request, error)) func(http.ResponseWriter, *http.Request, error) {
	if fail != nil {
		return fail
	}
	return func(w http.ResponseWriter, _ *http.Request, err error) {
		status := statusOf(err)
		text := http.StatusText(status)
		if status != http.StatusInternalServerError {
			text = err.Error()
		}
		if slow, ok := errors.AsType[*TooManyError](err); ok {
			w.Header().Set("Retry-After", strconv.Itoa(slow.RetryAfter()))
		}
		if fix, ok := errors.AsType[*registry.FixError](err); ok {
			text += fmt.Sprintf("\ntry: %s", fix.Fix)
		}
		http.Error(w, text, status)
	}
}

func statusOf(err error) int {
	if s := Status(err); s != 0 {
		return s
	}
	switch {
	case errors.Is(err, registry.ErrForbidden):
		return http.StatusForbidden
	case errors.Is(err, registry.ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, prompt.ErrInvalid):
		return http.StatusBadRequest
	case isNotFound(err):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

func isNotFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }
