package calllog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// groupRows is how many calls are written together, with those of the last
	// caller on top.
	groupRows = 4000
	// patience is how long a group may take, with all attempts.
	patience = 30 * time.Second
)

// A job is what one caller wants to have written: calls or a rating.
type job struct {
	rows   []row
	rating *rating
	done   chan struct{} // closed once err is set
	err    error
}

// A queue holds the jobs that nobody has taken yet.
type queue struct {
	mu   sync.Mutex
	jobs []*job
}

// submit has a job written and waits for that. There is no goroutine for it:
// whoever gets the turn writes what has queued up, for all.
//
// If ctx ends, submit does not wait any longer. A job that was not taken by
// then is not written.
func (l *Log) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.queue.add(j)
	for {
		select {
		case <-j.done:
			return j.err
		case l.turn <- struct{}{}:
			l.lead(j)
		case <-ctx.Done():
			l.queue.leave(j)
			select {
			case <-j.done: // at the same moment
				return j.err
			default:
				return ctx.Err()
			}
		}
	}
}

func (q *queue) add(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
}

func (q *queue) leave(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = slices.DeleteFunc(q.jobs, func(o *job) bool { return o == j })
}

// next takes the jobs that have waited longest.
func (q *queue) next() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, calls := 0, 0
	for n < len(q.jobs) && n < groupRows && calls < groupRows {
		calls += len(q.jobs[n].rows)
		n++
	}
	out := slices.Clone(q.jobs[:n])
	q.jobs = slices.Delete(q.jobs, 0, n)
	return out
}

// lead writes a group, unless j, the job of whoever has the turn, is done: then
// the turn is for somebody else.
func (l *Log) lead(j *job) {
	defer func() { <-l.turn }()
	select {
	case <-j.done:
		return
	default:
	}
	jobs := l.queue.next()
	finished := false
	defer func() {
		for _, j := range jobs {
			if !finished { // a panic: nobody shall wait for ever
				j.err = registry.Errorf(registry.ErrUnavailable, "the calls could not be written")
			}
			close(j.done)
		}
	}()
	// Nobody's patience but ours ends what is done for all.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.writeGroup(ctx, jobs)
	finished = true
}

func (l *Log) writeGroup(ctx context.Context, jobs []*job) {
	var calls, ratings []*job
	for _, j := range jobs {
		if j.rating != nil {
			ratings = append(ratings, j)
		} else {
			calls = append(calls, j)
		}
	}
	if len(calls) > 0 {
		l.writeCalls(ctx, calls)
	}
	if len(ratings) > 0 {
		l.writeRatings(ctx, ratings)
	}
}

// writeCalls writes the calls of some jobs, in as few transactions as there can
// be, and sets the jobs' errors.
func (l *Log) writeCalls(ctx context.Context, jobs []*job) {
	var all []*row
	for _, j := range jobs {
		for i := range j.rows {
			all = append(all, &j.rows[i])
		}
	}
	sortRows(all)
	for _, part := range l.parts(all) {
		err := l.append(ctx, part, false)
		if err != nil {
			err = l.again(ctx, func() error { return l.append(ctx, part, true) })
		}
		if err == nil {
			continue
		}
		if len(jobs) > 1 && l.particular(ctx, err) {
			for _, j := range jobs {
				l.writeCalls(ctx, []*job{j})
			}
			return
		}
		if errors.Is(err, errRetired) {
			err = registry.Errorf(prompt.ErrInvalid, "calls of %s are not kept any more", part[0].day)
		}
		for _, r := range part {
			r.err = ourPatience(err)
		}
	}
	for _, j := range jobs {
		j.err = nil
		for i := range j.rows {
			if r := &j.rows[i]; j.err == nil {
				j.err = r.err
			}
		}
	}
}

// particular reports an error that one caller's calls may be the reason of: then
// it must not be the others'.
func (l *Log) particular(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, prompt.ErrInvalid)
}

// ourPatience is err, but for the end of our own patience, which is not the
// caller's doing.
func ourPatience(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the call log did not take the calls within %v", patience), "send them again, less at a time")
	}
	return err
}

// parts cuts rows, which are sorted, into what one transaction writes.
func (l *Log) parts(all []*row) [][]*row {
	if l.d.together() {
		return [][]*row{all}
	}
	return byDay(all)
}

func byDay(all []*row) [][]*row {
	var out [][]*row
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(r *row) bool { return r.day != all[0].day })
		if n < 0 {
			n = len(all)
		}
		out, all = append(out, all[:n]), all[n:]
	}
	return out
}
