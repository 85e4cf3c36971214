package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestClosingLeavesNoGoroutineBehind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		before := goleak.IgnoreCurrent()
		s := open()
		environments(t, s, "dev")
		deploy(t, s, "dev", "support", "1.0.0")
		if _, err := s.Running(t.Context(), "dev"); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
}

func TestACallerWhoLeavesBeforeTheCommitChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s := open()
		environments(t, s, "dev")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Change(ctx, "support", "dev", registry.Once{}, func(st registry.State) (registry.Change, error) {
			cancel()
			return next("1.0.0", "")(st)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		deploy(t, s, "dev", "support", "1.1.0") // the connection can be used again
		if now, err := s.Running(t.Context(), "dev"); err != nil || now.Revision != 1 || now.Prompts["support"].Version.String() != "1.1.0" {
			t.Errorf("%+v, %v", now, err)
		}
	})
}
