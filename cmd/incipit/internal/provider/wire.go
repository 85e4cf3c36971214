package provider

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// What is read of an answer beside its body, in bytes.
const (
	maxHeader    = 64 << 10
	maxErrorBody = 64 << 10
)

// A wire carries requests over HTTP within bounds. It follows no redirect: a
// key would go along to where nobody named.
type wire struct {
	id      string
	client  *http.Client
	timeout time.Duration // of one request, from the name to the last byte
	idle    time.Duration // without a byte of the body
	max     int64         // of a body, decoded, in bytes
	json    bool          // an answer that is no JSON is none
	hide    func(string) string
	now     func() time.Time
}

func newWire(id string, c Config, timeout time.Duration, keys ...string) *wire {
	transport := c.Transport
	if transport == nil {
		transport = NewTransport(c.Proxy)
	}
	if timeout == 0 {
		timeout = c.timeout()
	}
	own, all := hider(keys...), c.Hider()
	return &wire{
		id: id, timeout: timeout, idle: c.idle(), max: c.maxResponse(), json: true, now: c.Now,
		hide:   func(s string) string { return all(own(s)) },
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// NewTransport is how providers are reached: with bounds on what stands before
// a body, and never at the addresses by which a cloud gives its keys away. One
// may serve all providers of a program; proxy may be nil.
func NewTransport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    15 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        30 * time.Second,
	}
}

// dial connects to a host, if the address that it stands for now may be
// reached. A name of this machine must stand for this machine.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	near := loopback(host)
	d := net.Dialer{Timeout: 15 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		a := ap.Addr().Unmap().WithZone("")
		metadata := a == netip.MustParseAddr("fd00:ec2::254") || a == netip.MustParseAddr("100.100.100.200")
		if err != nil || near && !a.IsLoopback() || metadata || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
			return &unreachableError{address}
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// An unreachableError is an address that no provider is at.
type unreachableError struct{ address string }

func (e *unreachableError) Error() string {
	return "no provider may be at the address " + prompt.Clip(e.address, 80)
}

// Causes for which a request is given up.
var (
	errSlow = errors.New("no whole answer came in time")
	errIdle = errors.New("the answer stopped in the middle")
)

// A trip is one request and its answer. It is what the clients of providers
// are given to send with, so that its bounds and errors are the same for all.
type trip struct {
	w     *wire
	began time.Time
	took  time.Duration // from the first byte sent to the last read
	seen  string        // the body that came
}

func (w *wire) trip() *trip { return &trip{w: w} }

// Do sends a request once. Its errors are *Error or the context's. The body of
// the response is read already, whole and within bounds.
func (t *trip) Do(r *http.Request) (*http.Response, error) {
	parent := r.Context()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	defer time.AfterFunc(t.w.timeout, func() { cancel(errSlow) }).Stop()

	t.began = t.w.now()
	resp, err := t.w.client.Do(r.WithContext(ctx))
	if err != nil {
		return nil, t.w.failed(parent, ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, t.w.refused(resp)
	}
	body, err := t.read(cancel, resp)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, t.w.failed(parent, ctx, err)
	}
	t.took = t.w.now().Sub(t.began)
	t.seen = string(body)
	resp.Body = io.NopCloser(strings.NewReader(t.seen))
	if t.w.json {
		resp.Header.Set("Content-Type", "application/json") // it is, whatever the server calls it
	}
	return resp, nil
}

func (t *trip) read(cancel context.CancelCauseFunc, resp *http.Response) ([]byte, error) {
	w := t.w
	timer := time.AfterFunc(w.idle, func() { cancel(errIdle) })
	defer timer.Stop()
	body, err := io.ReadAll(&awake{io.LimitReader(resp.Body, w.max+1), timer, w.idle})
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > w.max:
		return nil, garbled(w.id, "the answer is larger than %d MiB", w.max>>20)
	case resp.Header.Get("Content-Encoding") != "" && !resp.Uncompressed:
		return nil, garbled(w.id, "the answer is encoded as %q, which was not asked for", prompt.Clip(resp.Header.Get("Content-Encoding"), 40))
	case !utf8.Valid(body):
		return nil, garbled(w.id, "the answer is not valid UTF-8")
	case w.json && !json.Valid(body):
		return nil, garbled(w.id, "the answer is not JSON: %s", prompt.Clip(w.hide(string(body[:min(len(body), 4096)])), 120))
	}
	return body, nil
}

// awake puts off a timer as long as bytes come.
type awake struct {
	r     io.Reader
	timer *time.Timer
	after time.Duration
}

func (a *awake) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.timer.Reset(a.after)
	}
	return n, err
}

// failed is a request without a whole answer. A url.Error names the whole
// address, whose query may be a secret.
func (w *wire) failed(parent, ctx context.Context, err error) error {
	if parent.Err() != nil {
		return parent.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	e := &Error{Kind: Unavailable, Provider: w.id, Again: true, Sent: true, Fix: "try again later, or replay recorded answers"}
	_, unreachable := errors.AsType[*unreachableError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch text := err.Error(); {
	case context.Cause(ctx) == errSlow || context.Cause(ctx) == errIdle: //nolint:errorlint // causes are set above, unwrapped
		e.Text = context.Cause(ctx).Error()
	case unreachable:
		e.Kind, e.Again, e.Sent, e.Fix = Rejected, false, false, "name the address of the provider's API"
	case strings.Contains(text, "headers exceeded"):
		e.Kind, e.Again, e.Text = Malformed, false, "the answer has too large a header"
	case strings.Contains(text, "malformed HTTP"), strings.Contains(text, "gzip:"), strings.Contains(text, "flate:"):
		e.Kind, e.Again, e.Text = Malformed, false, "what came is no answer of HTTP"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind, e.Text = Malformed, "the answer is cut off"
	case errors.Is(err, io.EOF):
		e.Text = "the connection ended without an answer"
	case isOp && op.Op == "dial":
		e.Sent = false
	case strings.Contains(text, "certificate"):
		e.Again, e.Sent, e.Fix = false, false, "check the address, and the certificates that this machine trusts"
	}
	if e.Text == "" {
		e.Text = prompt.Clip(w.hide(err.Error()), maxText)
	}
	return e
}
