package guard

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// columns are the names that a header may have. arm must be there.
var columns = []string{"arm", "error", "latency_ms", "tokens", "satisfaction", "split", "subject", "first_token_ms", "cost_usd"}

// The places of columns in a header, in the order of columns.
const (
	armColumn = iota
	errorColumn
	latencyColumn
	tokensColumn
	satisfactionColumn
	splitColumn
	subjectColumn
	firstTokenColumn
	costColumn
	columnCount
)

// metricColumn is the column of a metric, in the order of Metrics.
var metricColumn = [metrics]int{errorColumn, latencyColumn, firstTokenColumn, tokensColumn, costColumn, satisfactionColumn}

// timed are the metrics that every call has that did not fail, if any has them.
const timed = Set(1<<Latency | 1<<FirstToken | 1<<Tokens | 1<<Cost)

// A table reads lines of CSV.
type table struct {
	lines   *csv.Reader
	at      [columnCount]int // the place of a column in a line, -1 if there is none
	width   int
	seen    Set       // metrics that had a value
	percent bool      // shares are in percent
	safe    bool      // it was said that the candidate is safe
	chosen  bool      // metrics were chosen by name
	began   bool      // the rollout did
	shares  []float64 // that there were so far, the first two
}

// header reads the first line.
func (t *table) header(notify func(string, ...any)) error {
	names, err := t.lines.Read()
	if err == io.EOF {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "there is nothing to read"), "a header such as arm,error,latency_ms,tokens,satisfaction,split,subject comes first")
	}
	if err != nil {
		return t.wrong(err)
	}
	t.width = len(names)
	for i := range t.at {
		t.at[i] = -1
	}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		switch c := slices.Index(columns, name); {
		case c < 0:
			notify("column %q is passed over; columns are %s", prompt.Clip(name, 40), strings.Join(columns, ","))
		case t.at[c] >= 0:
			return t.wrong(registry.Errorf(prompt.ErrInvalid, "there are two columns %s", name))
		default:
			t.at[c] = i
		}
	}
	if t.at[armColumn] < 0 {
		return registry.WithFix(t.wrong(registry.Errorf(prompt.ErrInvalid, "there is no column arm")), "begin with a header such as arm,error,latency_ms,tokens,satisfaction,split,subject")
	}
	return nil
}

// policy is p for what the header has.
func (t *table) policy(p Policy) (Policy, error) {
	var there Set
	for m, c := range metricColumn {
		if t.at[c] >= 0 {
			there |= Of(Metric(m))
		}
	}
	t.chosen = p.Metrics != 0
	switch missing := p.Metrics &^ there; {
	case there == 0:
		return p, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the header has no metric"), "metrics are error, latency_ms, tokens and satisfaction")
	case missing != 0:
		return p, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the header has no column for %s", missing), "leave it out of the metrics, or add the column")
	case !t.chosen:
		p.Metrics = there
	}
	return p, nil
}

// begin ends the history, at the first line of the rollout. Without a choice by
// name, what had no value in it is left out.
func (t *table) begin(d *Detector, r *Replay, past Set) {
	d.policy.NoShares = t.at[splitColumn] < 0
	if !t.chosen && r.Warmup > 0 && past != 0 {
		d.restrict(d.policy.Metrics & past)
	}
	r.Notify("metrics: %s", d.policy.Metrics)
	if d.policy.NoShares {
		r.Notify("there is no split: calls are compared within blocks of %d, in which the split must stand still", blockCalls)
	}
}

// next reads a line. Only calls of the rollout must have a share.
func (t *table) next(o *Observation, rollout bool) error {
	line, err := t.lines.Read()
	if err != nil {
		if err == io.EOF {
			return err
		}
		return t.wrong(err)
	}
	if len(line) != t.width {
		return t.wrong(registry.Errorf(prompt.ErrInvalid, "%d fields; the header has %d", len(line), t.width))
	}
	cell := func(c int) string {
		if i := t.at[c]; i >= 0 {
			return strings.TrimSpace(line[i])
		}
		return ""
	}
	switch a := bit(cell(armColumn)); a {
	case "candidate", "1":
		o.Candidate = true
	case "stable", "0":
	default:
		if a == "" && !rollout {
			break // there was one release
		}
		return t.wrong(registry.Errorf(prompt.ErrInvalid, "the arm is %q; it must be stable or candidate, 0 or 1", prompt.Clip(a, 40)))
	}
	switch y := bit(cell(errorColumn)); y {
	case "0", "1":
		o.Error = registry.Some(y == "1")
	case "":
	default:
		return t.wrong(registry.Errorf(prompt.ErrInvalid, "error is %q; it must be 0 or 1, or empty", prompt.Clip(y, 40)))
	}
	values := [metrics]*registry.Opt[float64]{nil, &o.LatencyMS, &o.FirstTokenMS, &o.Tokens, &o.Cost, &o.Satisfaction}
	for m, v := range values {
		c := metricColumn[m]
		if text := cell(c); text != "" && v != nil {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return t.wrong(registry.Errorf(prompt.ErrInvalid, "%s is %q, which is no number", columns[c], prompt.Clip(text, 40)))
			}
			*v = registry.Some(x)
		}
	}
	o.Subject = strings.Clone(cell(subjectColumn))
	for m, c := range metricColumn {
		if cell(c) != "" {
			t.seen |= Of(Metric(m))
		}
	}
	// A rating that came later, whose writer has no empty errors: as a call it
	// would count its own call twice.
	if o.Satisfaction.Known && !o.failed() && t.seen&timed != 0 && !o.LatencyMS.Known && !o.FirstTokenMS.Known && !o.Tokens.Known && !o.Cost.Known {
		o.Error = registry.Opt[bool]{}
	}
	if !rollout || t.at[splitColumn] < 0 {
		return t.check(o)
	}
	if !t.began && cell(splitColumn) == "" {
		t.at[splitColumn] = -1 // it is there, and nobody filled it in
	}
	if t.began = true; t.at[splitColumn] < 0 {
		return t.check(o)
	}
	if err := t.share(o, cell(splitColumn)); err != nil {
		return t.wrong(err)
	}
	return t.check(o)
}

// bit is a cell of 0 or 1, that a program may have taken for a fraction.
func bit(cell string) string {
	if cell == "0.0" || cell == "1.0" {
		return cell[:1]
	}
	return cell
}

// share reads the candidate's share. A number above 1 is in percent, and so is
// every one after it. An empty one is the only one that there was; if there were
// several nobody knows which it is, and at 0 nothing is bet.
func (t *table) share(o *Observation, text string) error {
	if text == "" {
		if len(t.shares) == 1 {
			o.Share = t.shares[0]
		}
		return nil
	}
	x, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(x >= 0 && x <= 100) {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "split is %q; it must be the candidate's share, such as 0.05 or 5", prompt.Clip(text, 40)),
			"if shares were not written down, leave the column out")
	}
	t.percent = t.percent || x > 1
	if t.percent || strings.HasSuffix(text, "%") {
		x /= 100
	}
	if o.Share = x; x == 0 && o.Candidate || x == 1 && !o.Candidate {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "split is %s, but that arm has no calls then", text), "numbers up to 1 are shares, those above are percents: write 1 %% as 0.01")
	}
	if x > 0 && x < 1 && len(t.shares) < 2 && !slices.Contains(t.shares, x) {
		t.shares = append(t.shares, x)
	}
	return nil
}

func (t *table) check(o *Observation) error {
	if err := o.Check(); err != nil {
		return t.wrong(err)
	}
	return nil
}

// wrong says in which line an error is.
func (t *table) wrong(err error) error {
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return registry.Errorf(prompt.ErrInvalid, "line %d: %v", bad.Line, bad.Err)
	}
	line, _ := t.lines.FieldPos(0)
	fixed, ok := errors.AsType[*registry.FixError](err)
	if err = registry.Errorf(prompt.ErrInvalid, "line %d: %v", line, err); ok {
		return registry.WithFix(err, "%s", fixed.Fix)
	}
	return err
}
