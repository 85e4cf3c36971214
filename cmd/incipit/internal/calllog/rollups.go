package calllog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A RollupQuery asks for rollups. Prompt is required; an empty other field
// asks for all.
type RollupQuery struct {
	Prompt      prompt.ID
	Environment string
	Version     string
	Arm         string
	From, To    time.Time // half open, widened to whole minutes
	Minutes     bool      // minutes also where hours lie in the period
}

// ofDay is the span of the rollups in rollup_kept, in seconds.
const ofDay = secondsOfDay

// Rollups calls each for every rollup in a period, in no order, several times
// for one series and one time: whoever reads adds them up. Hours are taken
// where they lie in the period, minutes at its edges, or everywhere if the query
// asks for them; where minutes are not
// kept any more, the hour that holds the edge counts whole, and days likewise.
func (l *Log) Rollups(ctx context.Context, q RollupQuery, each func(Row) error) error {
	if q.Prompt == "" {
		return registry.Errorf(prompt.ErrInvalid, "whose rollups? The prompt is empty")
	}
	p := periodOf(q.From, q.To)
	if p.from >= p.to {
		return nil
	}
	var found []Row
	add := func(r Row) error {
		found = append(found, r)
		return nil
	}
	if err := l.read(ctx, func(v *view) error {
		found = found[:0]
		for _, d := range v.live {
			if err := v.day(ctx, d, func(tables querier) error { return p.read(ctx, tables, d, q, add) }); err != nil {
				return err
			}
		}
		return stretches(ctx, v.common, "rollup_kept", q, []stretch{p.touched(ofDay)}, add)
	}); err != nil {
		return err
	}
	for i := range found {
		if err := each(found[i]); err != nil {
			return err
		}
	}
	return nil
}

// A period is a time in whole minutes, half open, in microseconds since 1970.
type period struct{ from, to int64 }

func periodOf(from, to time.Time) period {
	last := to.Add(time.Minute - time.Microsecond)
	return period{startOf(from, minute), startOf(last, minute)}
}

// holds reports whether all of a rollup is in the period.
func (p period) holds(r *Row) bool {
	return p.from <= r.Start.UnixMicro() && r.Start.Add(r.Span).UnixMicro() <= p.to
}

// A stretch is where rollups of a span, in seconds, start.
type stretch struct{ span, from, to int64 }

// touched are the rollups of a span that the period has a part of.
func (p period) touched(span int64) stretch {
	return stretch{span, p.from - mod(p.from, span), p.to + mod(-p.to, span)}
}

// minutes are those that are read: of all hours, or of those that are cut.
func (p period) minutes(all bool) []stretch {
	if !all {
		return p.cut()
	}
	s := p.touched(hour)
	s.span = minute
	return []stretch{s}
}

// cut are the minutes of the hours, at most two, that have a part in the period
// and a part outside.
func (p period) cut() []stretch {
	var out []stretch
	for _, edge := range []int64{p.from, p.to} {
		begin := edge - mod(edge, hour)
		s := stretch{minute, begin, begin + hour*1e6}
		if edge != begin && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// mod is how far a time, in microseconds, is into its span of seconds.
func mod(us, span int64) int64 {
	span *= 1e6
	return (us%span + span) % span
}

// read reads the rollups of one day's tables. What it adds counts each call
// once: an hour that the period cuts counts by its minutes, if all of them are
// there. That is so if they have as many calls as the hour, whatever was
// deleted, is being deleted, or came late.
func (p period) read(ctx context.Context, tables querier, d day, q RollupQuery, add func(Row) error) error {
	type hourOf struct {
		telemetry.Series
		start int64
	}
	type parts struct {
		whole   Row
		minutes []Row
		calls   int64 // of the minutes
	}
	hours := make(map[hourOf]*parts)
	at := func(r *Row) *parts {
		key := hourOf{r.Series, startOf(r.Start, hour)}
		if hours[key] == nil {
			hours[key] = new(parts)
		}
		return hours[key]
	}
	if err := stretches(ctx, tables, d.sql("rollup_{day}"), q, append(p.minutes(q.Minutes), p.touched(hour)), func(r Row) error {
		switch {
		case r.Span == time.Minute:
			h := at(&r)
			h.minutes = append(h.minutes, r)
			h.calls += r.Calls
		case p.holds(&r) && !q.Minutes:
			return add(r)
		default:
			at(&r).whole = r
		}
		return nil
	}); err != nil {
		return err
	}
	for _, h := range hours {
		if h.calls != h.whole.Calls {
			if err := add(h.whole); err != nil {
				return err
			}
			continue
		}
		for _, m := range h.minutes {
			if p.holds(&m) {
				if err := add(m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// stretches reads the rollups of a prompt in each stretch, in one statement and
// so in one state. The environments are looked up first, from one to the next,
// so that the primary key leads to each stretch: keys are compared whole, since
// PostgreSQL would rather read all environments and join them.
func stretches(ctx context.Context, from querier, table string, q RollupQuery, parts []stretch, each func(Row) error) error {
	args := []any{string(q.Prompt)}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	var text strings.Builder
	if q.Environment != "" {
		text.WriteString(`WITH place(name) AS (SELECT CAST(` + arg(q.Environment) + ` AS TEXT))`)
	} else {
		text.WriteString(`WITH RECURSIVE place(name) AS (
			SELECT MIN(environment) FROM ` + table + ` WHERE prompt = $1
			UNION ALL
			SELECT (SELECT MIN(r.environment) FROM ` + table + ` r WHERE r.prompt = $1 AND r.environment > place.name) FROM place WHERE place.name IS NOT NULL)`)
	}
	var narrow string
	if q.Version != "" {
		narrow += ` AND r.version = ` + arg(q.Version)
	}
	if q.Arm != "" {
		narrow += ` AND r.arm = ` + arg(q.Arm)
	}
	for i, p := range parts {
		if i > 0 {
			text.WriteString(` UNION ALL`)
		}
		text.WriteString(` SELECT ` + rollupColumns + ` FROM place CROSS JOIN ` + table + ` r
			WHERE place.name IS NOT NULL
				AND (r.prompt, r.environment, r.span, r.start_us) >= ($1, place.name, ` + arg(p.span) + `, ` + arg(p.from) + `)
				AND (r.prompt, r.environment, r.span, r.start_us) < ($1, place.name, ` + arg(p.span) + `, ` + arg(p.to) + `)` + narrow)
	}
	return rows(ctx, from, func(rs *sql.Rows) error {
		r, err := scanRollup(rs)
		if err != nil {
			return err
		}
		return each(r)
	}, text.String(), args...)
}
