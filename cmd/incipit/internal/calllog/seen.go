package calllog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Seen is a call, or what was said of one, in the order of numbers.
type Seen struct {
	Seq    int64 // of the call, or of the rating
	Rating bool  // it is feedback without a name; the rest is of the call
	Call   registry.CallID

	Prompt                             prompt.ID
	Environment, Version, Arm, Rollout string
	Share                              registry.Opt[registry.Share]

	Subject                   SubjectHash // the zero one is none
	StartedAt                 time.Time
	Latency                   time.Duration
	FirstToken                registry.Opt[time.Duration]
	InputTokens, OutputTokens registry.Opt[int64]
	Cost                      registry.Opt[registry.NanoUSD]
	Outcome                   registry.Outcome
	// Satisfaction is what came with a call and was not replaced, or what a
	// rating says.
	Satisfaction registry.Opt[float64]
}

// seenColumns are what a seenRow reads, of a call c, but for the number and the
// satisfaction.
const seenColumns = `c.id, c.origin, c.started_us, c.latency_us, c.ttft_us, c.input_tokens, c.output_tokens, c.cost_nano, c.outcome, c.subject_hash`

// A seenRow reads a row: number, satisfaction and seenColumns. Values are taken
// as the driver gives them: database/sql takes longer to convert numbers than
// SQLite to find them.
type seenRow struct {
	value [12]any
	at    [12]any // pointers to value
}

func newSeenRow() *seenRow {
	r := new(seenRow)
	for i := range r.value {
		r.at[i] = &r.value[i]
	}
	return r
}

// scan reads a row, but for what stands in its origin. It reports false for a
// rating whose call is not there, and for what was erased.
func (r *seenRow) scan(rs *sql.Rows) (s Seen, origin int64, there bool, err error) {
	if err := rs.Scan(r.at[:]...); err != nil {
		return s, 0, false, err
	}
	seq, _ := r.value[0].(int64)
	outcome, _ := r.value[10].(int64)
	if r.value[2] == nil || outcome == outcomeErased {
		return s, 0, false, nil
	}
	s.Seq = seq
	id, _ := r.value[2].([]byte)
	subject, _ := r.value[11].([]byte)
	if len(id) != len(s.Call) || len(subject) != 0 && len(subject) != len(s.Subject) {
		return s, 0, false, notWritten(seq, "an id of another length")
	}
	copy(s.Call[:], id)
	copy(s.Subject[:], subject)
	origin, _ = r.value[3].(int64)
	started, _ := r.value[4].(int64)
	latency, _ := r.value[5].(int64)
	s.StartedAt, s.Latency = time.UnixMicro(started).UTC(), micros(latency)
	s.Satisfaction.Value, s.Satisfaction.Known = r.value[1].(float64)
	if n, known := r.value[6].(int64); known {
		s.FirstToken = registry.Some(micros(n))
	}
	s.InputTokens.Value, s.InputTokens.Known = r.value[7].(int64)
	s.OutputTokens.Value, s.OutputTokens.Known = r.value[8].(int64)
	if n, known := r.value[9].(int64); known {
		s.Cost = registry.Some(registry.NanoUSD(n))
	}
	if s.Outcome, _, there = outcomeNumbered(outcome); !there {
		return s, 0, false, notWritten(seq, fmt.Sprintf("the outcome %d", outcome))
	}
	return s, origin, true, nil
}

// origins are those that were read. An origin never changes and has the same id
// on each day.
type origins struct {
	mu sync.Mutex
	of map[int64]originFields
}

// fill sets what stands in the origin of each.
func (o *origins) fill(ctx context.Context, q querier, d day, all []Seen, ids []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil || len(o.of) > seenOrigins {
		o.of = make(map[int64]originFields)
	}
	var unknown []any
	asked := make(map[int64]bool)
	for _, id := range ids {
		if _, known := o.of[id]; !known && !asked[id] {
			asked[id] = true
			unknown = append(unknown, id)
		}
	}
	if err := pieces(len(unknown), func(from, to int) error {
		return rows(ctx, q, func(rs *sql.Rows) error { return o.scan(rs) },
			d.sql(`SELECT id, prompt, environment, version, arm, rollout, share FROM origin_{day} WHERE id IN `+values(1, to-from)), unknown[from:to]...)
	}, 64, 8, 1); err != nil {
		return err
	}
	for i := range all {
		s := &all[i]
		f, known := o.of[ids[i]]
		if !known {
			return notWritten(s.Seq, "its origin is missing")
		}
		s.Prompt, s.Environment, s.Version, s.Arm, s.Rollout, s.Share = f.prompt, f.environment, f.version, f.arm, f.rollout, f.share
	}
	return nil
}

func (o *origins) scan(rs *sql.Rows) error {
	var (
		id    int64
		name  string
		share sql.Null[int64]
		f     originFields
	)
	if err := rs.Scan(&id, &name, &f.environment, &f.version, &f.arm, &f.rollout, &share); err != nil {
		return err
	}
	f.prompt, f.share = prompt.ID(name), optional(share, func(n int64) registry.Share { return registry.Share(n) })
	o.of[id] = f
	return nil
}

// see reads rows of one day, at most so many: query, with {day} and {columns} in
// it, gives the number, the satisfaction and seenColumns. last is the number of
// the last row, and n how many there were, with those that are passed over.
func (l *Log) see(ctx context.Context, v *view, d day, query string, args []any, most int) (all []Seen, last int64, n int, err error) {
	all, ids := make([]Seen, 0, min(most, mostChunk)), make([]int64, 0, min(most, mostChunk))
	r := newSeenRow()
	err = v.day(ctx, d, func(q querier) error {
		if err := rows(ctx, q, func(rs *sql.Rows) error {
			s, origin, there, err := r.scan(rs)
			if err != nil {
				return err
			}
			n++
			if last, _ = r.value[0].(int64); there {
				all, ids = append(all, s), append(ids, origin)
			}
			return nil
		}, d.sql(strings.ReplaceAll(query, "{columns}", seenColumns)), args...); err != nil {
			return err
		}
		return l.origins.fill(ctx, q, d, all, ids)
	})
	return all, last, n, err
}
