package incipit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// openDir serves from a working tree, and reads it again when it changes.
func (c *Client) openDir(ctx context.Context, o *Options, t tuning) error {
	dir := filepath.Join(o.Dir, "prompts")
	if _, err := os.Stat(dir); err != nil {
		if _, err := os.Stat(filepath.Join(o.Dir, "registry.json")); err != nil {
			return registry.Errorf(ErrNotFound, "Options.Dir: there is no %s; name the directory that holds prompts/", dir)
		}
		dir = o.Dir
	}
	w := dirWatcher{tree: tree{os.DirFS(dir)}, client: c, log: o.Logger, hook: o.OnChange}
	if err := w.reread(); err != nil {
		return registry.Errorf(ErrInvalid, "Options.Dir: %v", err)
	}
	if v := c.view.Load(); len(v.snapshot.Prompts)+len(v.refused) == 0 && c.bundle == nil {
		return registry.Errorf(ErrNotFound, "Options.Dir: %s holds no prompt for %s", dir, c.place(v))
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		defer close(c.done)
		w.run(watching, t.rereadDir)
	}()
	return nil
}

// A dirWatcher keeps a client's view as new as a working tree.
type dirWatcher struct {
	tree
	client *Client
	log    *slog.Logger
	hook   func(Change)
	mark   string
	said   string
}

// run looks for changes until ctx is done.
func (w *dirWatcher) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := w.reread()
			if err != nil && err.Error() != w.said {
				w.log.Warn("incipit: the files cannot be read; what was read last is served", "error", err)
				v := w.client.view.Load()
				callHook(w.hook, w.log, Change{Revision: v.snapshot.Revision, Source: v.source, Err: err})
			}
			if w.said = ""; err != nil {
				w.said = err.Error()
				w.client.trouble.Store(&err)
			} else {
				w.client.trouble.Store(nil)
			}
		}
	}
}

// reread serves what the tree holds now.
func (w *dirWatcher) reread() error {
	mark, err := w.tree.mark()
	if err != nil {
		return err
	}
	c := w.client
	before := c.view.Load()
	if mark != w.mark || before.source == "" {
		next, err := w.tree.view(before.snapshot.Environment)
		if err != nil {
			return err
		}
		for id, why := range next.refused {
			w.log.Warn("incipit: a prompt cannot be served from the files", "prompt", id, "error", why)
		}
		w.mark = mark
		c.view.Store(next)
		if change := diff(before, next); before.source != "" && len(change.Changed)+len(change.Removed) > 0 {
			callHook(w.hook, w.log, change)
		}
	}
	c.confirmed.Store(int64(c.clock.since()))
	return nil
}

// view is what is served of the tree.
func (t tree) view(env string) (*view, error) {
	s, refused, err := t.snapshot(env)
	if err != nil {
		return nil, err
	}
	v, more := viewOf(s, fromFiles)
	maps.Copy(v.refused, refused)
	maps.Copy(v.refused, more)
	return v, nil
}

// callHook runs a program's hook. A panic in it must not take the prompts away.
func callHook(hook func(Change), log *slog.Logger, c Change) {
	if hook == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			log.Error("incipit: OnChange panicked", "panic", fmt.Sprint(r))
		}
	}()
	hook(c)
}
