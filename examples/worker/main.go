// Command worker sorts support tickets. It reads jobs from standard input, one
// JSON object per line, asks Claude with a prompt that comes from Incipit, and
// writes one JSON object per line to standard output.
//
// It is an example: copy what you need. See README.md for how to run it.
package main

import (
	"context"
	_ "embed" // the bundle
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/incipit-dev/incipit"
)

// bundle is what ran when this program was built. It serves where neither the
// server nor a copy on disk can be had, so the program starts anywhere.
// incipit bundle --env production --out prompts.bundle writes it.
//
//go:embed prompts.bundle
var bundle []byte

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdin, os.Stdout, log)
	stop()
	if err != nil {
		log.Error("worker: " + err.Error())
		os.Exit(1)
	}
}

// run works until in ends or ctx is done. A job that has begun is finished.
func run(ctx context.Context, in io.Reader, out io.Writer, log *slog.Logger) error {
	client, err := incipit.New(ctx, incipit.Options{
		Server:      os.Getenv("INCIPIT_SERVER"), // empty: the bundle alone
		Key:         os.Getenv("INCIPIT_KEY"),
		Environment: environment(),
		Bundle:      bundle,
		OnChange:    logChange(log),
		Logger:      log,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := client.Close(closing); err != nil {
			log.Warn("worker: " + err.Error()) // such as calls that were not delivered: no reason to fail
		}
	}()
	w := &worker{
		prompts: client,
		record:  client.Record,
		model:   anthropic.NewClient(), // it reads ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL
		timeout: 2 * time.Minute,
		log:     log,
	}
	s := client.Status()
	log.Info("worker: ready", "prompts", s.Source, "revision", s.Revision, "age", s.Age.Round(time.Second))
	return w.work(ctx, in, out)
}

func environment() string {
	if env := os.Getenv("INCIPIT_ENVIRONMENT"); env != "" {
		return env
	}
	return "production" // which the bundle is of
}

// logChange says in the log what is served differently from now on.
func logChange(log *slog.Logger) func(incipit.Change) {
	return func(c incipit.Change) {
		if c.Err != nil {
			log.Warn("worker: something is wrong with the prompts; what is served stays", "error", c.Err, "revision", c.Revision)
			return
		}
		log.Info("worker: the prompts have changed", "revision", c.Revision, "changed", c.Changed, "removed", c.Removed)
	}
}
