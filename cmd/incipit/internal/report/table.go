package report

import (
	"fmt"
	"strings"
)

// A column of the table is one target asked by one provider.
type column struct{ target, provider string }

// table prints the outputs, a row for each case and repeat, a column for each
// target and provider. Where the columns would be too narrow to read, each
// output has a row of its own.
func (s *sheet) table(r *Run) {
	columns, rows := grid(r.Cases)
	if len(rows) == 0 {
		return
	}
	left := min(36, s.Width/3)
	wide := (s.Width - 2 - left) / len(columns)
	stacked := wide < narrowest+2
	if !stacked {
		heads := make([]string, len(columns))
		for i, c := range columns {
			heads[i] = c.target + " · " + c.provider
		}
		s.row(left, wide, "case", heads)
	}
	for i, row := range rows {
		if i == maxRows && !s.Verbose {
			fmt.Fprintf(s, "  … and %s; --verbose shows all\n", count(len(rows)-i, "more row"))
			break
		}
		if stacked {
			for _, c := range row {
				if c != nil {
					s.row(left, s.Width-2-left, c.label(), []string{c.Target + " · " + c.Provider + ": " + c.said()})
				}
			}
			continue
		}
		cells := make([]string, len(columns))
		var name string
		for k, c := range row {
			if c != nil {
				cells[k], name = c.said(), c.label()
			}
		}
		s.row(left, wide, name, cells)
	}
	s.WriteByte('\n')
}

func (s *sheet) row(left, wide int, name string, cells []string) {
	var b strings.Builder
	b.WriteString("  " + pad(line(name, 2*left), left))
	for _, c := range cells {
		b.WriteString("  " + pad(line(c, 2*wide), wide-2))
	}
	s.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// label is what a row is called.
func (c *Case) label() string {
	s := fmt.Sprintf("%d %s", c.Number, c.title())
	if c.Repeat > 0 {
		s = fmt.Sprintf("%d #%d %s", c.Number, c.Repeat+1, c.title())
	}
	return s
}

// said is the outcome and the beginning of the output. Meaning is never in a
// color alone, and what failed stands out by its capitals.
func (c *Case) said() string {
	switch c.Outcome {
	case Pass:
		return "pass " + c.Output
	case Fail:
		return "FAIL " + c.Output
	}
	if c.Failure != nil {
		return "ERROR " + c.Failure.Text
	}
	return "ERROR"
}

// grid arranges the cases: the columns in the order in which they first appear,
// the rows by number and repeat. A place without a case is nil.
func grid(cases []Case) (columns []column, rows [][]*Case) {
	type place struct{ number, repeat int }
	across, down := make(map[column]int), make(map[place]int)
	for _, c := range cases {
		k := column{c.Target, c.Provider}
		if _, ok := across[k]; !ok {
			across[k] = len(columns)
			columns = append(columns, k)
		}
	}
	for i := range cases {
		c := &cases[i]
		p := place{c.Number, c.Repeat}
		at, ok := down[p]
		if !ok {
			at = len(rows)
			down[p] = at
			rows = append(rows, make([]*Case, len(columns)))
		}
		rows[at][across[column{c.Target, c.Provider}]] = c
	}
	return columns, rows
}
