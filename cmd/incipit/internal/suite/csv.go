package suite

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const maxColumns = 1000

// A table is a CSV file (RFC 4180): a row of names and rows of values, each as
// long as the first.
type table struct {
	columns []string // trimmed
	rows    []tableRow
}

type tableRow struct {
	fields []string
	line   int // where it begins
}

// A csvReader parts a text into rows. A quote inside an unquoted value is a
// character like any other, as promptfoo reads it; a quoted value that does
// not end, or goes on behind its quote, is an error.
type csvReader struct {
	text  string
	line  int // of what is read next, from 1
	start int // line of the row that is being read
}

// csvProblem is what is wrong with a CSV, and on which line.
type csvProblem struct {
	line     int
	msg, fix string
}

func (l *loader) table(file, raw string) (*table, bool) {
	r := csvReader{text: raw, line: 1}
	t := &table{}
	for {
		fields, problem := r.row(len(t.columns))
		if problem != nil {
			l.fault(file, mark{problem.line, 0}, "csv", problem.msg, problem.fix)
			return nil, false
		}
		switch {
		case fields == nil:
			return t, true
		case t.columns == nil:
			if !l.columns(t, file, fields) {
				return nil, false
			}
		case len(fields) != len(t.columns):
			l.fault(file, mark{r.start, 0}, "csv", fmt.Sprintf("this row has %d values, the first row names %d", len(fields), len(t.columns)),
				"quote values that contain commas or line ends")
			return nil, false
		case len(t.rows) >= maxCases:
			l.fault(file, mark{r.start, 0}, "too-large", fmt.Sprintf("has more than %d rows", maxCases), "split it")
			return nil, false
		default:
			t.rows = append(t.rows, tableRow{fields, r.start})
		}
	}
}

func (l *loader) columns(t *table, file string, fields []string) bool {
	seen := make(map[string]bool, len(fields))
	for _, name := range fields {
		name = strings.TrimSpace(name)
		switch {
		case len(fields) > maxColumns:
			l.fault(file, mark{1, 0}, "csv", fmt.Sprintf("has more than %d columns", maxColumns), "")
			return false
		case name == "":
			l.fault(file, mark{1, 0}, "csv", "a column has no name", "name it, or remove it and the comma before it")
			return false
		case seen[name]:
			l.fault(file, mark{1, 0}, "csv", fmt.Sprintf("two columns have the name %q", prompt.Clip(name, 60)), "number them: __expected1, __expected2")
			return false
		}
		seen[name] = true
		t.columns = append(t.columns, name)
	}
	return true
}

// row reads a row that is not empty; nil at the end. size is how many values
// it will have, if that is known.
func (r *csvReader) row(size int) ([]string, *csvProblem) {
	for r.text != "" && (r.text[0] == '\n' || strings.HasPrefix(r.text, "\r\n")) {
		r.text = r.text[strings.IndexByte(r.text, '\n')+1:]
		r.line++
	}
	if r.text == "" {
		return nil, nil
	}
	r.start = r.line
	fields := make([]string, 0, size)
	for {
		field, last, problem := r.field()
		if problem != nil {
			return nil, problem
		}
		if fields = append(fields, field); last || len(fields) > maxColumns {
			return fields, nil
		}
	}
}

// field reads one value, and whether the row ends behind it.
func (r *csvReader) field() (field string, last bool, problem *csvProblem) {
	if strings.HasPrefix(r.text, `"`) {
		return r.quoted()
	}
	end := strings.IndexAny(r.text, ",\n")
	if end < 0 {
		field, r.text = r.text, ""
		return strings.TrimSuffix(field, "\r"), true, nil
	}
	field = r.text[:end]
	last = r.text[end] == '\n'
	r.text = r.text[end+1:]
	if last {
		r.line++
		field = strings.TrimSuffix(field, "\r")
	}
	return field, last, nil
}

func (r *csvReader) quoted() (field string, last bool, problem *csvProblem) {
	opened := r.line
	rest := r.text[1:]
	var b strings.Builder
	for {
		end := strings.IndexByte(rest, '"')
		if end < 0 {
			return "", false, &csvProblem{opened, "the quote that opens here is never closed", `close it; write a quote inside quotes as ""`}
		}
		part := rest[:end]
		r.line += strings.Count(part, "\n")
		rest = rest[end+1:]
		if strings.HasPrefix(rest, `"`) {
			b.WriteString(part)
			b.WriteByte('"')
			rest = rest[1:]
			continue
		}
		if b.Len() == 0 {
			field = part // nothing to copy
		} else {
			b.WriteString(part)
			field = b.String()
		}
		break
	}
	rest = strings.TrimPrefix(rest, "\r")
	switch {
	case rest == "":
		r.text = ""
		return field, true, nil
	case rest[0] == '\n':
		r.line++
		r.text = rest[1:]
		return field, true, nil
	case rest[0] == ',':
		r.text = rest[1:]
		return field, false, nil
	}
	return "", false, &csvProblem{r.line, "there is text behind a closing quote", `write a quote inside quotes as "", and put the whole value into quotes`}
}
