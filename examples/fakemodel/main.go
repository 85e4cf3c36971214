// Command fakemodel answers as OpenAI and Anthropic do, without a model, so
// that the examples can be tried without a key and without a network.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/incipit-dev/incipit/examples/internal/fake"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("fakemodel: " + err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	srv := &http.Server{Addr: "127.0.0.1:8089", Handler: new(fake.Model), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	slog.Info("fakemodel: listening", "OPENAI_BASE_URL", "http://127.0.0.1:8089/v1", "ANTHROPIC_BASE_URL", "http://127.0.0.1:8089")
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
