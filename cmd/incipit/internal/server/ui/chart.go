package ui

import (
	"strconv"
	"time"
)

// A chart is a table of figures over time, which a script draws from its cells:
// the part "chart" shows it, and the page loads chart.css and chart.js. A page
// may show several; hovering over one points at the same time in all.
type chart struct {
	ID       string // on the page
	Title    string
	Unit     string // of the axis: ms, %, usd, of 5, calls or tokens
	Note     string // what a figure is, "" where the title says it
	From, To time.Time
	Step     time.Duration // between rows: where one is missing, so is the line
	Marks    string        // the id of an element whose [data-mark] are marked on the axis; "" is none
	Series   []string      // the names of the columns
	Rows     []chartRow    // the oldest first
}

// A chartRow is the figures of a time.
type chartRow struct {
	At    time.Time
	Cells []chartCell // one for each series
}

// A chartCell is a figure as it is drawn and as it is read; both are "" where
// nothing was measured.
type chartCell struct{ Value, Text string }

// Seconds is the step, as the script takes it.
func (c chart) Seconds() int64 { return int64(c.Step / time.Second) }

// Measured reports whether there is anything to draw.
func (c chart) Measured() bool {
	for _, row := range c.Rows {
		for _, cell := range row.Cells {
			if cell.Value != "" {
				return true
			}
		}
	}
	return false
}

// cellOf is a cell of a figure, in the unit of its chart.
func cellOf(v float64, text string) chartCell {
	return chartCell{strconv.FormatFloat(v, 'g', -1, 64), text}
}
