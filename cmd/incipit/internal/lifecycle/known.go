package lifecycle

import (
	"context"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	// askAgain is how often the database is asked what is new, and, besides,
	// how often because of a name that is not known.
	askAgain = time.Second
	// maxKnown bounds what is kept in memory, in releases and deployments.
	maxKnown = 200_000
)

// An intake is what is known of the registry where calls come in: a name that
// was found is not asked for again, and names that are not there, however many,
// cost two small questions a second. Deployments and releases are only ever
// added, so what was found stays true, until a backup is restored.
type intake struct {
	db  *sqlstore.Store
	now func() time.Time

	turn chan struct{} // held while the database is asked, by one for all who wait for it

	mu       sync.Mutex // guards what follows; never held while the database is asked
	state    revisions
	missedAt time.Time // when a name that is not known was last a reason to ask
	names    map[prompt.ID]bool
	namesOf  int64 // state.releases when they were read
	prompts  map[prompt.ID]*released
	size     int // of prompts, as maxKnown counts
	subjects []byte
}

// revisions say whether anything is new.
type revisions struct {
	count         int // of the answers so far
	asked         time.Time
	generation    int64
	releases      int64
	byEnvironment map[string]int64
}

// released is what is known of a prompt. It is replaced and never changed.
type released struct {
	digests  map[string]string // by version
	of       int64             // revisions.releases when they were read
	pasts    map[string]*past  // by environment; nil if nobody asked
	pastsOf  map[string]int64  // revisions.byEnvironment when they were read
	attended int               // deployments in pasts
}

func newIntake(db *sqlstore.Store, now func() time.Time) *intake {
	return &intake{db: db, now: now, turn: make(chan struct{}, 1), prompts: make(map[prompt.ID]*released)}
}

// asking runs fn when nobody else asks the database.
func (k *intake) asking(ctx context.Context, fn func() error) error {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-k.turn }()
	return fn()
}

// current asks what is new, if that was not asked within the last second.
func (k *intake) current(ctx context.Context) (revisions, error) {
	k.mu.Lock()
	st := k.state
	k.mu.Unlock()
	if age := k.now().Sub(st.asked); st.count > 0 && 0 <= age && age < askAgain { // a clock may go back
		return st, nil
	}
	return k.ask(ctx, st)
}

// missed asks what is new because of a name that is not known as of st, if that
// was not done within the last second.
func (k *intake) missed(ctx context.Context, st revisions) (revisions, error) {
	k.mu.Lock()
	now := k.now()
	age := now.Sub(k.missedAt)
	wait := 0 <= age && age < askAgain
	if !wait {
		k.missedAt = now
	}
	latest := k.state
	k.mu.Unlock()
	if wait || latest.count != st.count {
		return latest, nil
	}
	return k.ask(ctx, st)
}

// ask asks what is new since st, unless somebody else did meanwhile.
func (k *intake) ask(ctx context.Context, st revisions) (revisions, error) {
	latest := st
	err := k.asking(ctx, func() error {
		k.mu.Lock()
		latest = k.state
		k.mu.Unlock()
		if latest.count != st.count {
			return nil
		}
		next := revisions{count: st.count + 1, asked: k.now()}
		var err error
		if next.releases, err = k.db.ReleasesVersion(ctx); err != nil {
			return err
		}
		if next.generation, next.byEnvironment, err = k.db.Revisions(ctx); err != nil {
			return err
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if next.generation != k.state.generation { // another history
			k.names, k.prompts, k.size, k.subjects = nil, make(map[prompt.ID]*released), 0, nil
		}
		k.state, latest = next, next
		return nil
	})
	return latest, err
}

// prompt is what is known of a prompt, nil if it has no release. What is not
// fresh may miss releases that are newer than it is.
func (k *intake) prompt(ctx context.Context, st revisions, id prompt.ID, fresh bool) (*released, error) {
	enough := func() (*released, bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		p := k.prompts[id]
		return p, p != nil && (!fresh || p.of == st.releases) || k.names != nil && k.namesOf == st.releases && !k.names[id]
	}
	if p, ok := enough(); ok {
		return p, nil
	}
	err := k.asking(ctx, func() error {
		if _, ok := enough(); ok {
			return nil
		}
		if there, err := k.named(ctx, st, id); err != nil || !there {
			return err
		}
		digests, err := k.db.Digests(ctx, id)
		if err != nil {
			return err
		}
		next := &released{digests: digests, of: st.releases}
		k.mu.Lock()
		defer k.mu.Unlock()
		if old := k.prompts[id]; old != nil {
			next.pasts, next.pastsOf, next.attended = old.pasts, old.pastsOf, old.attended
		}
		k.keep(id, next)
		return nil
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.prompts[id], err
}

// named reports whether a prompt has a release. The names of all are read at
// once: else each name that somebody makes up would be a question.
func (k *intake) named(ctx context.Context, st revisions, id prompt.ID) (bool, error) {
	k.mu.Lock()
	known := k.names != nil && k.namesOf == st.releases
	there := k.names[id]
	k.mu.Unlock()
	if known || there {
		return there, nil
	}
	ids, err := k.db.ReleasedPrompts(ctx)
	if err != nil {
		return false, err
	}
	names := make(map[prompt.ID]bool, len(ids))
	for _, id := range ids {
		names[id] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names, k.namesOf = names, st.releases
	return names[id], nil
}

// past is what ran of a prompt in an environment, as of st.
func (k *intake) past(ctx context.Context, st revisions, env string, id prompt.ID, fresh bool) (*past, error) {
	enough := func() (*past, bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		p := k.prompts[id]
		if p == nil || p.pasts == nil || fresh && p.pastsOf[env] != st.byEnvironment[env] {
			return nil, false
		}
		return p.pasts[env], true
	}
	if p, ok := enough(); ok {
		return p, nil
	}
	var found *past
	err := k.asking(ctx, func() error {
		var ok bool
		if found, ok = enough(); ok {
			return nil
		}
		tracks, err := k.db.Tracks(ctx, id)
		if err != nil {
			return err
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		next := &released{pasts: make(map[string]*past, len(tracks)), pastsOf: st.byEnvironment}
		if old := k.prompts[id]; old != nil {
			next.digests, next.of = old.digests, old.of
		}
		for env, t := range tracks {
			next.pasts[env] = pastOf(t)
			next.attended += len(next.pasts[env].eras)
		}
		found = next.pasts[env]
		k.keep(id, next)
		return nil
	})
	return found, err
}

// keep replaces what is known of a prompt. If it becomes too much, all else is
// forgotten: it can be asked again.
func (k *intake) keep(id prompt.ID, next *released) {
	if old := k.prompts[id]; old != nil {
		k.size -= old.size()
	}
	if k.size += next.size(); k.size > maxKnown {
		clear(k.prompts)
		k.size = next.size()
	}
	k.prompts[id] = next
}

func (p *released) size() int { return len(p.digests) + p.attended }
