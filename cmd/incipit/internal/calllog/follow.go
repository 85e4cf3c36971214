package calllog

import (
	"context"
	"fmt"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Follow returns calls and ratings with a number above after, in the order of
// their numbers, at most limit of them. last is the number to go on after:
// nothing up to it is missing, even if there was nothing to see. If there is
// nothing new it asks for one number, which in SQLite is in memory.
//
// A rating is feedback without a name. It is seen after its call, also if it
// waited for it. One that replaces another has a number of its own, and the one
// before is gone: whoever had not seen it yet never will. Erased calls are
// passed over, and so is what was said of them.
//
// A last below after means that this is not the log which gave that number: it
// was lost or restored, and all that it has is new to whoever asks.
func (l *Log) Follow(ctx context.Context, after int64, limit int) (seen []Seen, last int64, err error) {
	return l.follow(ctx, Filter{After: after}, limit)
}

// FollowOf is Follow for one prompt in one environment, and for numbers up to
// one.
func (l *Log) FollowOf(ctx context.Context, id prompt.ID, env string, after, upTo int64, limit int) (seen []Seen, last int64, err error) {
	return l.follow(ctx, Filter{Prompt: id, Environment: env, After: after, UpTo: upTo}, limit)
}

func (l *Log) follow(ctx context.Context, f Filter, limit int) (seen []Seen, last int64, err error) {
	bound := func(n int64) int64 {
		if f.UpTo > 0 {
			return min(n, f.UpTo)
		}
		return n
	}
	err = l.again(ctx, func() error {
		n, err := l.d.latest(ctx)
		last = bound(n)
		return err
	})
	if err != nil {
		return nil, f.After, err
	}
	if last <= f.After || limit <= 0 {
		return nil, min(last, f.After), nil
	}
	err = l.read(ctx, func(v *view) error {
		seen, last = nil, bound(v.last)
		days, err := l.d.stirred(ctx, v, f.After)
		if err != nil {
			return err
		}
		var all []*strand
		for _, d := range days {
			for _, ratings := range []bool{false, true} {
				s := &strand{condition: condition{day: d}, next: f.After + 1, last: last, ratings: ratings, f: f, chunk: chunk}
				if !ratings && (f.Prompt != "" || f.Environment != "") {
					if err := s.begin(ctx, v); err != nil {
						return err
					}
				}
				all = append(all, s)
			}
		}
		seen, err = l.braid(ctx, v, all, limit)
		if len(seen) == limit {
			last = seen[limit-1].Seq
		}
		return err
	})
	if err != nil {
		return nil, f.After, err
	}
	return seen, last, nil
}

// A strand is a walk through the calls of a day, or through its ratings.
type strand struct {
	condition
	next    int64 // no number that was not read is smaller; 0 at the end
	last    int64
	ratings bool
	f       Filter
	chunk   int
	seen    []Seen
}

// begin ends a strand none of whose calls is asked for.
func (s *strand) begin(ctx context.Context, v *view) error {
	return v.day(ctx, s.day, func(q querier) error {
		there, err := s.narrow(ctx, q, s.f)
		if !there {
			s.next = 0
		}
		return err
	})
}

// mostChunk is how many rows of a strand are read at a time once it has shown
// that there are many.
const mostChunk = 8 * chunk

// front is a number: what is still to come has no smaller one. 0 is the end.
func (s *strand) front() int64 {
	if len(s.seen) > 0 {
		return s.seen[0].Seq
	}
	return s.next
}

// braid takes from strands what has the smallest numbers.
func (l *Log) braid(ctx context.Context, v *view, all []*strand, limit int) ([]Seen, error) {
	out := make([]Seen, 0, min(limit, mostChunk))
	for len(out) < limit {
		var first *strand
		until := int64(0) // where the second begins, 0 if there is none
		for _, s := range all {
			switch n := s.front(); {
			case n == 0:
			case first == nil:
				first = s
			case n < first.front():
				first, until = s, first.front()
			case until == 0 || n < until:
				until = n
			}
		}
		if first == nil {
			return out, nil
		}
		if len(first.seen) == 0 {
			if err := first.fill(ctx, l, v, limit-len(out)); err != nil {
				return nil, err
			}
			continue
		}
		n := min(len(first.seen), limit-len(out))
		if until > 0 {
			n = min(n, max(1, countBelow(first.seen, until)))
		}
		out, first.seen = append(out, first.seen[:n]...), first.seen[n:]
	}
	return out, nil
}

func countBelow(all []Seen, number int64) int {
	n, _ := slices.BinarySearchFunc(all, number, func(s Seen, number int64) int { return int(s.Seq - number) })
	return n
}

// fill reads on, at most so many.
func (s *strand) fill(ctx context.Context, l *Log, v *view, most int) (err error) {
	limit := min(s.chunk, most)
	s.chunk = min(2*s.chunk, mostChunk)
	query, args := s.callQuery(limit)
	if s.ratings {
		query, args = ratingQuery, []any{s.next, s.last, limit}
	}
	var (
		last int64
		n    int
	)
	if s.seen, last, n, err = l.see(ctx, v, s.day, query, args, limit); err != nil {
		return err
	}
	if s.ratings {
		for i := range s.seen {
			s.seen[i].Rating = true
		}
		s.seen = slices.DeleteFunc(s.seen, func(r Seen) bool { // of calls that are not asked for
			return s.f.Prompt != "" && r.Prompt != s.f.Prompt || s.f.Environment != "" && r.Environment != s.f.Environment
		})
	}
	if s.next = last + 1; n < limit {
		s.next = 0
	}
	return nil
}

// callQuery reads calls. A rating of a call, which has a number of its own,
// keeps what came with the call from being told now: so what is told does not
// depend on when one asks.
func (s *strand) callQuery(limit int) (string, []any) {
	k := len(s.args)
	return fmt.Sprintf(`
		SELECT c.seq, CASE WHEN c.satisfaction IS NULL THEN NULL
			WHEN (SELECT 1 FROM feedback_{day} f WHERE f.call_id = c.id AND f.name = '') IS NULL THEN c.satisfaction END, {columns}
		FROM call_{day} c WHERE c.seq >= $%d AND c.seq <= $%d AND c.outcome <> 9`+s.where+` ORDER BY c.seq LIMIT $%d`, k+1, k+2, k+3),
		slices.Concat(s.args, []any{s.next, s.last, limit})
}

// ratingQuery reads ratings, and their calls.
const ratingQuery = `
	SELECT f.seq, f.value, {columns}
	FROM (SELECT seq, call_id, value FROM feedback_{day} WHERE seq >= $1 AND seq <= $2 AND name = '' ORDER BY seq LIMIT $3) f
	LEFT JOIN call_{day} c ON c.id = f.call_id
	ORDER BY f.seq`
