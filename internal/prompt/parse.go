package prompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/strictjson"
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
	add := func(file, role string, text []byte) {
		content := p.message(x, &use, file, role, text)
		d.Prompt.Messages = append(d.Prompt.Messages, Message{role, content})
	}
	if files.System == nil {
		p.report(SystemFile, 0, 0, "missing-file", "a prompt needs "+SystemFile, "write the system message into it")
	} else {
		p.length(files.System)
		add(SystemFile, System, files.System)
	}
	for _, e := range p.examples(files.Examples) {
		add(ExamplesFile, e.Role, []byte(e.Content))
	}
	if files.User != nil {
		if len(bytes.TrimSpace(files.User)) == 0 {
			p.report(UserFile, 1, 1, "empty-file", "the user message is empty", "write it, or delete the file")
		}
		add(UserFile, User, files.User)
	}
	if !p.broken {
		p.contract(m, use)
	}
	SortFindings(p.findings)
	return d, p.findings
}

type parser struct {
	dir      string
	meta     []byte
	broken   bool // the metadata cannot be read
	allow    map[string]string
	findings []Finding
}

func (p *parser) report(file string, line, col int, code, msg, fix string) {
	p.findings = append(p.findings, Finding{path.Join(p.dir, file), line, col, code, SeverityError, msg, fix})
}

// at reports a finding in a text file, at a byte offset.
func (p *parser) at(file string, text []byte, offset int, code, msg, fix string) {
	line, col := strictjson.Position(text, offset)
	p.report(file, line, col, code, msg, fix)
}

// key reports a finding in the metadata, at the key that path leads to.
func (p *parser) key(code, msg, fix string, path ...string) {
	p.at(MetadataFile, p.meta, strictjson.Locate(p.meta, path...), code, msg, fix)
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
func (p *parser) message(x *expansion, use *usage, file, role string, text []byte) string {
	for _, issue := range CheckText(text) {
		fix := "delete it"
		if issue.Allowable {
			if p.allow[issue.Rule] != "" {
				continue
			}
			fix = fmt.Sprintf(`delete it, or say why it must stay: "allow": {%q: "reason"} in %s`, issue.Rule, MetadataFile)
		}
		p.at(file, text, issue.Offset, issue.Rule, issue.Message, fix)
	}
	for _, s := range FindSecrets(text) {
		if p.allow[s.Rule] == "" {
			p.at(file, text, s.Offset, "secret", s.Rule+": "+s.Message, fmt.Sprintf(`remove it and revoke it; if it is none: "allow": {%q: "reason"} in %s`, s.Rule, MetadataFile))
		}
	}
	if !utf8.Valid(text) {
		return string(text)
	}
	source := string(text)
	t, errs := parseTemplate(source)
	for _, e := range errs {
		p.at(file, text, e.offset, "template", e.msg, "")
	}
	// Each include is expanded alone first, so that each that fails is named
	// where it stands.
	failed := false
	for _, part := range t {
		if part.include == "" {
			use.note(part.variable, role, file, text, part.start)
			continue
		}
		inner, err := x.one(part, nil)
		if err != nil {
			p.at(file, text, part.start, "include", err.Error(), "")
			failed = true
			continue
		}
		it, _ := parseTemplate(inner)
		for _, ip := range it {
			use.note(ip.variable, role, file, text, part.start)
		}
	}
	if failed {
		return source
	}
	expanded, err := x.expand(source, nil)
	if err != nil {
		p.report(file, 1, 1, "include", err.Error(), "")
		return source
	}
	return expanded
}

// examples reads messages.json: turns of user and assistant, the last of them
// the assistant's.
func (p *parser) examples(data []byte) []Message {
	if data == nil {
		return nil
	}
	if err := strictjson.Check(data); err != nil {
		p.syntax(ExamplesFile, data, err)
		return nil
	}
	var ms []Message
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ms); err != nil {
		p.report(ExamplesFile, 1, 1, "examples", "must be a list of {role, content}: "+err.Error(), `write [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]`)
		return nil
	}
	for i, m := range ms {
		if m.Role != User && m.Role != Assistant {
			p.report(ExamplesFile, 1, 1, "examples", fmt.Sprintf("message %d has the role %q", i+1, Clip(m.Role, 40)), "examples have the roles user and assistant")
		}
	}
	if n := len(ms); n > 0 && ms[n-1].Role != Assistant {
		p.report(ExamplesFile, 1, 1, "examples", "the last example must be the assistant's", "end with an answer; what the user says at run time belongs in "+UserFile)
	}
	return ms
}

func (p *parser) syntax(file string, data []byte, err error) {
	offset := 0
	if e, ok := err.(*strictjson.Error); ok { //nolint:errorlint // Check returns nothing else
		offset = e.Offset
	}
	p.at(file, data, offset, "json", err.Error(), "")
}

// ParseShared reads an included text as a prompt of one message, so that it
// can be compared, digested and released like one. Each variable in it counts
// as required: whoever includes it must declare it.
func ParseShared(id ID, file string, text []byte, include Includer) (Draft, []Finding) {
	p := parser{dir: path.Dir(file)}
	x := &expansion{include: include, pins: make(map[string]Version), left: maxExpandedBytes}
	use := usage{used: make(map[string]bool)}
	d := Draft{Pins: x.pins, Prompt: Prompt{ID: id, Variables: make(map[string]Variable)}}
	d.Prompt.Messages = []Message{{System, p.message(x, &use, path.Base(file), System, text)}}
	for name := range use.used {
		d.Prompt.Variables[name] = Variable{Trusted: true}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		p.report(path.Base(file), 1, 1, "empty-file", "the text is empty", "")
	}
	SortFindings(p.findings)
	return d, p.findings
}
