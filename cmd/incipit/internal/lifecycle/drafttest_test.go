package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAPersonRunsOneTestAtATime(t *testing.T) {
	dir := repository(t, true, theEnvironments(), known("{}"))
	begun, end := make(chan registry.DraftTest), make(chan struct{})
	r := cloned(t, storetest.SQLite(t), dir, func(c *SharedConfig) {
		c.TestDraft = func(ctx context.Context, q registry.DraftTest) (registry.DraftReport, error) {
			begun <- q
			select {
			case <-end:
				return registry.DraftReport{Passed: 1}, nil
			case <-ctx.Done():
				return registry.DraftReport{}, context.Cause(ctx)
			}
		}
	})
	r.synced()
	texts := registry.Texts{prompt.SystemFile: newSystem}
	run := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := r.shared.TestDraft(ctx, "support", texts)
			done <- err
		}()
		return done
	}
	first := run(by(t, ada))
	if q := <-begun; q.Prompt != "support" || q.Files[prompt.SystemFile] != newSystem {
		t.Errorf("got %+v", q)
	}
	if _, err := r.shared.TestDraft(by(t, ada), "support", texts); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	ctx, cancel := context.WithCancel(by(t, bob))
	his := run(ctx)
	<-begun
	cancel()
	if err := <-his; !errors.Is(err, context.Canceled) {
		t.Errorf("a run whose page was closed: %v", err)
	}
	var others []chan error
	for i := range maxTests - 1 {
		others = append(others, run(by(t, fmt.Sprintf("p%d@example.com", i))))
		<-begun
	}
	if _, err := r.shared.TestDraft(by(t, bob), "support", texts); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("one more than there is room for: %v", err)
	}
	close(end)
	for _, done := range append(others, first) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	again := run(by(t, ada))
	<-begun
	if err := <-again; err != nil {
		t.Errorf("after the first: %v", err)
	}
	if _, err := r.shared.TestDraft(by(t, ada), "support", registry.Texts{"x": "y"}); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("another file: %v", err)
	}
	without := cloned(t, storetest.SQLite(t), dir)
	if _, err := without.shared.TestDraft(by(t, ada), "support", texts); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a server without tests: %v", err)
	}
}
