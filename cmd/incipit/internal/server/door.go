package server

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// How long a client may take, and how much it may send.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second // for headers and body
	writeTimeout  = time.Minute      // for an answer, from when its request was read; a stream has its own
	longTimeout   = 15 * time.Minute // for an answer that may take long to make
	idleTimeout   = 2 * time.Minute  // between two requests
	maxHeader     = 32 << 10
	maxBody       = 1 << 20
	maxImport     = 16 << 20
	maxDraft      = 4 << 20 // four files, in JSON
	maxHook       = 8 << 20
	maxRequestID  = 64
	maxOnce       = 128 // of a key for what counts once
)

// An answer is a response on its way out, and what the door knows of the
// request. Each handler gets one.
type answer struct {
	http.ResponseWriter
	status  int
	route   *route
	caller  registry.Caller
	request string // its id
	body    []byte
	hidden  error                                          // what the log is told, and the client is not
	counted bool                                           // the metrics say enough of it
	ended   func(route string, status int, request string) // tells the exporter

	failPage func(*answer, *http.Request, *problem)     // shows a person what went wrong
	arrive   func(*answer, *http.Request, auth.Arrival) // and that they are signed in
}

// Unwrap is for http.ResponseController.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status for the log.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b) //nolint:gosec // nothing is HTML: each answer tells its type, and nosniff
}

// json writes a whole body. Its length is told, so that it is not sent in
// chunks.
func (w *answer) json(body []byte) error {
	w.Header()["Content-Type"] = isJSON
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, err := w.Write(body)
	return err
}

// The headers of every answer. They are shared: nobody appends to them.
var (
	showNothing = []string{"default-src 'none'; frame-ancestors 'none'"}
	noSniff     = []string{"nosniff"}
	noStore     = []string{"private, no-store"}
	sameOrigin  = []string{"same-origin"}
	isJSON      = []string{"application/json"}
)

// unhurried gives a handler more time, once it has read what it reads. The
// limit on reading would end its wait, too: the connection is read for signs
// that the client has gone.
func (w *answer) unhurried(now time.Time) {
	control := http.NewResponseController(w.ResponseWriter)
	_ = control.SetReadDeadline(time.Time{}) // a recorder in a test has no deadlines
	_ = control.SetWriteDeadline(now.Add(longTimeout))
}

// serve is the door: what holds for every request holds here.
func (s *Server) serve(rw http.ResponseWriter, r *http.Request) {
	start := s.config.Now()
	w := &answer{ResponseWriter: rw, request: s.requestID(r), failPage: s.failPage, arrive: s.arrive}
	r, w.ended = s.config.Exporter.Request(r)
	defer s.finish(w, r, start)
	h := w.Header()
	h["Content-Security-Policy"], h["X-Content-Type-Options"], h["Cross-Origin-Resource-Policy"] = showNothing, noSniff, sameOrigin
	h["Cache-Control"], h[api.RequestID] = noStore, []string{w.request}
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if err := s.admit(r); err != nil {
		Fail(w, r, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// requestID is the one that the client gave, if it is one, else a new one.
func (s *Server) requestID(r *http.Request) string {
	id := r.Header.Get(api.RequestID)
	if id != "" && len(id) <= maxRequestID && strings.Trim(id, idChars) == "" {
		return id
	}
	var b [8]byte
	if _, err := io.ReadFull(s.config.Random, b[:]); err != nil {
		return "none"
	}
	return hex.EncodeToString(b[:])
}

const idChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// admit refuses what no route should see: a foreign host, a request that a
// foreign page sent, a path that would be redirected.
func (s *Server) admit(r *http.Request) error {
	if !s.knows(r.Host) {
		return &statusError{http.StatusMisdirectedRequest, registry.WithFix(registry.Errorf(registry.ErrForbidden, "this server is not %s", prompt.Clip(r.Host, 80)), "start it with --host and the name by which it is asked")}
	}
	if err := s.origin.Check(r); err != nil {
		return registry.WithFix(registry.Errorf(registry.ErrForbidden, "a page of another origin may not change anything here"), "send the request from a page of this server, or from no page at all")
	}
	if p := r.URL.EscapedPath(); r.Method == http.MethodConnect || p != "/" && path.Clean(p) != p {
		return &statusError{http.StatusNotFound, registry.Errorf(registry.ErrNotFound, "there is nothing at this path")}
	}
	return nil
}

// knows reports whether the server goes by a host. Addresses and localhost
// are safe: a page that was made to point its own name here asks by that name.
func (s *Server) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.Contains(s.config.Hosts, host)
}

// guard lets through to a route who may use it.
func (s *Server) guard(rt *route, h handler) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w := rw.(*answer) //nolint:errcheck // serve is the only one that calls the mux
		w.route = rt
		err := s.enter(w, r, rt)
		if err == nil {
			err = h(w, r)
		}
		if err != nil && w.status == 0 {
			Fail(w, r, err)
		}
	}
}

// enter finds out who asks and whether they may.
func (s *Server) enter(w *answer, r *http.Request, rt *route) error {
	if rt.policy.open == "" {
		var err error
		if w.caller, err = s.whoAsks(r); err != nil {
			s.metrics.refused.Inc()
			return err
		}
		w.caller.Request = w.request
	}
	return rt.policy.check(w.caller, r)
}

// whoAsks is the caller of a request.
func (s *Server) whoAsks(r *http.Request) (registry.Caller, error) {
	header, source := r.Header.Get("Authorization"), "api"
	if strings.HasPrefix(r.UserAgent(), "incipit-cli") {
		source = "cli"
	}
	if s.config.SignIn != nil {
		var cookie bool
		if header, cookie = s.config.SignIn.Credential(r); cookie {
			source = "ui"
			if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
				return registry.Caller{}, registry.Errorf(registry.ErrForbidden, "a browser that does not say which page asks may not change anything")
			}
		}
	}
	if s.config.Dev {
		c := dev()
		c.Source = source
		return c, nil
	}
	return s.config.Verifier.Authenticate(r.Context(), header, remote(r), source)
}

func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}

// finish logs a request, counts it, and keeps a panic from ending the server.
func (s *Server) finish(w *answer, r *http.Request, start time.Time) {
	if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value is no chain
		s.log.Error("panic", "value", p, "request", w.request, "stack", string(debug.Stack()))
		if w.status == 0 {
			Fail(w, r, errors.New("panic"))
		} else {
			defer panic(http.ErrAbortHandler) // the answer is broken: the client must not take it for whole
		}
	}
	took := s.config.Now().Sub(start)
	route := "none"
	if w.route != nil {
		route = w.route.name
	}
	s.metrics.answered(route, w.status, took)
	w.ended(route, w.status, w.request)
	level := slog.LevelInfo
	switch {
	case w.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case w.counted, w.status < http.StatusBadRequest && w.route != nil && w.route.frequent:
		level = slog.LevelDebug // thousands a second, which the metrics count
	}
	if w.hidden == nil && !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("route", route), slog.Int("status", w.status), slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.String("caller", w.caller.Name), slog.String("request", w.request),
	}
	if w.hidden != nil {
		attrs = append(attrs, slog.String("error", w.hidden.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}
