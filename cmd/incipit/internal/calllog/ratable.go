package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A place is where a call stands that is asked for or rated.
type place struct {
	day    day
	id     registry.CallID
	erased bool
}

// sameResponse bounds how many calls with the response's id are looked at, of a
// day: a provider's ids are unique, but whoever records may write anything.
const sameResponse = 100

// ratable finds the call that a reference means: by its id or, the newest one that
// may lets through, by the provider's id of the response. Calls that may does
// not let through are not there.
func ratable(ctx context.Context, v *view, ref string, may func(env string, id prompt.ID) bool) (p place, found bool, err error) {
	look := func(d day, where string, arg any) error {
		if !slices.Contains(v.live, d) {
			return nil
		}
		return v.day(ctx, d, func(q querier) error {
			return rows(ctx, q, func(rs *sql.Rows) error {
				var (
					id       []byte
					outcome  int
					env, pid sql.Null[string] // an erased call has no origin
				)
				if err := rs.Scan(&id, &outcome, &pid, &env); err != nil {
					return err
				}
				erased := outcome == outcomeErased
				if !found && (erased || may(env.V, prompt.ID(pid.V))) {
					p, found = place{day: d, erased: erased}, true
					copy(p.id[:], id)
				}
				return nil
			}, d.sql(`SELECT c.id, c.outcome, o.prompt, o.environment FROM call_{day} c LEFT JOIN origin_{day} o ON o.id = c.origin WHERE `+where), arg)
		})
	}
	if id, err := registry.ParseCallID(ref); err == nil {
		if err := look(dayOf(id.At()), `c.id = $1`, id[:]); err != nil || found {
			return p, found, err
		}
	}
	for _, d := range slices.Backward(v.live) { // some providers' ids are UUIDv7, too
		var seqs []int64
		if err := v.day(ctx, d, func(q querier) (err error) {
			seqs, err = responses(ctx, q, d, ref, sameResponse)
			return err
		}); err != nil {
			return p, false, err
		}
		for _, seq := range seqs {
			if err := look(d, `c.seq = $1`, seq); err != nil || found {
				return p, found, err
			}
		}
	}
	return place{}, false, nil
}

// refOf is a reference as feedback waits under it: a call's id may be written in
// either case.
func refOf(s string) string {
	if len(s) == 36 {
		if _, err := registry.ParseCallID(s); err == nil {
			return strings.ToLower(s)
		}
	}
	return s
}

// recorder reports whether grants let a call be recorded.
func recorder(grants []registry.Grant) func(env string, id prompt.ID) bool {
	c := registry.Caller{Grants: grants}
	return func(env string, id prompt.ID) bool { return c.May(registry.MayRecord, env, id) == nil }
}

func exists(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n > 0, err
}
