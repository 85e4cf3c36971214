package sqlstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// disarm takes the guards off a table, as somebody with the database's password
// could.
func disarm(t *testing.T, s *sqlstore.Store, postgres bool, table string) {
	t.Helper()
	statements := []string{`DROP TRIGGER ` + table + `_no_update`, `DROP TRIGGER ` + table + `_no_delete`}
	if postgres {
		statements = []string{`DROP TRIGGER ` + table + `_append_only ON ` + table}
	}
	for _, st := range statements {
		if err := s.Exec(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatWasRecordedCannotBeChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		deploy(t, s, "dev", "support", "1.0.0")
		if _, _, err := s.AddReleases(ctx, []sqlstore.IndexedRelease{indexed(t, "support", "1.0.0", "Be kind.")}); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`UPDATE deployment SET version = '6.6.6'`, `DELETE FROM deployment`,
			`UPDATE audit SET actor = 'nobody'`, `DELETE FROM audit`, `UPDATE release SET digest = 'x'`,
		} {
			if err := s.Exec(ctx, statement); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
}

func TestTheAuditLogNamesTheEventThatWasTamperedWith(t *testing.T) {
	for name, c := range map[string]struct{ statement, want string }{
		"changed":    {`UPDATE audit SET actor = 'nobody' WHERE seq = 3`, "event 3 is not what was written"},
		"moved":      {`UPDATE audit SET at_us = at_us + 1 WHERE seq = 3`, "event 3 is not what was written"},
		"taken out":  {`DELETE FROM audit WHERE seq = 3`, "event 3 is missing"},
		"cut off":    {`DELETE FROM audit WHERE seq >= 4`, "event 4 is missing"},
		"forged":     {`UPDATE audit SET previous = 'x', hash = 'y' WHERE seq = 2`, "event 2 does not follow"},
		"emptied":    {`DELETE FROM audit`, "event 1 is missing"},
		"in detail":  {`UPDATE audit SET detail = '{"a":"b"}' WHERE seq = 1`, "event 1 is not what was written"},
		"swapped id": {`UPDATE audit SET seq = 99 WHERE seq = 5`, "event 5 is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
				s, ctx := db.Open(t), t.Context()
				environments(t, s, "a", "b", "c", "d", "e")
				if n, err := s.VerifyAudit(ctx); err != nil || n != 5 {
					t.Fatalf("before: %d, %v", n, err)
				}
				disarm(t, s, db.Postgres, "audit")
				if err := s.Exec(ctx, c.statement); err != nil {
					t.Fatal(err)
				}
				_, err := s.VerifyAudit(ctx)
				if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestADeploymentThatWasTamperedWithIsNotServed(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		environments(t, s, "dev")
		deploy(t, s, "dev", "support", "1.0.0")
		disarm(t, s, db.Postgres, "deployment")
		if err := s.Exec(ctx, `UPDATE deployment SET version = '6.6.6'`); err != nil {
			t.Fatal(err)
		}
		_, err := s.Running(ctx, "dev")
		fix, ok := errors.AsType[*registry.FixError](err)
		if !errors.Is(err, registry.ErrUnavailable) || !ok || !strings.Contains(fix.Fix, "incipit restore") || !strings.Contains(err.Error(), "deployment 1 of support in dev") {
			t.Errorf("%v", err)
		}
	})
}

func TestEventsStandForThemselves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		e := by("sign-in")
		e.Detail = map[string]string{"from": "192.0.2.1", "agent": "\x00 and „quotes“"}
		for range 3 {
			if err := s.AddEvent(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		e.Reason = "a \x00 byte"
		if err := s.AddEvent(ctx, e); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("a zero byte: %v", err)
		}
		got, err := s.Events(ctx, 1, 1)
		if err != nil || len(got) != 1 || got[0].Seq != 2 || got[0].Detail["agent"] != "\x00 and „quotes“" {
			t.Errorf("%+v, %v", got, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 3 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
