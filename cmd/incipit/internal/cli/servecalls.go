package cli

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/otlp"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// keep says where calls are kept, beside the database, and how long.
func (f *serveFlags) keep(e *env, log *slog.Logger) (calllog.Config, error) {
	at, err := f.config(e)
	if err != nil {
		return calllog.Config{}, err
	}
	for _, name := range []string{"INCIPIT_KEEP_CONTENT", "INCIPIT_KEEP_SUBJECTS"} {
		switch v := e.getenv(name); v {
		case "", "true", "false":
		default: // who meant to keep something would miss it when it is too late
			return calllog.Config{}, registry.Errorf(prompt.ErrInvalid, "%s is %q; it must be true or false", name, prompt.Clip(prompt.Visible(v), 40))
		}
	}
	c := calllog.Config{Dir: at.Dir, URL: at.URL, Now: e.now, Random: rand.Reader, Log: log}
	if c.KeepCalls, err = api.ParseAge(f.keepCalls); err != nil {
		return c, registry.WithFix(err, "say how long calls are kept with --keep-calls, such as 30d")
	}
	if c.KeepRollups, err = api.ParseAge(f.keepRollups); err != nil {
		return c, registry.WithFix(err, "say how long statistics are kept with --keep-rollups, such as 400d")
	}
	return c, nil
}

// flush exports what was not exported yet. Whoever should take it may be gone,
// too: that is no reason to end with an error, or late.
func flush(ctx context.Context, x *otlp.Exporter, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := x.Shutdown(ctx); err != nil {
		log.Warn("the last traces and metrics were not exported", "error", err)
	}
}
