package calllog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A row is a call on its way into the log.
type row struct {
	call    *registry.Call
	subject SubjectHash
	day     day
	origin  *origin
	// response is the hash of the response's id, if there is one.
	response registry.Opt[int64]
	tags     string // JSON
	// satisfaction is the call's own, or what waited for it.
	satisfaction registry.Opt[float64]

	columns []any  // as SQLite takes it
	wire    []byte // as PostgreSQL takes it

	twin  *row  // of the same group, with the same id and before this one: that one counts
	there int64 // the number of the call in the log that has this id; 0 is none
	seq   int64 // the number given to it; if that commit was not answered, it may be there
	fresh bool
	err   error
}

// An origin is what many calls have in common. id is the first eight bytes of
// the hash of the rest, so that all replicas give it the same.
type origin struct {
	id int64
	originFields
}

type originFields struct {
	prompt                             prompt.ID
	environment, version, arm, rollout string
	share                              registry.Opt[registry.Share]
	model, finish                      string
}

// Append keeps calls, and reports for each whether it is new. Once it returns
// nil they are on disk and counted; one that is known already changes nothing.
// On an error all of them may be sent again. Entries of different callers are
// written together.
//
// It reports registry.ErrUnavailable if the log cannot be written now, and
// prompt.ErrInvalid for a call of a day that is not kept (any more).
func (l *Log) Append(ctx context.Context, entries []Entry) (fresh []bool, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	j := &job{rows: make([]row, len(entries)), done: make(chan struct{})}
	now := l.cfg.Now()
	oldest, newest := dayOf(now.Add(-l.cfg.KeepCalls)), dayOf(now.Add(ahead))
	origins := make(map[originFields]*origin)
	for i, e := range entries {
		d := dayOf(e.Call.ID.At())
		if e.Call.ID.IsZero() || d < oldest || d > newest {
			return nil, registry.Errorf(prompt.ErrInvalid, "call %d of the batch is of %s: calls are kept for %v", i, d, l.cfg.KeepCalls)
		}
		if j.rows[i], err = prepare(e, d, origins); err != nil {
			return nil, err
		}
		l.d.encode(&j.rows[i])
	}
	if err := l.submit(ctx, j); err != nil {
		return nil, err
	}
	fresh = make([]bool, len(j.rows))
	for i := range j.rows {
		fresh[i] = j.rows[i].fresh
	}
	return fresh, nil
}

// ahead is how far a clock elsewhere may be before ours.
const ahead = 24 * time.Hour

// prepare does for a call what can be done before its turn.
func prepare(e Entry, d day, origins map[originFields]*origin) (row, error) {
	c := e.Call
	r := row{call: c, subject: e.Subject, day: d, satisfaction: c.Satisfaction}
	f := originFields{c.Prompt, c.Environment, c.Version, c.Arm, c.Rollout, c.Share, c.Model, c.FinishReason}
	if r.origin = origins[f]; r.origin == nil {
		r.origin = &origin{f.hash(), f}
		origins[f] = r.origin
	}
	if c.ResponseID != "" {
		r.response = registry.Some(hashText(c.ResponseID))
	}
	if len(c.Tags) > 0 {
		b, err := json.Marshal(c.Tags)
		if err != nil {
			return row{}, err
		}
		r.tags = string(b)
	}
	return r, nil
}

func hashText(s string) int64 {
	sum := sha256.Sum256([]byte(s))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func (f *originFields) hash() int64 {
	var b strings.Builder
	for _, s := range []string{string(f.prompt), f.environment, f.version, f.arm, f.rollout, f.model, f.finish} {
		b.Write(binary.AppendUvarint(nil, uint64(len(s))))
		b.WriteString(s)
	}
	if f.share.Known {
		b.Write(binary.AppendUvarint(nil, uint64(f.share.Value)))
	}
	return hashText(b.String())
}

// outcomeOf is how a call ended, as the table has it.
func outcomeOf(c *registry.Call) int64 {
	switch {
	case c.Outcome == registry.Cancelled:
		return outcomeCancelled
	case c.Outcome != registry.Failed:
		return outcomeOK
	}
	switch c.ErrorClass {
	case registry.ProviderError:
		return outcomeProvider
	case registry.PromptError:
		return outcomePrompt
	case registry.TimeoutError:
		return outcomeTimeout
	default:
		return outcomeError
	}
}

// sortRows puts rows into the order in which they are written, by day and id,
// and notes which have the id of one before.
func sortRows(rows []*row) {
	slices.SortStableFunc(rows, func(a, b *row) int {
		if a.day != b.day {
			return int(a.day - b.day)
		}
		return slices.Compare(a.call.ID[:], b.call.ID[:])
	})
	var first *row
	for _, r := range rows {
		r.twin, r.err = nil, nil
		if first != nil && first.call.ID == r.call.ID {
			r.twin = first
		} else {
			first = r
		}
	}
}
