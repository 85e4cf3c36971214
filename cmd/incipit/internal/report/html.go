package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed report.gohtml
var pageSource string

const maxHTML = 20_000 // characters of one output

// HTML is the report as one file: no script, nothing fetched from anywhere, and
// everything that a model or a user wrote as text.
func (r Report) HTML() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"line":     func(s any) string { return line(fmt.Sprint(s), 500) },
		"lines":    func(s string) string { return block(s, maxHTML) },
		"count":    count,
		"chance":   chance,
		"dollars":  dollars,
		"words":    Verdict.words,
		"value":    value,
		"interval": interval,
		"spans":    spans,
		"base":     func(p Prompt) string { return line(p.base(), 200) },
		"title":    func(c Case) string { return line(c.title(), 300) },
		"where":    func(c Case) string { return line(c.where(), 500) },
		"flaky":    func(r Run) []string { return r.flakyLines() },
		"reasons":  func(c Case) []string { return c.reasons() },
		"before":   func(p Prompt, name string) *Case { return p.BaseRun.find(name, Pass) },
		"named": func(p Prompt, name string) string {
			if c := p.Run.find(name, Fail); c != nil {
				name = c.title()
			}
			return line(name, 300)
		},
		"after":  func(p Prompt, name string) *Case { return p.Run.find(name, Fail) },
		"change": func(d Delta) string { return d.change() },
		"cost":   func(p Prompt) *Delta { return p.cost() },
	}).Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("the report's page: %w", err)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, r); err != nil {
		return nil, fmt.Errorf("the report as HTML: %w", err)
	}
	return buf.Bytes(), nil
}

// A span of a word diff: its Kind is same, gone or new.
type span struct{ Kind, Text string }

// spans reads the plain form of a word diff, [-gone-]{+new+}. A text in which the
// marks themselves stand may be read at another place than was meant; nothing is
// lost of it.
func spans(words string) []span {
	words = block(words, 2*maxHTML)
	var out []span
	for words != "" {
		at, kind, end := next(words)
		if at > 0 {
			out = append(out, span{"same", words[:at]})
		}
		if kind == "" {
			break
		}
		body, rest, _ := strings.Cut(words[at+2:], end)
		out = append(out, span{kind, body})
		words = rest
	}
	return out
}

// next finds where the next marked span begins, and what ends it. Without one it
// is at the end.
func next(words string) (at int, kind, end string) {
	at = len(words)
	for _, m := range []struct{ open, kind, end string }{{"[-", "gone", "-]"}, {"{+", "new", "+}"}} {
		if i := strings.Index(words, m.open); i >= 0 && i < at && strings.Contains(words[i+2:], m.end) {
			at, kind, end = i, m.kind, m.end
		}
	}
	return at, kind, end
}
