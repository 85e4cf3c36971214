package importer

import (
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A dialect is a template syntax. Of each we read variables and what stands for
// plain braces; logic, filters and helpers are refused by name.
type dialect int

const (
	plain      dialect = iota // {{name}} is replaced, and nothing else means anything: GitHub, OpenAI
	jinja                     // Jinja2 and Nunjucks: Prompty, promptfoo
	handlebars                // dotprompt
)

// A piece of a template: text, or a variable, or {{ as text.
type piece struct {
	text     string
	variable string
	braces   bool
	role     string // of handlebars: a message of this role begins
}

// ours writes pieces in our syntax.
func ours(ps []piece) string {
	var b strings.Builder
	for _, p := range ps {
		switch {
		case p.variable != "":
			b.WriteString("{{" + p.variable + "}}")
		case p.braces:
			b.WriteString(`\{{`)
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// convert rewrites a text of another dialect in ours. Errors name file, line
// and construct; line is that of the text's beginning.
func convert(text string, d dialect, file string, line int) (string, error) {
	ps, err := split(text, d, file, line)
	return ours(ps), err
}

// A splitter takes a template apart.
type splitter struct {
	text string
	d    dialect
	file string
	line int // of the text's beginning

	pos    int // what stands before is in pieces
	pieces []piece
}

func split(text string, d dialect, file string, line int) ([]piece, error) {
	s := &splitter{text: text, d: d, file: file, line: line}
	for from := 0; ; {
		i := s.next(from)
		if i < 0 {
			s.plain(len(text))
			return s.pieces, nil
		}
		var err error
		if from, err = s.construct(i); err != nil {
			return nil, err
		}
	}
}

// next finds the next place that may mean something.
func (s *splitter) next(from int) int {
	for i := from; i+1 < len(s.text); i++ {
		if s.text[i] != '{' {
			continue
		}
		if c := s.text[i+1]; c == '{' || s.d == jinja && (c == '%' || c == '#') {
			return i
		}
	}
	return -1
}

func (s *splitter) plain(end int) {
	if end > s.pos {
		s.pieces = append(s.pieces, piece{text: s.text[s.pos:end]})
	}
	s.pos = end
}

func (s *splitter) add(p piece, end int) int {
	s.pieces, s.pos = append(s.pieces, p), end
	return end
}

func (s *splitter) fail(at int, format string, args ...any) error {
	return fail(s.file, s.line+strings.Count(s.text[:at], "\n"), format, args...)
}

// construct reads what begins at i and returns where to go on.
func (s *splitter) construct(i int) (int, error) {
	switch escaped := i > s.pos && s.text[i-1] == '\\'; {
	case escaped && s.d == handlebars && (i < 2 || s.text[i-2] != '\\'):
		s.plain(i - 1)
		return s.add(piece{braces: true}, i+2), nil
	case escaped && s.text[i+1] == '{':
		return 0, s.fail(i, `a backslash stands before {{, where it means plain braces here; move it away from the braces`)
	}
	if s.d == jinja && s.text[i+1] != '{' {
		return 0, s.fail(i, "%s is logic or a comment of the template, and a prompt here has variables alone; write it out", s.shown(i))
	}
	end := s.closing(i)
	if end < 0 {
		if s.d == plain {
			s.plain(i)
			return s.add(piece{braces: true}, i+2), nil
		}
		return 0, s.fail(i, "{{ is never closed")
	}
	inner := s.text[i+2 : end-2]
	switch s.d {
	case jinja:
		return s.jinja(i, end, inner)
	case handlebars:
		return s.handlebars(i, end)
	}
	if name := strings.TrimSpace(inner); isName(name) {
		s.plain(i)
		return s.add(piece{variable: name}, end), nil
	}
	if strings.HasPrefix(inner, "{") {
		return 0, s.fail(i, "three braces in a row: only {{name}} is a variable here")
	}
	s.plain(i)
	return s.add(piece{braces: true}, i+2), nil
}

// closing is the end of the tag that begins at i, or -1. A tag is at most a
// kilobyte long.
func (s *splitter) closing(i int) int {
	window := s.text[i+2 : min(len(s.text), i+2+1024)]
	n := strings.Index(window, "}}")
	if n < 0 {
		return -1
	}
	return i + 2 + n + 2
}

// jinja reads {{ name }} and {{ '{{' }}.
func (s *splitter) jinja(i, end int, inner string) (int, error) {
	name := strings.TrimSpace(inner)
	switch quoted := strings.Trim(name, `'"`); {
	case len(name) > 2 && name[0] == name[len(name)-1] && (name[0] == '\'' || name[0] == '"') && slices.Contains([]string{"{{", "{%", "{#"}, quoted):
		s.plain(i)
		if quoted == "{{" {
			return s.add(piece{braces: true}, end), nil
		}
		return s.add(piece{text: quoted}, end), nil
	case strings.HasPrefix(inner, "-") || strings.HasSuffix(inner, "-"):
		return 0, s.fail(i, "%s trims the white space around it, which a prompt here cannot; write {{%s}}", s.shown(i), strings.Trim(name, "- "))
	case strings.HasPrefix(name, "env."):
		return 0, s.fail(i, "%s is of the environment, which a prompt here never reads; make it a variable", s.shown(i))
	case strings.ContainsAny(name, "|"):
		return 0, s.fail(i, "%s has a filter, and a prompt here has variables alone; let the caller do it", s.shown(i))
	case !isName(name) || slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, name):
		return 0, s.fail(i, "%s is an expression, and a prompt here has variables alone: {{name}} of letters, digits and _", s.shown(i))
	}
	s.plain(i)
	return s.add(piece{variable: name}, end), nil
}

// handlebars reads {{name}}, {{{name}}}, {{&name}}, comments and {{role "x"}}.
// dotprompt escapes no HTML, so that the first three are the same.
func (s *splitter) handlebars(i, end int) (int, error) {
	triple := strings.HasPrefix(s.text[i+2:], "{")
	if triple {
		if !strings.HasPrefix(s.text[end:], "}") {
			return 0, s.fail(i, "{{{ is never closed")
		}
		end++
	}
	inner := strings.Trim(s.text[i:end], "{}")
	name := strings.TrimSpace(inner)
	switch {
	case strings.HasPrefix(inner, "!"):
		return s.comment(i, end)
	case !triple && strings.HasPrefix(name, "role "):
		role := strings.Trim(strings.TrimSpace(strings.TrimPrefix(name, "role ")), `"'`)
		if role == "" || strings.ContainsAny(role, " =\"'") {
			return 0, s.fail(i, `%s: write {{role "system"}}, and nothing after the role`, s.shown(i))
		}
		s.plain(i)
		return s.add(piece{role: role}, end), nil
	case strings.ContainsAny(inner[:min(1, len(inner))], "#/^>~*@") || strings.HasSuffix(inner, "~") || strings.ContainsAny(name, " \t\n(") ||
		slices.Contains([]string{"else", "history", "json", "role", "media", "section", "ifEquals", "unlessEquals", "this"}, name):
		return 0, s.fail(i, "%s is a block, a partial or a helper, and a prompt here has variables alone; write it out", s.shown(i))
	}
	name = strings.TrimSpace(strings.TrimPrefix(name, "&"))
	if !isName(name) {
		return 0, s.fail(i, "%s is not a variable here: {{name}} of letters, digits and _", s.shown(i))
	}
	s.plain(i)
	return s.add(piece{variable: name}, end), nil
}

// comment leaves a comment out; one that has a line for itself goes with it.
func (s *splitter) comment(i, end int) (int, error) {
	if strings.HasPrefix(s.text[i:], "{{!--") {
		n := strings.Index(s.text[i:], "--}}")
		if n < 0 {
			return 0, s.fail(i, "{{!-- is never closed")
		}
		end = i + n + 4
	}
	// White space alone is looked at, so that a line of a thousand comments is
	// not read a thousand times.
	before := strings.TrimRight(s.text[s.pos:i], " \t")
	after := strings.TrimLeft(s.text[end:], " \t\r")
	first := before == "" && (s.pos == 0 || s.text[s.pos-1] == '\n') || strings.HasSuffix(before, "\n")
	if first && (after == "" || after[0] == '\n') {
		i, end = s.pos+len(before), len(s.text)-len(strings.TrimPrefix(after, "\n"))
	}
	s.plain(i)
	s.pos = end
	return end, nil
}

// shown is the tag at i, for a message.
func (s *splitter) shown(i int) string {
	end := s.closing(i)
	if s.d == jinja && s.text[i+1] != '{' {
		end = i + 2
		if n := strings.IndexByte(s.text[i:], '}'); n >= 0 {
			end = i + n + 1
		}
	}
	return prompt.Clip(strings.ReplaceAll(s.text[i:max(end, i+2)], "\n", " "), 60)
}

// isName is the rule for the name of a variable.
func isName(s string) bool {
	if s == "" || len(s) > 64 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// splitOurs takes a text of ours apart. Its includes are expanded, and it is
// valid: every {{ that is not escaped is a variable's.
func splitOurs(text string) (ps []piece) {
	for {
		i := strings.Index(text, "{{")
		if i > 0 && text[i-1] == '\\' {
			ps = append(ps, piece{text: text[:i-1]}, piece{braces: true})
			text = text[i+2:]
			continue
		}
		n := -1
		if i >= 0 {
			n = strings.Index(text[i:], "}}")
		}
		if n < 0 {
			return append(ps, piece{text: text})
		}
		ps = append(ps, piece{text: text[:i]}, piece{variable: strings.TrimSpace(text[i+2 : i+n])})
		text = text[i+n+2:]
	}
}

// theirs writes a text of ours in another dialect. What the dialect cannot say
// reads back as something else, which the caller finds out.
func theirs(text string, d dialect) string {
	var b strings.Builder
	for _, p := range splitOurs(text) {
		switch {
		case p.variable != "":
			b.WriteString("{{" + p.variable + "}}")
		case p.braces && d == jinja:
			b.WriteString("{{ '{{' }}")
		case p.braces && d == handlebars:
			b.WriteString(`\{{`)
		case p.braces:
			b.WriteString("{{")
		case d == jinja:
			b.WriteString(literal(p.text))
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// literal writes text so that Jinja and Nunjucks leave it as it is.
func literal(text string) string {
	return strings.NewReplacer("{{", "{{ '{{' }}", "{%", "{{ '{%' }}", "{#", "{{ '{#' }}").Replace(text)
}
