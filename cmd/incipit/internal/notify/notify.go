// Package notify tells webhooks what happened: it makes the request, signs it
// as the Standard Webhooks specification says, and sends it once. When to try
// again is said here, too; who tries again, and what is still to be sent, is
// for those above.
//
// An address of a webhook is somebody else's word. Whatever a name stands for
// is looked at when it is dialed, every time: nothing that is not public is
// reached unless the operator allowed it.
package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config is what a Sender needs. Now is required.
type Config struct {
	// Allow lists hosts, addresses and CIDRs that webhooks may be at although
	// they are not public, and at which http will do.
	Allow   []string
	Version string        // of the program, for the User-Agent
	Timeout time.Duration // of a request, from the name to the answer; 10 s if 0
	Now     func() time.Time

	Transport http.RoundTripper // how requests are sent; nil: over the network, with care
	Resolver  *net.Resolver     // of names; nil is the system's
}

// A Sender sends. Its methods may be called at once.
type Sender struct {
	config Config
	allow  allowance
	client *http.Client
}

// What is read of an answer, in bytes: only its status counts.
const (
	maxHeader = 16 << 10
	maxBody   = 4 << 10
)

// New makes a sender. It reports ErrInvalid for an Allow that cannot be read.
func New(c Config) (*Sender, error) {
	if c.Now == nil {
		return nil, errors.New("notify: Config.Now must be set")
	}
	allow, err := parseAllow(c.Allow)
	if err != nil {
		return nil, err
	}
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	s := &Sender{config: c, allow: allow}
	transport := c.Transport
	if transport == nil {
		transport = s.transport()
	}
	s.client = &http.Client{
		Transport: transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// Transport sends requests of others to addresses that a webhook may be at, and
// to no others.
func (s *Sender) Transport() http.RoundTripper { return s.client.Transport }

// transport dials anew for each request, so that each is looked at. A proxy of
// the environment would dial for us without looking: there is none.
func (s *Sender) transport() *http.Transport {
	return &http.Transport{
		DialContext:            s.dial,
		TLSHandshakeTimeout:    s.config.Timeout,
		ResponseHeaderTimeout:  s.config.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true,
		DisableCompression:     true,
	}
}

// A Message is a notice for a webhook.
type Message struct {
	ID     string // the same each time it is sent
	URL    string
	Format registry.WebhookFormat
	Secret []byte
	Notice registry.Notice
}

// A Result is what came of sending a message.
type Result struct {
	Status     int           // HTTP status; 0 without an answer
	Err        error         // nil: it was taken
	Refused    bool          // it was not sent: its address is none that may be reached
	Gone       bool          // the receiver wants no more
	RetryAfter time.Duration // that the receiver asks for; 0 if it does not
}

// Send sends a message once. What the receiver writes into its answer is not
// kept.
func (s *Sender) Send(ctx context.Context, m Message) Result {
	u, err := s.CheckURL(m.URL)
	if err != nil {
		return Result{Err: err, Refused: true}
	}
	body, err := Body(m.Format, m.ID, m.Notice)
	if err != nil {
		return Result{Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Result{Err: errors.New("the address of the webhook cannot be asked")}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "incipit/"+cmp.Or(s.config.Version, "dev"))
	sign(r.Header, m, s.config.Now(), body)
	resp, err := s.client.Do(r)
	if err != nil {
		return failed(err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody) // what it says is nobody's business
	_ = resp.Body.Close()
	return s.answered(resp)
}

// failed is a request without an answer. A url.Error names the whole address,
// which may be a secret itself.
func failed(err error) Result {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	_, refused := errors.AsType[*refusedError](err)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return Result{Err: errors.New("no answer came in time")}
	}
	return Result{Err: errors.New(prompt.Clip(err.Error(), 300)), Refused: refused}
}

func (s *Sender) answered(resp *http.Response) Result {
	out := Result{Status: resp.StatusCode}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return out
	case code >= 300 && code < 400:
		out.Err = fmt.Errorf("the webhook answered %d: it sends elsewhere, and no redirect is followed", code)
	case code == http.StatusGone:
		out.Err, out.Gone = errors.New("the webhook answered 410: it is gone"), true
	default:
		out.Err = fmt.Errorf("the webhook answered %d", code)
	}
	if code := resp.StatusCode; code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		out.RetryAfter = s.retryAfter(resp.Header.Get("Retry-After"))
	}
	return out
}

// retryAfter reads seconds, or a time.
func (s *Sender) retryAfter(text string) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(s.config.Now()))
	}
	return 0
}
