package calllog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Filter chooses calls. An empty field chooses all.
type Filter struct {
	Prompt      prompt.ID
	Environment string
	Version     string
	Arm         string
	Outcome     registry.Outcome
	ErrorClass  string // of the errors: one of registry.ErrorClasses, or unknown
	Score       *registry.ScoreBounds
	From, To    time.Time // of the start, half open
	Newest      bool      // the newest first
	After       int64     // a number: calls behind it, in the order of the list
	UpTo        int64     // calls with this number or a smaller one; 0 is no limit

	stretch int64 // for tests: numbers that a statement of List looks at; 0 is stretchOf
}

// outcomes are those that the filter asks for, nil for all.
func (f Filter) outcomes() []int {
	classes := map[string]int{
		string(registry.ProviderError): outcomeProvider, string(registry.PromptError): outcomePrompt, string(registry.TimeoutError): outcomeTimeout,
		registry.UnknownError: outcomeError,
	}
	switch {
	case f.ErrorClass != "":
		return []int{classes[f.ErrorClass]}
	case f.Outcome == registry.OK:
		return []int{outcomeOK}
	case f.Outcome == registry.Cancelled:
		return []int{outcomeCancelled}
	case f.Outcome == registry.Failed:
		return []int{outcomeProvider, outcomePrompt, outcomeTimeout, outcomeError}
	}
	return nil
}

// fewOrigins bounds how many origins stand in a statement.
const fewOrigins = 1000

// A condition is what a filter asks of the calls of a day besides numbers.
type condition struct {
	day   day
	where string // of call_{day}
	args  []any  // of it
}

// narrow makes the filter's condition, and reports whether a call of the day can
// meet it. Origins are looked up before: a join would let the database sort all
// calls of the day to find the first.
func (w *condition) narrow(ctx context.Context, q querier, f Filter) (bool, error) {
	if !f.From.IsZero() {
		w.where += ` AND started_us >= ` + w.arg(f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		w.where += ` AND started_us < ` + w.arg(f.To.UnixMicro())
	}
	if of := f.outcomes(); of != nil {
		w.where += ` AND outcome IN (` + strings.Trim(strings.ReplaceAll(fmt.Sprint(of), " ", ","), "[]") + `)`
	}
	if f.Score != nil {
		w.scored(*f.Score)
	}
	return w.from(ctx, q, f)
}

func (w *condition) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

// scored asks for calls with a score within bounds. The satisfaction stands with
// the call, every other one with its feedback.
func (w *condition) scored(s registry.ScoreBounds) {
	column, end := `satisfaction`, ``
	if s.Name == "" {
		w.where += ` AND satisfaction IS NOT NULL`
	} else {
		column, end = `f.value`, `)`
		w.where += w.day.sql(` AND EXISTS (SELECT 1 FROM feedback_{day} f WHERE f.call_id = call_{day}.id AND f.name = `) + w.arg(s.Name)
	}
	if s.Min != nil {
		w.where += ` AND ` + column + ` >= ` + w.arg(*s.Min)
	}
	if s.Max != nil {
		w.where += ` AND ` + column + ` <= ` + w.arg(*s.Max)
	}
	w.where += end
}

// from narrows to the origins that the filter asks for.
func (w *condition) from(ctx context.Context, q querier, f Filter) (bool, error) {
	var of []string
	var args []any
	for _, p := range []struct{ column, is string }{{"prompt", string(f.Prompt)}, {"environment", f.Environment}, {"version", f.Version}, {"arm", f.Arm}} {
		if p.is != "" {
			args = append(args, p.is)
			of = append(of, fmt.Sprintf("%s = $%d", p.column, len(args)))
		}
	}
	if len(of) == 0 {
		return true, nil
	}
	var ids []string
	if err := rows(ctx, q, func(rs *sql.Rows) error {
		var id int64
		err := rs.Scan(&id)
		ids = append(ids, fmt.Sprint(id))
		return err
	}, w.day.sql(`SELECT id FROM origin_{day} WHERE `+strings.Join(of, " AND ")+fmt.Sprintf(` ORDER BY id LIMIT %d`, fewOrigins+1)), args...); err != nil {
		return false, err
	}
	if len(ids) <= fewOrigins {
		w.where += ` AND origin IN (` + strings.Join(ids, ",") + `)`
		return len(ids) > 0, nil
	}
	var wanted []string
	for i, a := range args {
		wanted = append(wanted, strings.Replace(of[i], fmt.Sprintf("$%d", i+1), w.arg(a), 1))
	}
	w.where += ` AND origin IN (SELECT id FROM origin_{day} WHERE ` + strings.Join(wanted, " AND ") + `)`
	return true, nil
}
