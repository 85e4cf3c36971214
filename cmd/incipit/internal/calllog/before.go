package calllog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// farBack is how many numbers Before looks through at most. No index leads to
// the calls of a release, so a prompt that is rarely called among many others
// would have days read for it: two seconds are what history is worth.
const farBack = 4_000_000

// Before returns the last calls of a release in an environment, at most so
// many, the oldest first: those with a number up to upTo (0 is no limit) that
// started at from or later. Their satisfaction is what is known of it now, later
// ratings with it. Calls more than four million numbers back are not looked
// for.
func (l *Log) Before(ctx context.Context, id prompt.ID, env, version string, from time.Time, upTo int64, most int) ([]Seen, error) {
	if most <= 0 {
		return nil, nil
	}
	f := Filter{Prompt: id, Environment: env, Version: version, From: from}
	var out []Seen
	err := l.read(ctx, func(v *view) error {
		out = nil
		last := v.last
		if upTo > 0 {
			last = min(last, upTo)
		}
		after := max(0, last-farBack)
		for _, d := range slices.Backward(v.live) { // the days before add what is newer than the oldest that was found
			if !d.end().After(from) {
				break
			}
			found, err := l.newestOf(ctx, v, d, f, after, last, most)
			if err != nil {
				return err
			}
			out = append(out, found...)
			slices.SortFunc(out, func(a, b Seen) int { return cmp.Compare(b.Seq, a.Seq) })
			if len(out) >= most {
				out = out[:most]
				after = out[most-1].Seq
			}
		}
		slices.Reverse(out)
		return nil
	})
	return out, err
}

// newestOf reads the last calls of a day behind a number, the newest first.
func (l *Log) newestOf(ctx context.Context, v *view, d day, f Filter, after, last int64, most int) ([]Seen, error) {
	w, there := &condition{day: d}, false
	if err := v.day(ctx, d, func(q querier) (err error) {
		there, err = w.narrow(ctx, q, f)
		return err
	}); err != nil || !there {
		return nil, err
	}
	k := len(w.args)
	found, _, _, err := l.see(ctx, v, d, fmt.Sprintf(`
		SELECT c.seq, c.satisfaction, {columns}
		FROM call_{day} c WHERE c.seq >= $%d AND c.seq <= $%d AND c.outcome <> 9`+w.where+` ORDER BY c.seq DESC LIMIT $%d`, k+1, k+2, k+3),
		slices.Concat(w.args, []any{after + 1, last, most}), most)
	return found, err
}
