package ui

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// funcs are what templates call. They make text of values; none of them makes
// markup.
func (u *UI) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":      u.assets.path,
		"now":        u.config.Now,
		"visible":    prompt.Visible,
		"clip":       func(n int, s string) string { return prompt.Clip(prompt.Visible(s), n) },
		"when":       when,
		"ago":        func(t time.Time) string { return ago(u.config.Now(), t) },
		"iso":        func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"pathID":     func(id prompt.ID) string { return url.PathEscape(string(id)) },
		"page":       promptPath,
		"commitPage": u.service.CommitURL,
		"lower":      strings.ToLower,
		"list":       func(v ...any) []any { return v },
		"dict":       dict,
		"may": func(c registry.Caller, p registry.Permission, env string, id prompt.ID) bool {
			return c.May(p, env, id) == nil
		},
		"means": healthMeans,
		"kind":  healthKind,
		"mayAny": func(c registry.Caller, p registry.Permission, env string, id prompt.ID) bool {
			return c.MayAny(p, env, id)
		},
	}
}

// dict are the named arguments of a part.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict has %d arguments", len(pairs))
	}
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("argument %d of dict is no name", i)
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// when is a time for people, in UTC: the script of the page says it in the
// reader's own zone besides.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

// ago is how long before now a time was, in one unit.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	suffix := " ago"
	if d < 0 {
		d, suffix = -d, " from now"
	}
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s%s", d/time.Second, suffix)
	case d < time.Hour:
		return fmt.Sprintf("%d min%s", d/time.Minute, suffix)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h%s", d/time.Hour, suffix)
	}
	return fmt.Sprintf("%d days%s", d/(24*time.Hour), suffix)
}

// back is where to go on after a form: a path of this server, or home.
func back(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > 2000 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || u.Host != "" || u.Scheme != "" ||
		strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return "/"
	}
	return to
}

// places of pages.

func promptPath(id prompt.ID, more ...string) string {
	at, rest := "/prompts/"+url.PathEscape(string(id)), strings.Join(more, "")
	if id == "new" && !strings.HasPrefix(rest, "/") {
		at += "/overview" // at /prompts/new one names a new prompt
	}
	return at + rest
}

func placePath(env string, id prompt.ID, verb string) string {
	return "/environments/" + url.PathEscape(env) + "/prompts/" + url.PathEscape(string(id)) + "/" + verb
}
