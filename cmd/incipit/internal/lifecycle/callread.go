package lifecycle

import (
	"context"
	"errors"
	"strconv"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxCalls bounds a page of calls.
const maxCalls = 10_000

// readable reports whether the caller may read calls of a prompt: all that
// there are if id is Every, in any one environment if env is.
func (s *Shared) readable(ctx context.Context, env string, id prompt.ID) error {
	c, _ := registry.CallerOf(ctx)
	if !c.MayAny(registry.MayRead, env, id) {
		return c.May(registry.MayRead, env, id)
	}
	if env != "" {
		if err := s.known(ctx, env); err != nil {
			return err
		}
	}
	if id == "" {
		return nil
	}
	if known, err := s.db.Digests(ctx, id); err != nil || len(known) > 0 {
		return err
	}
	_, err := s.Release(ctx, id, prompt.Version{}) // which says what may be meant
	return err
}

// Calls lists recorded calls in the order in which they were taken, or the newest
// first, as far as the caller may read them: a page of at most limit of them,
// which may be empty, and the number to go on after, 0 behind the last.
func (s *Shared) Calls(ctx context.Context, q registry.CallQuery, limit int) (calls []registry.WireCall, next int64, err error) {
	log, err := s.callLog()
	if err != nil {
		return nil, 0, err
	}
	if err := s.readable(ctx, q.Environment, q.Prompt); err != nil {
		return nil, 0, err
	}
	if limit < 1 || limit > maxCalls {
		return nil, 0, registry.Errorf(prompt.ErrInvalid, "limit is %d; it must be from 1 to %d", limit, maxCalls)
	}
	if q.Version != "" {
		v, err := prompt.ParseVersion(q.Version)
		if err != nil {
			return nil, 0, err
		}
		q.Version = v.String()
	}
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	records, next, err := log.List(ctx, calllog.Filter{
		Prompt: q.Prompt, Environment: q.Environment, Version: q.Version, Arm: q.Arm, Outcome: q.Outcome, ErrorClass: q.ErrorClass, Score: q.Score,
		From: q.From, To: q.To, Newest: q.Newest, After: q.After,
	}, limit)
	if err != nil {
		return nil, 0, err
	}
	c, _ := registry.CallerOf(ctx)
	calls = make([]registry.WireCall, 0, len(records))
	for i := range records {
		call := &records[i].Call
		if c.May(registry.MayRead, call.Environment, call.Prompt) == nil {
			calls = append(calls, call.Wire())
		}
	}
	return calls, next, nil
}

// Erase forgets the calls of a subject, and returns how many there were. The
// audit log tells how many, and not whose.
func (s *Shared) Erase(ctx context.Context, subject string) (int64, error) {
	log, err := s.callLog()
	if err != nil {
		return 0, err
	}
	if subject == "" {
		return 0, registry.Errorf(prompt.ErrInvalid, "whose calls? The subject is empty")
	}
	hash, err := s.subjectHash(ctx, subject)
	if err != nil {
		return 0, err
	}
	n, err := log.Erase(ctx, hash)
	if err != nil {
		return 0, err
	}
	e := event(ctx, "calls.erase")
	e.Detail = map[string]string{"calls": strconv.FormatInt(n, 10)}
	// What was done is told also if nobody waits for the answer any more.
	return n, s.db.AddEvent(context.WithoutCancel(ctx), e)
}

// callLog is the log of calls, which a server must have been given.
func (s *Shared) callLog() (*calllog.Log, error) {
	if s.config.Calls == nil {
		return nil, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "no calls are recorded here"), "ask a server that incipit serve runs")
	}
	return s.config.Calls, nil
}

// noCall says that there is no such call, or none that the caller may see.
func noCall(err error, ref string) error {
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no call %q", prompt.Clip(prompt.Visible(ref), 80)),
		"give the id of a call or of the provider's response; calls are forgotten after a time, 30 days unless the server was told otherwise")
}
