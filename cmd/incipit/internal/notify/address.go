package notify

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxURL bounds an address, in bytes.
const maxURL = 2000

// CheckURL reports, with ErrInvalid, an address that is none a webhook may be
// at. What its name stands for is looked at when it is dialed.
func (s *Sender) CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Hostname() == "" || u.Opaque != "" {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "that is no address of a webhook"), "write one such as https://hooks.example.com/incipit")
	}
	host := u.Hostname()
	switch {
	case u.User != nil:
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the webhook at %s has a name or password in its address", prompt.Clip(host, 80)), "leave it out: requests are signed")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no way to a webhook", prompt.Clip(u.Scheme, 20)), "use https")
	case u.Scheme == "http" && !s.allow.names(host):
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "what is told to the webhook at %s would cross the network unprotected", prompt.Clip(host, 80)),
			"use https, or have the operator allow the host: incipit serve --webhook-allow %s", prompt.Clip(host, 80))
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if err := s.allow.check(a, s.allow.names(host)); err != nil {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "no webhook may be at the address %s, which is not public", a), "use a public address, or have the operator allow it: incipit serve --webhook-allow %s", a)
		}
	}
	return u, nil
}

// dial connects to a host, if the address that it stands for now may be
// reached.
func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	named := s.allow.names(host)
	d := net.Dialer{Resolver: s.config.Resolver, Control: func(network, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return &refusedError{address}
		}
		return s.allow.check(ap.Addr(), named)
	}}
	return d.DialContext(ctx, network, address)
}

// A refusedError is an address that may not be reached.
type refusedError struct{ address string }

func (e *refusedError) Error() string {
	return "no webhook may be at the address " + prompt.Clip(e.address, 80) + ", which is not public"
}

// An allowance is what the operator allows beside public addresses.
type allowance struct {
	hosts    []string
	prefixes []netip.Prefix
}

func parseAllow(list []string) (allowance, error) {
	var out allowance
	for _, text := range list {
		text = canonicalHost(strings.TrimSpace(text))
		if p, err := netip.ParsePrefix(text); err == nil {
			out.prefixes = append(out.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
			out.prefixes = append(out.prefixes, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		if u, err := url.Parse("https://" + text); err != nil || text == "" || strings.Contains(text, "*") || u.Host != text || u.Port() != "" {
			return out, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no host, address or CIDR", prompt.Clip(text, 60)), "write one such as hooks.internal or 10.1.0.0/16")
		}
		out.hosts = append(out.hosts, text)
	}
	return out, nil
}

func canonicalHost(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

// names reports whether the operator named a host: a name, or an address in one
// of the networks.
func (a allowance) names(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return a.holds(addr.Unmap().WithZone(""))
	}
	return slices.Contains(a.hosts, canonicalHost(host))
}

func (a allowance) holds(addr netip.Addr) bool {
	return slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// check reports an address that may not be reached. A host that is allowed by
// its name may be in a private network, and not among the addresses by which a
// cloud gives its keys away: those must be allowed by their own.
func (a allowance) check(addr netip.Addr, named bool) error {
	addr = addr.Unmap().WithZone("")
	if within(addr, "64:ff9b::/96") { // an IPv4 address behind a translator
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	near := addr.IsLoopback() || within(addr, "100.64.0.0/10") || addr.IsPrivate() && !within(addr, "fd00:ec2::254/128")
	if a.holds(addr) || public(addr) || named && near {
		return nil
	}
	return &refusedError{addr.String()}
}

// public reports whether an address is one of the internet's: of IPv6 what is
// given out, of IPv4 all that is not set aside (the IANA registries of special
// addresses).
func public(a netip.Addr) bool {
	if a.Is6() {
		return within(a, "2000::/3") && !within(a, "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	}
	return a.Is4() && !within(a,
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
}

func within(a netip.Addr, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) })
}

// Shown is an address as people may see it: what stands behind its host may be
// a secret, of which the end is enough to know it again.
func Shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "…"
	}
	rest := strings.TrimPrefix(raw, u.Scheme+"://"+u.Host)
	switch {
	case rest == "" || rest == "/":
		return fmt.Sprintf("%s://%s%s", u.Scheme, u.Host, rest)
	case len(rest) < 16:
		return fmt.Sprintf("%s://%s/…", u.Scheme, u.Host)
	}
	return prompt.Visible(fmt.Sprintf("%s://%s/…%s", u.Scheme, u.Host, strings.ToValidUTF8(rest[len(rest)-4:], "")))
}
