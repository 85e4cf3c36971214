package prompt

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Files are the bytes of a prompt's directory. A file that does not exist is
// nil.
type Files struct {
	Dir                              string // for findings: prompts/customer-support
	System, User, Examples, Metadata []byte
}

// A Draft is a prompt as its files have it, released or not.
type Draft struct {
	Prompt   Prompt
	Metadata Metadata
	Pins     map[string]Version // ranged includes and the releases they expanded to
}

// Parse reads a prompt and reports everything that is wrong with it. Every
// rule that needs nothing but the files, and the texts they include, is
// checked here; one that cannot be checked never hides another. The draft is
// complete if none of the findings is an error.
func Parse(id ID, files Files, include Includer) (Draft, []Finding) {
	p := parser{dir: files.Dir, meta: files.Metadata}
	m := p.metadata(files)
	p.allow = m.Allow
	if !p.broken { // defaults, tools and schemas are read by a model too; JSON may end its lines as it likes
		meta := bytes.ReplaceAll(files.Metadata, []byte("\r"), []byte(" "))
		p.hidden(wholeFile(MetadataFile, meta), meta, "", 0)
		p.escaped(files.Metadata)
	}

	x := &expansion{include: include, pins: make(map[string]Version), left: maxExpandedBytes}
	d := Draft{
		Metadata: m,
		Pins:     x.pins,
		Prompt: Prompt{
			ID: id, Version: m.Version, Model: m.Model, Variables: m.Variables,
			Parameters: m.Parameters, Tools: m.Tools, OutputSchema: m.OutputSchema,
		},
	}
	use := usage{used: make(map[string]bool)}
	add := func(role string, t source) {
		d.Prompt.Messages = append(d.Prompt.Messages, Message{role, p.message(x, &use, role, t)})
	}
	if files.System == nil {
		p.report(SystemFile, 0, 0, "missing-file", "a prompt needs "+SystemFile, "write the system message into it")
	} else {
		p.length(files.System)
		add(System, wholeFile(SystemFile, files.System))
	}
	if files.Examples != nil {
		p.examples(files.Examples, add)
	}
	if files.User != nil {
		if len(bytes.TrimSpace(files.User)) == 0 {
			p.report(UserFile, 1, 1, "empty-file", "the user message is empty", "write it, or delete the file")
		}
		add(User, wholeFile(UserFile, files.User))
	}
	if !p.broken {
		p.contract(m, use)
	}
	return d, p.sorted()
}

type parser struct {
	dir      string
	meta     []byte
	broken   bool // the metadata cannot be read
	allow    map[string]string
	findings []Finding
	count    map[rule]int
	shared   bool // an included text: what may be allowed is judged where it is included
}

// length holds the lesson's bounds, in characters and not in bytes.
func (p *parser) length(text []byte) {
	const least, most = 50, 50_000
	switch n := utf8.RuneCount(text); {
	case n < least:
		p.report(SystemFile, 1, 1, "too-short", fmt.Sprintf("the system message has %d characters, at least %d are needed", n, least), "say who the model is, what it does and what it must not do")
	case n > most:
		p.report(SystemFile, 1, 1, "too-long", fmt.Sprintf("the system message has %d characters, at most %d are allowed", n, most), "move examples to "+ExamplesFile+" and reference text to a variable")
	}
}

// message checks one text and expands its includes.
func (p *parser) message(x *expansion, use *usage, role string, t source) string {
	p.hidden(t, t.text, "", 0)
	text := string(t.text)
	if !utf8.Valid(t.text) {
		return text
	}
	if err := x.spend(len(text)); err != nil {
		p.in(t, 0, "include", err.Error(), "")
		return text
	}
	parts, errs := parseTemplate(text)
	for _, e := range errs {
		p.in(t, e.offset, "template", e.msg, "")
	}
	var (
		out   strings.Builder
		pos   int
		names []string
		bad   = len(errs) > 0
	)
	note := func(variable string, offset int) {
		if variable != "" {
			names = append(names, variable)
			use.note(variable, role, t, offset)
		}
	}
	for _, part := range parts {
		if part.include == "" {
			note(part.variable, part.start)
			continue
		}
		out.WriteString(text[pos:part.start])
		pos = part.end
		inner, err := x.one(part, nil)
		if err != nil {
			p.in(t, part.start, "include", err.Error(), "")
			bad = true
			continue
		}
		out.WriteString(inner)
		p.hidden(t, []byte(inner), "in include "+part.include+": ", part.start)
		it, errs := parseTemplate(inner)
		if len(errs) > 0 {
			p.in(t, part.start, "template", "in include "+part.include+": "+errs[0].msg, "")
			bad = true
		}
		for _, ip := range it {
			note(ip.variable, part.start)
		}
	}
	out.WriteString(text[pos:])
	if bad {
		return text
	}
	if pos > 0 && !slices.Equal(names, variableNames(out.String())) {
		p.in(t, 0, "include", `an included text and what stands beside it make a new {{ or \{{ together`, "put a space or a new line between them")
	}
	return out.String()
}

// hidden reports the invisible characters and the secrets of a text: the
// source's own, or one that is included at an offset of it.
func (p *parser) hidden(t source, text []byte, where string, included int) {
	at := func(offset int) int {
		if where != "" {
			return included
		}
		return offset
	}
	for _, issue := range CheckText(text) {
		fix := "delete it"
		if issue.Allowable {
			if p.shared || p.allow[issue.Rule] != "" {
				continue
			}
			fix = fmt.Sprintf(`delete it, or say why it must stay: "allow": {%q: "reason"} in %s`, issue.Rule, MetadataFile)
		}
		p.in(t, at(issue.Offset), issue.Rule, where+issue.Message, fix)
	}
	for _, s := range FindSecrets(text) {
		if p.allow[s.Rule] == "" {
			p.in(t, at(s.Offset), "secret", where+s.Rule+": "+s.Message, fmt.Sprintf(`remove it and revoke it; if it is none: "allow": {%q: "reason"} in %s`, s.Rule, MetadataFile))
		}
	}
}

func variableNames(text string) (names []string) {
	t, _ := parseTemplate(text)
	for _, part := range t {
		if part.variable != "" {
			names = append(names, part.variable)
		}
	}
	return names
}

// ParseShared reads an included text as a prompt of one message, so that it
// can be compared, digested and released like one. Each variable in it counts
// as required: whoever includes it must declare it.
func ParseShared(id ID, file string, text []byte, include Includer) (Draft, []Finding) {
	p := parser{dir: path.Dir(file), shared: true}
	x := &expansion{include: include, pins: make(map[string]Version), left: maxExpandedBytes}
	use := usage{used: make(map[string]bool)}
	d := Draft{Pins: x.pins, Prompt: Prompt{ID: id, Variables: make(map[string]Variable)}}
	d.Prompt.Messages = []Message{{System, p.message(x, &use, System, wholeFile(path.Base(file), text))}}
	for name := range use.used {
		d.Prompt.Variables[name] = Variable{Trusted: true}
	}
	for _, pin := range slices.Sorted(maps.Keys(x.pins)) {
		p.report(path.Base(file), 1, 1, "include", "an included text cannot include a range, "+pin+": it has no metadata to pin it in", "include the text without a range, or include the range in the prompts")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		p.report(path.Base(file), 1, 1, "empty-file", "the text is empty", "")
	}
	return d, p.sorted()
}
