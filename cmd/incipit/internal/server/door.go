package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"mime"
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
	readTimeout  = 30 * time.Second // for a body
	writeTimeout = time.Minute      // for an answer; a stream has its own
	maxBody      = 1 << 20
	maxImport    = 16 << 20
	maxRequestID = 64
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
	sum     [sha256.Size]byte // of method, path and body
	hidden  error             // what the log is told, and the client is not
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
	return w.ResponseWriter.Write(b)
}

// The headers of every answer. They are shared: nobody appends to them.
var (
	showNothing = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	noSniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	noStore     = []string{"private, no-store"}
	sameOrigin  = []string{"same-origin"}
	isJSON      = []string{"application/json"}
)

// serve is the door: what holds for every request holds here.
func (s *Server) serve(rw http.ResponseWriter, r *http.Request) {
	start := s.config.Now()
	w := &answer{ResponseWriter: rw, request: s.requestID(r)}
	defer s.finish(w, r, start)
	h := w.Header()
	h["Content-Security-Policy"], h["X-Content-Type-Options"], h["Referrer-Policy"] = showNothing, noSniff, noReferrer
	h["Cache-Control"], h["Cross-Origin-Resource-Policy"], h[api.RequestID] = noStore, sameOrigin, []string{w.request}
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

// enter finds out who asks and whether they may, then reads the body.
func (s *Server) enter(w *answer, r *http.Request, rt *route) error {
	control := http.NewResponseController(w.ResponseWriter)
	now := s.config.Now()
	_ = control.SetWriteDeadline(now.Add(writeTimeout)) // a recorder in a test has none
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(now.Add(readTimeout))
	}
	if rt.policy.open == "" {
		var err error
		if w.caller, err = s.whoAsks(r); err != nil {
			s.metrics.refused.Inc()
			return err
		}
		w.caller.Request = w.request
	}
	if err := rt.policy.check(w.caller, r); err != nil {
		return err
	}
	if rt.raw {
		return nil
	}
	if err := w.read(r, rt); err != nil {
		return err
	}
	_ = control.SetReadDeadline(time.Time{}) // or the wait for the answer would end it
	return nil
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

// read takes the body in, whole.
func (w *answer) read(r *http.Request, rt *route) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	most := int64(maxBody)
	if rt.body > 0 {
		most = rt.body
	}
	body, err := io.ReadAll(http.MaxBytesReader(w.ResponseWriter, r.Body, most))
	if err != nil {
		return unreadable(err, most)
	}
	if len(body) > 0 {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return &statusError{http.StatusUnsupportedMediaType, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is not said to be JSON"), "send it with Content-Type: application/json")}
		}
	}
	w.body = body
	h := sha256.New()
	_, _ = io.WriteString(h, r.Method+"\n"+r.URL.EscapedPath()+"\n")
	_, _ = h.Write(body)
	h.Sum(w.sum[:0])
	return nil
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

// A statusError is an error that has another status than its kind.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

// Fail answers a request with an error, as a problem document.
func Fail(w http.ResponseWriter, _ *http.Request, err error) {
	p := problemOf(w, err)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(marshal(p.Problem))
}

// A problem is an error on its way out.
type problem struct {
	api.Problem
	header http.Header
}

func problemOf(w http.ResponseWriter, err error) *problem {
	status, request := auth.Status(err), ""
	if own, ok := errors.AsType[*statusError](err); ok {
		status = own.status
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = registry.WithFix(registry.Errorf(registry.ErrUnavailable, "it took too long"), "try again in a moment")
	}
	a, ok := w.(*answer)
	if ok {
		request = a.request
	}
	p := &problem{api.NewProblem(err, status, request), make(http.Header)}
	if ok && p.Status >= http.StatusInternalServerError {
		a.hidden = err
	}
	switch p.Status {
	case http.StatusUnauthorized:
		p.header.Set("Www-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		p.header.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		p.header.Set("Retry-After", "1")
		if slow, ok := errors.AsType[*auth.TooManyError](err); ok {
			p.header.Set("Retry-After", strconv.Itoa(slow.RetryAfter()))
		}
	}
	return p
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
	level := slog.LevelInfo
	if w.status >= http.StatusInternalServerError {
		level = slog.LevelError
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
