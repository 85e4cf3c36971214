package auth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	outboundTimeout = 10 * time.Second
	maxAnswer       = 1 << 20 // bytes
)

// outbound is the client that talks to the issuer. An issuer's documents name
// further addresses, so each request is looked at again: https alone (http only
// if the issuer itself is on the loopback, for a trial), no redirects, no large
// answers, and no address of the machine itself or of its cloud.
func outbound(c *http.Client, issuer *url.URL) *http.Client {
	near := isLoopback(issuer.Hostname())
	if c == nil {
		t, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			t = &http.Transport{}
		}
		t = t.Clone()
		t.DialContext = (&net.Dialer{Timeout: outboundTimeout, Control: reachable(near)}).DialContext
		c = &http.Client{Transport: t}
	}
	own := *c
	own.Timeout = cmp.Or(own.Timeout, outboundTimeout)
	own.Transport = careful{cmp.Or(own.Transport, http.DefaultTransport), near && issuer.Scheme == "http"}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// careful is the http.RoundTripper of outbound.
type careful struct {
	next  http.RoundTripper
	plain bool // http is fine on the loopback
}

// RoundTrip hands on only answers that can be read as what was asked for. The
// libraries above quote the body of others in their errors, and it is nobody's
// business.
func (c careful) RoundTrip(r *http.Request) (*http.Response, error) {
	if !secure(r.URL, c.plain) {
		return nil, fmt.Errorf("%s is not an https address", r.URL.Host)
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err = cmp.Or(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is too long", r.URL.Host)
	}
	if r.Method == http.MethodGet && (resp.StatusCode != http.StatusOK || !json.Valid(body)) {
		return nil, fmt.Errorf("%s answered with status %d and no JSON that could be used", r.URL.Host, resp.StatusCode)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// reachable is a net.Dialer's Control: it sees the address that a name really
// stands for. Private networks are fine, issuers live there.
func reachable(loopback bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		a := ap.Addr().Unmap().WithZone("")
		if a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() && !loopback || a == netip.MustParseAddr("fd00:ec2::254") {
			return fmt.Errorf("no issuer may be at the address %s", a)
		}
		return nil
	}
}

// secure reports whether u is https, or http on the loopback where plain.
func secure(u *url.URL, plain bool) bool {
	return u.Host != "" && u.User == nil && (u.Scheme == "https" || plain && u.Scheme == "http" && isLoopback(u.Hostname()))
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
