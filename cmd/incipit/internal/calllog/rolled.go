package calllog

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rollupKey is the key of a rollup in rollup_{day} and, with a day before it,
// in rollup_kept.
type rollupKey struct {
	telemetry.Series
	span  int64 // seconds
	start int64 // microseconds
}

const (
	minute = 60
	hour   = 60 * minute

	rollupKeys = `prompt, environment, span, start_us, version, arm`
	rollupSums = `calls, cancelled, provider_errors, prompt_errors, timeouts, unknown_errors,
	input_known, input_tokens, output_known, output_tokens, cached_known, cached_tokens, cost_known, cost_nano, priced_tokens, priced_nano,
	latency_sum_us, ratings, rating_sum, rating_squares, latency, first_token`
	rollupColumns   = rollupKeys + `, ` + rollupSums
	inRollupColumns = 28
)

// startOf is the beginning of the span in which a moment lies.
func startOf(t time.Time, span int64) int64 {
	s := t.Unix()
	r := s % span
	if r < 0 {
		r += span
	}
	return (s - r) * 1e6
}

// key of the rollup that a row is.
func (r *Row) key() rollupKey {
	return rollupKey{r.Series, int64(r.Span / time.Second), r.Start.UnixMicro()}
}

// scanRollup reads rollupColumns.
func scanRollup(rs interface{ Scan(dest ...any) error }) (Row, error) {
	var (
		r                   Row
		span, start         int64
		latency, firstToken []byte
	)
	if err := rs.Scan(&r.Prompt, &r.Environment, &span, &start, &r.Version, &r.Arm,
		&r.Calls, &r.Cancelled, &r.ProviderErrors, &r.PromptErrors, &r.Timeouts, &r.UnknownErrors,
		&r.InputKnown, &r.InputTokens, &r.OutputKnown, &r.OutputTokens, &r.CachedKnown, &r.CachedTokens, &r.CostKnown, &r.Cost, &r.PricedTokens, &r.PricedCost,
		&r.LatencySum, &r.Ratings, &r.RatingSum, &r.RatingSquares, &latency, &firstToken); err != nil {
		return r, err
	}
	r.Span, r.Start = time.Duration(span)*time.Second, time.UnixMicro(start).UTC()
	var err error
	if r.Latency, err = telemetry.DecodeSketch(latency); err == nil {
		r.FirstToken, err = telemetry.DecodeSketch(firstToken)
	}
	if err != nil {
		return r, registry.Errorf(registry.ErrUnavailable, "the figures of %s of %s are not what was written: %v", prompt.Clip(string(r.Prompt), 80), r.Start, err)
	}
	return r, nil
}

// args appends the values of rollupColumns.
func (k rollupKey) args(args []any, r *telemetry.Rollup) []any {
	// An empty sketch writes nothing, which is not null.
	return append(args, string(k.Prompt), k.Environment, k.span, k.start, k.Version, k.Arm,
		r.Calls, r.Cancelled, r.ProviderErrors, r.PromptErrors, r.Timeouts, r.UnknownErrors,
		r.InputKnown, r.InputTokens, r.OutputKnown, r.OutputTokens, r.CachedKnown, r.CachedTokens, r.CostKnown, int64(r.Cost), r.PricedTokens, int64(r.PricedCost),
		r.LatencySum, r.Ratings, r.RatingSum, r.RatingSquares, r.Latency.Append([]byte{}), r.FirstToken.Append([]byte{}))
}

// rollupPieces are how many rollups one statement reads or writes.
func rollupPieces() []int { return []int{64, 16, 4, 1} }

// A rollupPlace is a table of rollups: that of a day, or, with Kept, rollup_kept
// for that day.
type rollupPlace struct {
	day  day
	kept bool
}

// addRollups adds sums to those that are there. Whoever calls it keeps other
// writers away.
func addRollups(ctx context.Context, t *tx, at rollupPlace, sums map[rollupKey]*telemetry.Rollup) error {
	keys := make([]rollupKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	if err := findRollups(ctx, t, at, keys, func(r Row) error {
		sums[r.key()].Merge(&r.Rollup)
		return nil
	}); err != nil {
		return err
	}
	return putRollups(ctx, t, at, keys, sums)
}

// findRollups calls each for those of the keys that are there.
func findRollups(ctx context.Context, t *tx, at rollupPlace, keys []rollupKey, each func(Row) error) error {
	what, text, tuple := "find", `SELECT `+rollupColumns+` FROM rollup_{day} WHERE (`+rollupKeys+`) IN (VALUES `, `$,$,CAST($ AS BIGINT),CAST($ AS BIGINT),$,$`
	if at.kept {
		what, text, tuple = "find kept", `SELECT `+rollupColumns+` FROM rollup_kept WHERE (day, `+rollupKeys+`) IN (VALUES `, `CAST($ AS BIGINT),`+tuple
	}
	return pieces(len(keys), func(from, to int) error {
		var args []any
		for _, k := range keys[from:to] {
			if at.kept {
				args = append(args, at.day.number())
			}
			args = append(args, string(k.Prompt), k.Environment, k.span, k.start, k.Version, k.Arm)
		}
		return t.rows(ctx, func(rs *sql.Rows) error {
			r, err := scanRollup(rs)
			if err != nil {
				return err
			}
			return each(r)
		}, t.text(at.day, what, to-from, func() string { return text + tuples(to-from, tuple) + `)` }), args...)
	}, rollupPieces()...)
}

// putRollups writes rollups in place of those that are there.
func putRollups(ctx context.Context, t *tx, at rollupPlace, keys []rollupKey, sums map[rollupKey]*telemetry.Rollup) error {
	what, table, key, columns := "put", `rollup_{day}`, rollupKeys, inRollupColumns
	if at.kept {
		what, table, key, columns = "put kept", `rollup_kept`, `day, `+rollupKeys, inRollupColumns+1
	}
	return pieces(len(keys), func(from, to int) error {
		var args []any
		for _, k := range keys[from:to] {
			if at.kept {
				args = append(args, at.day.number())
			}
			args = k.args(args, sums[k])
		}
		return t.exec(ctx, t.text(at.day, what, to-from, func() string {
			return `INSERT INTO ` + table + ` (` + key + `, ` + rollupSums + `) VALUES ` + values(to-from, columns) +
				` ON CONFLICT (` + key + `) DO UPDATE SET ` + replaced(rollupSums)
		}), args...)
	}, rollupPieces()...)
}

// replaced sets columns to what was to be inserted.
func replaced(columns string) string {
	var b strings.Builder
	for i, c := range strings.Split(columns, ",") {
		if i > 0 {
			b.WriteString(", ")
		}
		c = strings.TrimSpace(c)
		b.WriteString(c + " = excluded." + c)
	}
	return b.String()
}
