// Command chat-http answers questions over HTTP. The prompt comes from Incipit,
// the answer from OpenAI's chat completions or whatever speaks like them.
//
// It is an example: copy what you need. See README.md for how to run it.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/incipit-dev/incipit"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := listenAndRun(ctx, log)
	stop()
	if err != nil {
		log.Error("chat-http: " + err.Error())
		os.Exit(1)
	}
}

func listenAndRun(ctx context.Context, log *slog.Logger) error {
	address := os.Getenv("ADDRESS")
	if address == "" {
		address = "127.0.0.1:8080"
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return run(ctx, ln, log)
}

// run serves until ctx is done, and then lets the requests in progress end.
func run(ctx context.Context, ln net.Listener, log *slog.Logger) (err error) {
	defer ln.Close()
	client, err := incipit.New(ctx, incipit.Options{
		Server:      os.Getenv("INCIPIT_SERVER"),
		Key:         os.Getenv("INCIPIT_KEY"),
		Environment: os.Getenv("INCIPIT_ENVIRONMENT"),
		Dir:         os.Getenv("INCIPIT_DIR"), // instead of a server: a working tree with prompts/
		Logger:      log,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := client.Close(closing); err != nil {
			log.Warn("chat-http: " + err.Error()) // such as calls that were not delivered: no reason to fail
		}
	}()
	app := &chat{
		prompts: client,
		record:  client.Record,
		model:   openai.NewClient(), // it reads OPENAI_API_KEY and OPENAI_BASE_URL
		timeout: time.Minute,
		log:     log,
	}
	log.Info("chat-http: listening", "address", "http://"+ln.Addr().String(), "prompts", client.Status().Source)
	return serve(ctx, ln, app.routes())
}

// serve blocks until ctx is done and the requests in progress are answered,
// for at most 20 seconds.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	ctx, failed := context.WithCancel(ctx)
	stopped := make(chan error)
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(ending)
	}()
	err := srv.Serve(ln)
	failed()
	if stopping := <-stopped; errors.Is(err, http.ErrServerClosed) {
		err = stopping
	}
	return err
}
