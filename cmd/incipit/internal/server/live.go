package server

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/registry"
)

// pageBeat is how often an open page is told that the server is there.
const pageBeat = 5 * time.Second

// beat is what a page is told then: the server's time, and up to which event it
// has been told what changed.
type beat struct {
	At  time.Time `json:"at"`
	Seq int64     `json:"seq"`
}

// events tells an open page what has changed, until it is closed or who reads
// it may not any more.
func (s *Server) events(w *answer, r *http.Request) error {
	caller, writer := w.caller, ""
	if r.URL.Query().Has("drafts") && caller.MaySome(registry.MayPropose) {
		writer = caller.Name
	}
	reader, ok := s.newsroom.add(writer)
	if !ok {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "as many pages are open as this server can tell of changes"), "try again in a moment")
	}
	defer s.newsroom.remove(reader)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	w.unhurried(s.config.Now())
	out := &events{w: w, control: http.NewResponseController(w.ResponseWriter), now: s.config.Now, sent: s.metrics.sent}
	beats, checks := time.NewTicker(pageBeat), time.NewTicker(auth.Recheck)
	defer beats.Stop()
	defer checks.Stop()
	out.event("beat", "", jsonLine(beat{s.config.Now().UTC(), s.newsroom.seq.Load()}))
	if writer != "" { // what changed before they were listened for
		out.event("draft", "", jsonLine(s.newsroom.ofDrafts(registry.DraftChange{})))
	}
	for out.flush() == nil {
		select {
		case <-r.Context().Done():
			return nil
		case <-reader.gone:
			return nil
		case <-beats.C:
			out.event("beat", "", jsonLine(beat{s.config.Now().UTC(), s.newsroom.seq.Load()}))
		case <-checks.C:
			if caller, ok = s.still(r, caller); !ok {
				return nil
			}
		case what := <-reader.news:
			if what.mayKnow(caller) {
				out.event(what.Kind, "", jsonLine(what))
			}
		}
	}
	return nil
}

// still is who reads a page as they are now, and false if they may not any
// more. Where that cannot be asked, they are who they were.
func (s *Server) still(r *http.Request, c registry.Caller) (registry.Caller, bool) {
	if s.config.Verifier == nil || s.config.Dev {
		return c, true
	}
	now, err := s.config.Verifier.Valid(r.Context(), c)
	if err != nil {
		return c, !errors.Is(err, registry.ErrForbidden)
	}
	return now, now.MaySome(registry.MayRead, registry.MayPropose)
}

// jsonLine is v on one line, as an event holds it.
func jsonLine(v any) []byte { return bytes.TrimSpace(marshal(v)) }
