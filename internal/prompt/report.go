package prompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A rule is a finding's code, in one file.
type rule struct{ file, code string }

// report adds a finding, unless its rule has maxRuns of them in this file: a
// hostile file would have a hundred thousand.
func (p *parser) report(file string, line, col int, code, msg, fix string) {
	if !p.full(file, code) {
		p.findings = append(p.findings, Finding{path.Join(p.dir, file), line, col, code, SeverityError, msg, fix})
	}
	if p.count == nil {
		p.count = make(map[rule]int)
	}
	p.count[rule{file, code}]++
}

func (p *parser) full(file, code string) bool { return p.count[rule{file, code}] >= maxRuns }

// sorted is the findings in order. The last of a rule counts what was left out.
func (p *parser) sorted() []Finding {
	SortFindings(p.findings)
	for i, f := range slices.Backward(p.findings) {
		r := rule{path.Base(f.Path), f.Code}
		if more := p.count[r] - maxRuns; more > 0 {
			p.findings[i].Message += fmt.Sprintf(" (and %d more)", more)
			p.count[r] = 0
		}
	}
	return p.findings
}

// at reports a finding in a file, at a byte offset.
func (p *parser) at(file string, data []byte, offset int, code, msg, fix string) {
	line, col := 0, 0
	if !p.full(file, code) {
		line, col = strictjson.Position(data, offset)
	}
	p.report(file, line, col, code, msg, fix)
}

// key reports a finding in the metadata, at the key that path leads to.
func (p *parser) key(code, msg, fix string, path ...string) {
	offset := 0
	if !p.full(MetadataFile, code) {
		offset = strictjson.Locate(p.meta, path...)
	}
	p.at(MetadataFile, p.meta, offset, code, msg, fix)
}

// A source is the text of a message and the file it stands in.
type source struct {
	file       string
	data, text []byte
	quote      int // where the JSON string that holds the text starts in data; 0 if the text is the file
}

func wholeFile(file string, data []byte) source { return source{file, data, data, 0} }

// in reports a finding at a byte offset of a message's text.
func (p *parser) in(t source, offset int, code, msg, fix string) {
	if t.quote > 0 && !p.full(t.file, code) {
		offset = t.quote + strictjson.Escaped(t.data[t.quote:], offset)
	}
	p.at(t.file, t.data, offset, code, msg, fix)
}

// syntax reports what is no strict JSON.
func (p *parser) syntax(file string, data []byte, err error) {
	offset := 0
	if e, ok := err.(*strictjson.Error); ok { //nolint:errorlint // Check returns nothing else
		offset = e.Offset
	}
	p.at(file, data, offset, "json", err.Error(), "")
}

// escaped reports hidden characters that metadata spells as escapes, at the
// key whose value holds them: "\u202e" is as hidden as the character itself.
func (p *parser) escaped(meta []byte) {
	if !bytes.Contains(meta, []byte(`\u`)) {
		return
	}
	members, err := strictjson.Members(meta)
	if err != nil {
		return // reported where it was read
	}
	for _, m := range members {
		var value any
		if json.Unmarshal(meta[m.Start:m.End], &value) != nil {
			continue
		}
		for _, s := range stringsIn(value) {
			for _, issue := range CheckText([]byte(s)) {
				if p.allow[issue.Rule] == "" || !issue.Allowable {
					p.at(MetadataFile, meta, m.KeyStart, issue.Rule, m.Key+" holds, as an escape: "+issue.Message, "delete it")
				}
			}
		}
	}
}

// stringsIn lists the strings of a JSON value, keys too.
func stringsIn(v any) (out []string) {
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, e := range v {
			out = append(out, stringsIn(e)...)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(append(out, k), stringsIn(v[k])...)
		}
	}
	return out
}
