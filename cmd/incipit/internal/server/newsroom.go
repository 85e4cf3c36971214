package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	newsLook     = 250 * time.Millisecond // between two looks at the audit log
	evidenceLook = time.Second            // between two looks at the open rollouts
	maxReaders   = 1000                   // pages that are open at once
	unread       = 64                     // news that a page may have unread
	newsAtOnce   = 200                    // events: where more have happened, all may have changed
)

// News is what an open page is told: where something has changed, and never
// what. The page asks again, as whoever it is. News of drafts names one of the
// reader's own, or none: any of them may have changed.
type news struct {
	Kind        string    `json:"-"` // changed, rollout, draft or all
	Seq         int64     `json:"seq"`
	Environment string    `json:"environment"`
	Prompt      prompt.ID `json:"prompt"`

	writer string // who alone is told; "" where everybody is
}

// A newsroom tells open pages what has changed. It follows the audit log, in
// which every change stands, whoever made it and on whichever replica. The
// evidence of a rollout, which is no change, and drafts, which change nothing
// that runs, it looks at besides, these while somebody has an editor open.
type newsroom struct {
	newsSource
	log *slog.Logger
	seq atomic.Int64 // of the last event that readers were told

	mu      sync.Mutex // guards what follows
	readers map[*reader]struct{}
	closed  bool
}

// A newsSource is where a newsroom learns what has changed.
type newsSource struct {
	LastEvent func(context.Context) (int64, error)
	Events    func(ctx context.Context, after int64, limit int) ([]registry.Event, error)
	Rollouts  func(ctx context.Context, env string) ([]registry.RolloutReport, error)

	LastDraftChange func(context.Context) (int64, error)
	DraftChanges    func(ctx context.Context, after int64, limit int) ([]registry.DraftChange, error)
}

// A reader is an open page.
type reader struct {
	writer string // whose drafts it follows, "" for none

	news chan news
	gone chan struct{} // closed when the server stops
}

func newNewsroom(from newsSource, log *slog.Logger) *newsroom {
	return &newsroom{newsSource: from, log: log, readers: make(map[*reader]struct{})}
}

// add takes a reader in, who follows the drafts of a writer, or of nobody. It
// reports false if there is no room.
func (n *newsroom) add(writer string) (*reader, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || len(n.readers) >= maxReaders {
		return nil, false
	}
	r := &reader{writer, make(chan news, unread), make(chan struct{})}
	n.readers[r] = struct{}{}
	return r, true
}

func (n *newsroom) remove(r *reader) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.readers, r)
}

func (n *newsroom) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.readers)
}

// writing reports whether somebody follows drafts.
func (n *newsroom) writing() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for r := range n.readers {
		if r.writer != "" {
			return true
		}
	}
	return false
}

// close sends every reader away.
func (n *newsroom) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	for r := range n.readers {
		close(r.gone)
	}
}

// tell tells every reader. Whoever does not keep up is told that all may have
// changed, which stands for what they are not told then.
func (n *newsroom) tell(what news) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for r := range n.readers {
		if what.Kind == "draft" && (r.writer == "" || what.writer != "" && what.writer != r.writer) {
			continue
		}
		one := what
		if len(r.news) == unread-1 {
			one = news{Kind: "all", Seq: what.Seq}
		}
		select {
		case r.news <- one:
		default:
		}
	}
}

// follow looks again and again, until ctx is done.
func (n *newsroom) follow(ctx context.Context) {
	look, evidence := time.NewTicker(newsLook), time.NewTicker(evidenceLook)
	defer look.Stop()
	defer evidence.Stop()
	stood, drafts, wrong := make(map[registry.Place]string), int64(notFollowed), false
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			err = n.look(ctx)
			var draftsErr error
			drafts, draftsErr = n.lookAtDrafts(ctx, drafts)
			err = errors.Join(err, draftsErr)
		case <-evidence.C:
			if n.count() > 0 {
				stood, err = n.lookAtRollouts(ctx, stood)
			}
		}
		if err != nil && !wrong && ctx.Err() == nil {
			n.log.WarnContext(ctx, "open pages cannot be told what has changed", "error", err)
		}
		wrong = err != nil
	}
}

// look tells what has happened since the last look. A look that has begun is
// not broken off by the end: that would cost the database a connection.
func (n *newsroom) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	last, err := n.LastEvent(ctx)
	seen := n.seq.Load()
	if err != nil || last == seen {
		return err
	}
	events, err := n.Events(ctx, seen, newsAtOnce)
	if err != nil {
		return err
	}
	n.seq.Store(last)
	if seen == 0 || last < seen || len(events) == newsAtOnce { // the start, a backup that was restored, or too much to tell
		n.tell(news{Kind: "all", Seq: last})
		return nil
	}
	for _, e := range events {
		n.seq.Store(e.Seq)
		n.tell(news{Kind: "changed", Seq: e.Seq, Environment: e.Environment, Prompt: e.Prompt})
	}
	return nil
}

// lookAtRollouts tells which rollouts stand otherwise than they stood.
func (n *newsroom) lookAtRollouts(ctx context.Context, stood map[registry.Place]string) (map[registry.Place]string, error) {
	ctx, cancel := context.WithTimeout(registry.WithCaller(context.WithoutCancel(ctx), dev()), lookTimeout)
	defer cancel()
	reports, err := n.Rollouts(ctx, "")
	if err != nil {
		return stood, err
	}
	stand := make(map[registry.Place]string, len(reports))
	for _, r := range reports {
		place := r.Place
		r.At, r.InStep, r.Healthy = time.Time{}, 0, 0 // which go on by themselves
		text, err := json.Marshal(r)
		if err != nil {
			return stood, err
		}
		stand[place] = short(string(text))
		if stood[place] != stand[place] {
			n.tell(news{Kind: "rollout", Seq: n.seq.Load(), Environment: place.Environment, Prompt: place.Prompt})
		}
	}
	return stand, nil
}
