package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	File    string       `xml:"file,attr,omitempty"`
	Line    int          `xml:"line,attr,omitempty"`
	Time    string       `xml:"time,attr"` // seconds
	Failure *junitReason `xml:"failure"`
	Error   *junitReason `xml:"error"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit is the report in the XML that CI systems read: a suite for the findings
// of validation, one for the comparison, and one for each run. A case that could
// not be judged is an error and no failure.
func (r Report) JUnit() ([]byte, error) {
	out := junitSuites{Name: "incipit"}
	for i := range r.Prompts {
		p := &r.Prompts[i]
		out.add(p.junitFindings())
		if p.Run != nil {
			out.add(p.Run.junit(string(p.ID) + "@" + p.Version))
		}
		out.add(p.junitCompared())
	}
	for i := range r.Configs {
		out.add(r.Configs[i].junit(r.Configs[i].Suite))
	}
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	enc := xml.NewEncoder(&buf)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("the report as JUnit: %w", err)
	}
	buf.WriteByte('\n')
	return buf.Bytes(), nil
}

func (s *junitSuites) add(one junitSuite) {
	if len(one.Cases) == 0 {
		return
	}
	one.Tests = len(one.Cases)
	for _, c := range one.Cases {
		if c.Failure != nil {
			one.Failures++
		}
		if c.Error != nil {
			one.Errors++
		}
	}
	s.Tests += one.Tests
	s.Failures += one.Failures
	s.Errors += one.Errors
	s.Suites = append(s.Suites, one)
}

func (p *Prompt) junitFindings() junitSuite {
	out := junitSuite{Name: string(p.ID) + " validation"}
	for _, f := range p.Findings {
		c := junitCase{Class: string(p.ID), Name: line(f.String(), 300), File: printable(f.Path), Line: max(f.Line, 1), Time: "0"}
		if f.Severity == prompt.SeverityError {
			c.Failure = &junitReason{Message: line(f.Message, 300), Type: line(f.Code, 60), Text: block(f.Message+"\n"+f.Fix, 2_000)}
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

func (p *Prompt) junitCompared() junitSuite {
	out := junitSuite{Name: string(p.ID) + " comparison"}
	if p.Compared == nil {
		return out
	}
	for _, m := range p.Compared.Metrics {
		c := junitCase{Class: string(p.ID), Name: line(m.Name+" against "+p.base(), 200), Time: "0", Out: line(m.Why, 500)}
		if m.Gated && m.Verdict == "regress" {
			c.Failure = &junitReason{Message: line(m.Why, 500), Type: "regress"}
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

func (r *Run) junit(name string) junitSuite {
	out := junitSuite{Name: printable(name)}
	for i := range r.Cases {
		out.Cases = append(out.Cases, r.Cases[i].junit())
	}
	return out
}

func (c *Case) junit() junitCase {
	name := fmt.Sprintf("%d. %s [%s]", c.Number, line(c.title(), 200), line(c.Provider, 100))
	if c.Repeat > 0 {
		name += fmt.Sprintf(" #%d", c.Repeat+1)
	}
	out := junitCase{
		Class: line(c.Target, 200), Name: name, File: printable(c.File), Line: c.Line,
		Time: strconv.FormatFloat(c.LatencyMS/1000, 'f', 3, 64),
	}
	reasons := c.reasons()
	if c.Outcome == Pass {
		return out
	}
	first := string(c.Outcome)
	if len(reasons) > 0 {
		first = reasons[0]
	}
	why := &junitReason{Message: line(first, 500), Type: string(c.Outcome), Text: block(strings.Join(reasons, "\n"), 10_000)}
	out.Out = block(c.Output, 10_000)
	if c.Outcome == Fail {
		out.Failure = why
		return out
	}
	if c.Failure != nil {
		why.Type = line(c.Failure.Kind, 60)
	}
	out.Error = why
	return out
}

// printable is a name with nothing in it that XML 1.0 forbids or nobody sees;
// the encoder replaces what is left, such as U+FFFE.
func printable(s string) string { return line(s, 1_000) }
