package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// hostile are texts that try to be more than text where a report is shown.
var hostile = []string{
	"```\n# out\n![x](http://evil.example/x.png)\n<script>alert(1)</script>\n@everyone",
	"`````\n`` ` ```", "`", "``", "``` ```", "\\`", "a\\|b | c", "|---|\n| `x` |", "\\",
	"~~~\nx", "::add-mask::secret", "  ::set-output name=x::y", "a\n\t::warning::b", "##[add-mask]secret", "##vso[task.setvariable]x",
	"\x1b]0;title\x07\x1b[2J\x1b]52;c;AA==\x07", "\r::error::x", "\u009b31m", "a\u202eb\u2066c", "\x00\x01\x02\ufffe\uffff", "\xff\xfe\xfd", "\u2028::stop-commands::x",
	"<!-- incipit:report -->", "-->", "</details><img src=x onerror=alert(1)>", "<a href='javascript:alert(1)'>x</a>", "]]>", "&lt;&#x3c;",
	"{{.}} {{`", "javascript:alert(1)", "[x](javascript:alert(1))", "@octocat #1 GH-1 https://evil.example www.evil.example",
	"- [ ] task\n+ list\n1. one\n***\n---\n# head\n> quote\n\tcode", "$x$ $$y$$ :smile:", strings.Repeat("`", 300), strings.Repeat("long ", 20_000), "\u0085::x", "",
}

// filled is a report in which every text of an outsider is s.
func filled(s string) Report {
	r := sample()
	p := &r.Prompts[1]
	p.Version, p.Words, p.Bump, p.Base.Version, p.Base.Environment = s, s, s, s, s
	p.Why, p.Untested = []string{s, s}, []string{s}
	p.Changes[0].Detail = s
	p.Findings = []prompt.Finding{{Path: s, Line: 1, Code: s, Severity: prompt.SeverityError, Message: s, Fix: s}}
	for _, run := range []*Run{p.Run, p.BaseRun} {
		run.Suite, run.Notices = s, []string{s}
		for i := range run.Cases {
			c := &run.Cases[i]
			c.Description, c.Target, c.Provider, c.Output, c.File = s, s, s, s, s
			for k := range c.Grades {
				c.Grades[k].Type, c.Grades[k].Reason = s, s
				c.Grades[k].Parts = []Grade{{Type: s, Outcome: Fail, Reason: s}}
			}
			if c.Failure != nil {
				c.Failure = &Failure{s, s, s}
			}
		}
	}
	for i := range p.Compared.Metrics {
		p.Compared.Metrics[i].Name, p.Compared.Metrics[i].Why = s, s
	}
	p.Compared.Worse = append(p.Compared.Worse, s)
	r.Reasons, r.Warnings, r.Nothing, r.Mode, r.Commit = []string{s}, []string{s}, s, s, s
	return r
}

func TestHostileTextIsText(t *testing.T) {
	for i, s := range hostile {
		for name, doc := range forms(t, filled(s)) {
			if err := harmless(name, doc); err != nil {
				t.Errorf("text %d, %.60q: %s: %v", i, s, name, err)
			}
		}
	}
}

// harmless says what in a document could be obeyed by whoever shows it.
func harmless(name string, doc []byte) error {
	if !utf8.Valid(doc) {
		return errors.New("it is not UTF-8")
	}
	if bytes.Contains(doc, []byte("##[")) && name != "report.html" && name != "junit.xml" {
		return errors.New("it has ##[")
	}
	json := strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".sarif")
	for line := range strings.SplitSeq(string(doc), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			return fmt.Errorf("a line is a command: %.80q", line)
		}
		for _, r := range line {
			if unicode.IsControl(r) && r != '\t' && !json {
				return fmt.Errorf("it has %U", r)
			}
		}
		if !json && prompt.Visible(line) != line {
			return fmt.Errorf("somebody does not see %.80q", prompt.Visible(line))
		}
	}
	switch {
	case name == "report.md":
		return sound(string(doc))
	case name == "junit.xml":
		return wellFormed(doc)
	case name == "report.html":
		return onlyOurTags(string(doc))
	}
	return nil
}

func wellFormed(doc []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// onlyOurTags reports a tag or an attribute that the page does not have.
func onlyOurTags(doc string) error {
	for _, part := range strings.Split(doc, "<")[1:] {
		tag, _, ok := strings.Cut(part, ">")
		name := strings.TrimPrefix(strings.Fields(tag)[0], "/")
		known := []string{
			"!doctype", "html", "head", "meta", "title", "style", "body", "main", "section", "footer", "h1", "h2", "h3", "h4", "p", "ul", "li", "br", "small",
			"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "pre", "del", "ins",
		}
		if !ok || !slices.Contains(known, name) {
			return fmt.Errorf("there is a tag <%.60s", tag)
		}
		for _, a := range []string{" on", " href", " src"} {
			if strings.Contains(tag, a) && name != "meta" {
				return fmt.Errorf("there is an attribute in <%.60s>", tag)
			}
		}
	}
	return nil
}

// sound checks a Markdown document as CommonMark reads it, as far as we use it:
// every fence is closed, and outside of fences and of spans of code there is
// nothing but letters, our punctuation and our own tags.
func sound(doc string) error {
	rest, ok := strings.CutPrefix(doc, Marker+"\n")
	if !ok {
		return errors.New("the marker is not its first line")
	}
	if len(doc) > maxMarkdown {
		return fmt.Errorf("it has %d bytes", len(doc))
	}
	open := 0 // length of the fence that is open
	for line := range strings.SplitSeq(rest, "\n") {
		marks := len(line) - len(strings.TrimLeft(line, "`"))
		switch {
		case open > 0:
			if marks >= open && strings.TrimSpace(line[marks:]) == "" {
				open = 0
			}
		case marks >= 3 && !strings.Contains(line[marks:], "`"):
			open = marks
		default:
			outside, err := withoutCode(line)
			if err != nil {
				return err
			}
			if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 8 {
				return fmt.Errorf("a row has other cells: %.200s", line)
			}
			outside = strings.NewReplacer("<sub>", "", "</sub>", "").Replace(outside)
			if i := strings.IndexAny(outside, "<>@\\`~&!_{}$"); i >= 0 || strings.Contains(outside, "](") || strings.Contains(outside, "://") {
				return fmt.Errorf("outside of code stands %.200s", outside)
			}
		}
	}
	if open > 0 {
		return errors.New("a fence is open at the end")
	}
	return nil
}

// withoutCode removes the spans of code from a line.
func withoutCode(line string) (string, error) {
	var out strings.Builder
	for {
		at := strings.IndexByte(line, '`')
		if at < 0 {
			out.WriteString(line)
			return out.String(), nil
		}
		out.WriteString(line[:at])
		line = line[at:]
		n := len(line) - len(strings.TrimLeft(line, "`"))
		line = line[n:]
		end := closing(line, n)
		if end < 0 {
			return "", fmt.Errorf("a span of code is open: %.80s", line)
		}
		out.WriteString("code")
		line = line[end+n:]
	}
}

// closing finds the run of exactly n backticks.
func closing(line string, n int) int {
	for i := 0; i < len(line); i++ {
		if line[i] != '`' {
			continue
		}
		run := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
		if run == n {
			return i
		}
		i += run - 1
	}
	return -1
}

func TestAReportThatIsTooLongSaysSo(t *testing.T) {
	r := sample()
	r.Prompts = slices.Repeat(r.Prompts, 60)
	doc := string(r.Markdown())
	if err := sound(doc); err != nil {
		t.Error(err)
	}
	if !strings.Contains(doc, "did not fit and are left out") || !strings.Contains(doc, "</sub>") {
		t.Error("what was left out is not said")
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := harmless("report.md", filled(s).Markdown()); err != nil {
			t.Error(err)
		}
	})
}

func FuzzRead(f *testing.F) {
	doc, err := sample().JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	for _, s := range hostile {
		doc, err := filled(s).JSON()
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Read(doc); err != nil {
			f.Fatalf("%.60q: %v", s, err)
		}
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(data)
		if err != nil {
			return
		}
		again, err := r.JSON()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("it is read and not written alike (%v)", err)
		}
		r.Sort()
		r.Judge()
		r.Markdown()
		if _, err := r.HTML(); err != nil {
			t.Error(err)
		}
		if _, err := r.JUnit(); err != nil {
			t.Error(err)
		}
	})
}
