package provider

import (
	"maps"
	"slices"
	"strings"
)

const (
	hidden      = "[secret]"
	leastSecret = 8  // a value shorter than this hides nothing that is worth it, and much that is not secret
	leastShare  = 16 // that much of a secret's start gives it away
)

// Hider returns a function that takes the keys of the environment out of a
// text: the whole of each, and each beginning of one that is long enough. It
// is for all that is shown or stored.
func (c Config) Hider() func(string) string {
	names := slices.Collect(maps.Keys(c.KeyHosts))
	for _, p := range presets {
		names = append(names, p.keys...)
	}
	slices.Sort(names)
	var secrets []string
	for _, name := range slices.Compact(names) {
		secrets = append(secrets, c.Getenv(name))
	}
	return hider(secrets...)
}

func hider(secrets ...string) func(string) string {
	var kept []string
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= leastSecret {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b string) int { return len(b) - len(a) }) // a key may be part of another
	return func(text string) string {
		for _, s := range kept {
			text = hideOne(text, s)
		}
		return text
	}
}

func hideOne(text, secret string) string {
	start := secret[:min(len(secret), leastShare)]
	var b strings.Builder
	for {
		i := strings.Index(text, start)
		if i < 0 {
			if b.Len() == 0 {
				return text
			}
			b.WriteString(text)
			return b.String()
		}
		n := len(start)
		for n < len(secret) && i+n < len(text) && text[i+n] == secret[n] {
			n++
		}
		b.WriteString(text[:i])
		b.WriteString(hidden)
		text = text[i+n:]
	}
}
