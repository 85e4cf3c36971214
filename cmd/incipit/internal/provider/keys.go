package provider

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// baseOf is where a provider is reached, and whether the user said so by the
// environment. A config from a pull request may name any place; what is sent
// there is for keyFor.
func (c Config) baseOf(spec Spec, api address, set settings) (u *url.URL, own bool, err error) {
	raw := set.base
	if raw == "" && api.env != "" {
		raw = c.Getenv(api.env)
		own = raw != ""
		if host := c.Getenv("AZURE_API_HOST"); api.azure && raw == "" && host != "" {
			raw, own = "https://"+strings.TrimPrefix(host, "https://"), true
		}
		if own && api.own && !strings.HasSuffix(strings.TrimRight(raw, "/"), "/v1") {
			raw = strings.TrimRight(raw, "/") + "/v1" // as the makers of these write it
		}
	}
	if raw == "" {
		raw = api.base
	}
	if raw == "" {
		return nil, false, refuse(spec.ID, "set apiHost in the config, or AZURE_API_BASE_URL in the environment", "nothing says where %s is", api.scheme)
	}
	u, err = checkBase(spec, raw, own)
	return u, own, err
}

// checkBase reports an address that no request may go to. Without TLS only
// this machine is reached, or what the user's environment names.
func checkBase(spec Spec, raw string, own bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 2000 || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		return nil, refuse(spec.ID, "write one such as https://llm.example.com/v1", "that is no base URL")
	}
	switch {
	case u.User != nil:
		return nil, refuse(spec.ID, "leave it out, and put the key into the environment", "the base URL at %s has a name or password in it", u.Hostname())
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refuse(spec.ID, "use https", "%q is no way to a provider", u.Scheme)
	case u.Scheme == "http" && !loopback(u.Hostname()) && !own:
		return nil, refuse(spec.ID, "use https; http is for this machine alone", "requests to %s would cross the network unprotected", u.Hostname())
	}
	return u, nil
}

// loopback reports whether a host is this machine by its name.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// keyFor is the key that may be sent to u, "" for none.
//
// A key goes to the host it was made for, or to where the user's own
// environment points. Elsewhere it goes only if the config names its variable
// and the workspace allows that variable for that host. Whoever may change a
// suite can so name a host, and a variable, but never bring them together.
func (c Config) keyFor(spec Spec, api address, set settings, u *url.URL, own bool) (string, error) {
	name := set.keyVar
	home := own || official(api, u)
	if name == "" {
		name = c.firstSet(api.keys)
		if !home && !c.allows(name, u) {
			return "", nil
		}
	} else if !c.allows(name, u) && (!home || !sameFamily(name, api.keys[0])) {
		return "", &Error{
			Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: fmt.Sprintf("the key in %s may not be sent to %s", prompt.Clip(name, 60), u.Host),
			Fix: fmt.Sprintf("if that is meant, say so in the environment: INCIPIT_KEY_HOSTS=%s=%s", prompt.Clip(name, 60), u.Host),
		}
	}
	key := strings.TrimSpace(c.Getenv(name))
	if key == "" && !api.own {
		return "", &Error{
			Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: "the environment has no " + prompt.Clip(name, 60),
			Fix: "set it, or replay recorded answers",
		}
	}
	if strings.ContainsAny(key, "\r\n\x00") {
		return "", &Error{Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: "the key in " + prompt.Clip(name, 60) + " holds a line break", Fix: "set it anew"}
	}
	if key != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
		return "", &Error{Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: "the key would cross the network unprotected to " + u.Host, Fix: "use https"}
	}
	return key, nil
}

func (c Config) firstSet(names []string) string {
	for _, name := range names {
		if c.Getenv(name) != "" {
			return name
		}
	}
	return names[0]
}

// official reports whether u is where the maker of a preset serves it.
func official(api address, u *url.URL) bool {
	if api.azure {
		return u.Scheme == "https" && u.Port() == "" && strings.HasSuffix(strings.ToLower(u.Hostname()), ".openai.azure.com")
	}
	base, err := url.Parse(api.base)
	return err == nil && base.Scheme == u.Scheme && strings.EqualFold(base.Host, u.Host)
}

// allows reports whether the workspace lets the value of a variable go to u.
func (c Config) allows(name string, u *url.URL) bool {
	return name != "" && slices.ContainsFunc(c.KeyHosts[name], func(host string) bool {
		if strings.EqualFold(host, u.Host) {
			return true
		}
		_, _, err := net.SplitHostPort(host)
		return err != nil && u.Scheme == "https" && u.Port() == "" && strings.EqualFold(host, u.Hostname())
	})
}

// sameFamily reports whether a variable is of the same maker by its name:
// OPENAI_API_KEY_STAGING beside OPENAI_API_KEY, and not GITHUB_TOKEN.
func sameFamily(name, usual string) bool {
	maker, _, _ := strings.Cut(usual, "_")
	return strings.HasPrefix(name, maker+"_")
}
