package sqlstore_test

import (
	"encoding/json"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatWasSignedStandsBesideItsEvidence(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		if err := s.SetEnvironment(ctx, registry.Environment{Name: "gated", Require: []string{"tests"}}, by("environment")); err != nil {
			t.Fatal(err)
		}
		envelope := json.RawMessage(`{"payload":"e30="}`)
		both := []registry.Evidence{
			{Prompt: "support", Digest: "d1", Kind: "tests", Passed: true, By: "ci", Statement: envelope},
			{Prompt: "support", Digest: "d1", Kind: "comparison", Passed: false, By: "ci", Statement: envelope},
		}
		filed, err := s.AddAllEvidence(ctx, both, by("evidence"))
		if err != nil || len(filed) != 2 || filed[0].ID == filed[1].ID || both[0].ID != "" {
			t.Fatalf("%+v, %v", filed, err)
		}
		if _, err := s.AddEvidence(ctx, registry.Evidence{Prompt: "support", Digest: "d1", Kind: "review", Passed: true, By: "bob"}, by("evidence")); err != nil {
			t.Fatal(err)
		}
		all, err := s.Evidence(ctx, "support")
		if err != nil || len(all) != 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		for i, want := range []struct{ kind, statement string }{{"comparison", string(envelope)}, {"tests", string(envelope)}, {"review", ""}} {
			if all[i].Kind != want.kind || string(all[i].Statement) != want.statement {
				t.Errorf("%d: %+v, want %v", i, all[i], want)
			}
		}
		if st, err := s.State(ctx, "support", "gated"); err != nil || string(st.Evidence[1].Statement) != string(envelope) {
			t.Errorf("where a gate asks: %+v, %v", st.Evidence, err)
		}
		if st, err := s.State(ctx, "support", "dev"); err != nil || len(st.Evidence) != 3 || st.Evidence[1].Statement != nil {
			t.Errorf("where no gate asks: %+v, %v", st.Evidence, err)
		}
		// A newer word without a statement stands alone.
		if _, err := s.AddEvidence(ctx, registry.Evidence{Prompt: "support", Digest: "d1", Kind: "tests", By: "bob"}, by("evidence")); err != nil {
			t.Fatal(err)
		}
		all, err = s.Evidence(ctx, "support")
		if last := all[len(all)-1]; err != nil || last.Kind != "tests" || last.Statement != nil || last.Passed {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
