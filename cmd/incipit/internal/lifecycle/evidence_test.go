package lifecycle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func signer(t testing.TB, name string) evidence.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := evidence.NewKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A gated is a rig where evidence must be signed, and the way to file it.
type gated struct {
	*rig
	ws *source.Workspace // nil: a database
}

// eachGated runs a test over a file and over both databases, where the key of
// ci is trusted.
func eachGated(t *testing.T, envs []registry.Environment, f func(g *gated)) {
	t.Helper()
	keys := evidence.Keys{signer(t, "ci").Public()}
	t.Run("file", func(t *testing.T) {
		clock := new(storetest.Clock)
		ws, err := source.Open(t.Context(), repository(t, false, envs, known("{}")), source.Options{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ws.Close(); err != nil {
				t.Error(err)
			}
		})
		ws.Config.EvidenceKeys = keys
		store := source.Store{Workspace: ws}
		f(&gated{&rig{TB: t, clock: clock, Service: New(Config{
			Store: store, Catalog: store, Bucketing: ws.Config.Bucketing, Now: clock.Now, Keys: keys,
			Author: func(context.Context) (string, error) { return "Ada", nil },
		})}, ws})
	})
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		f(&gated{overWith(t, d, envs, func(c *SharedConfig) { c.Keys = keys }), nil})
	})
}

// stated is a statement about a release of support, minutes after now.
func (g *gated) stated(version string, minutes int, tests, comparison string) evidence.Statement {
	g.Helper()
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(version)))
	s := evidence.Statement{
		Format: evidence.Format, Prompt: "support", Version: version, Digest: digestOf(g.rig, "support", version),
		Kinds: evidence.Kinds{Tests: tests, Comparison: comparison}, SuiteHash: hash, ReportHash: hash,
		Mode: "replay", Tool: "v1", At: g.clock.Now().UTC().Truncate(time.Second).Add(time.Duration(minutes) * time.Minute),
	}
	if comparison != evidence.NotCompared {
		s.Base = &evidence.Base{Version: "1.0.0", Digest: hash, Environment: "production"}
	}
	return s
}

func (g *gated) submit(s evidence.Statement, keys ...evidence.PrivateKey) error {
	g.Helper()
	e, err := evidence.Seal(s, keys...)
	if err != nil {
		g.Fatal(err)
	}
	if g.ws != nil {
		return g.ws.NoteEvidence(g.Context(), "HEAD", []evidence.Envelope{e})
	}
	raw, err := e.Bytes()
	if err != nil {
		g.Fatal(err)
	}
	_, err = g.shared.FileEvidence(by(g, "ci"), registry.Evidence{Prompt: s.Prompt, Digest: s.Digest, Kind: "tests", Passed: s.Kinds.Tests == evidence.TestsPassed, Statement: raw})
	return err
}

func (g *gated) filed(s evidence.Statement) {
	g.Helper()
	if err := g.submit(s, signer(g, "ci")); err != nil {
		g.Fatal(err)
	}
}

func gate() []registry.Environment {
	return []registry.Environment{{Name: "production", Require: []string{"tests", "comparison"}}}
}

func TestAGateOpensForWhatATrustedKeySigned(t *testing.T) {
	eachGated(t, gate(), func(g *gated) {
		passed, none := evidence.TestsPassed, evidence.NotCompared
		for name, keys := range map[string][]evidence.PrivateKey{"nobody": nil, "a stranger": {signer(g, "mallory")}} {
			err := g.submit(g.stated("1.0.0", -9, passed, none), keys...)
			if g.shared != nil && !errors.Is(err, registry.ErrForbidden) {
				g.Errorf("signed by %s: %v", name, err)
			}
			g.refused(registry.ErrGate, "no evidence of tests", deploying("production", "1.0.0"))
		}
		if g.shared != nil { // somebody's word is no signature
			if _, err := g.shared.FileEvidence(by(g, "ci"), registry.Evidence{Prompt: "support", Digest: digestOf(g.rig, "support", "1.0.0"), Kind: "tests", Passed: true}); err != nil {
				g.Fatal(err)
			}
			g.refused(registry.ErrGate, "cannot be believed: it is not signed", deploying("production", "1.0.0"))
		}
		g.filed(g.stated("1.0.0", -8, evidence.TestsFailed, none))
		g.refused(registry.ErrGate, "evidence of tests for support@1.0.0 says that it failed", deploying("production", "1.0.0"))
		g.filed(g.stated("1.0.0", -7, passed, none))
		g.done(deploying("production", "1.0.0")) // nothing runs that it could be worse than

		g.filed(g.stated("1.1.0", -6, passed, none))
		g.refused(registry.ErrGate, "no evidence of comparison", deploying("production", "1.1.0"))
		g.filed(g.stated("1.1.0", -5, passed, evidence.Regressed))
		g.refused(registry.ErrGate, "evidence of comparison for support@1.1.0 says that it failed", deploying("production", "1.1.0"))
		g.filed(g.stated("1.1.0", -4, passed, evidence.Inconclusive))
		g.refused(registry.ErrGate, "evidence of comparison for support@1.1.0 says that it is inconclusive", deploying("production", "1.1.0"))
		g.filed(g.stated("1.1.0", -2, passed, evidence.NotRegressed))
		g.done(deploying("production", "1.1.0"))
		g.done(ask(registry.Rollback, "production", "")) // going back needs no evidence
	})
}

func TestAnOldSuccessDoesNotCoverANewFailure(t *testing.T) {
	eachGated(t, gate(), func(g *gated) {
		old, now := g.stated("1.0.0", -5, evidence.TestsPassed, evidence.NotCompared), g.stated("1.0.0", -4, evidence.TestsFailed, evidence.NotCompared)
		g.filed(now)
		if err := g.submit(old, signer(g, "ci")); g.shared != nil && !errors.Is(err, registry.ErrConflict) {
			g.Errorf("filed again: %v", err)
		}
		g.refused(registry.ErrGate, "says that it failed", deploying("production", "1.0.0"))
	})
}

func TestAKeyThatIsNoLongerTrustedOpensNothing(t *testing.T) {
	eachGated(t, gate(), func(g *gated) {
		g.filed(g.stated("1.0.0", -5, evidence.TestsPassed, evidence.NotCompared))
		other := evidence.Keys{signer(g, "next").Public()}
		g.Service.config.Keys = other
		says := "cannot be believed"
		if g.ws != nil {
			g.ws.Config.EvidenceKeys, says = other, "no evidence of tests"
		}
		g.refused(registry.ErrGate, says, deploying("production", "1.0.0"))
	})
}

func TestStatementsThatAServerDoesNotTake(t *testing.T) {
	eachGated(t, gate(), func(g *gated) {
		if g.shared == nil {
			return
		}
		good := g.stated("1.0.0", -5, evidence.TestsPassed, evidence.NotCompared)
		e, err := evidence.Seal(good, signer(g, "ci"))
		if err != nil {
			g.Fatal(err)
		}
		raw, err := e.Bytes()
		if err != nil {
			g.Fatal(err)
		}
		right := registry.Evidence{Prompt: "support", Digest: good.Digest, Kind: "tests", Passed: true, Statement: raw}
		for name, edit := range map[string]func(*registry.Evidence){
			"about another prompt":          func(e *registry.Evidence) { e.Prompt = "billing/refunds" },
			"about another digest":          func(e *registry.Evidence) { e.Digest = digestOf(g.rig, "support", "1.1.0") },
			"with another result":           func(e *registry.Evidence) { e.Passed = false },
			"about what was not looked at":  func(e *registry.Evidence) { e.Kind = "comparison" },
			"of a kind that is not its own": func(e *registry.Evidence) { e.Kind = "review" },
			"that is no envelope":           func(e *registry.Evidence) { e.Statement = []byte(`{"payload":"e30="}`) },
		} {
			ev := right
			edit(&ev)
			if _, err := g.shared.FileEvidence(by(g, "ci"), ev); !errors.Is(err, prompt.ErrInvalid) {
				g.Errorf("a request %s: %v", name, err)
			}
		}
		if err := g.submit(g.stated("1.0.0", 30, evidence.TestsPassed, evidence.NotCompared), signer(g, "ci")); !errors.Is(err, prompt.ErrInvalid) {
			g.Errorf("a statement of the future: %v", err)
		}
		got, err := g.shared.FileEvidence(by(g, "ci"), right)
		if err != nil || got.SignedBy != signer(g, "ci").Public().ID() || got.By != "ci" || !strings.HasPrefix(got.Note, "tests pass") {
			g.Errorf("%+v, %v", got, err)
		}
	})
}

func TestTestsMayRunBeforeTheRelease(t *testing.T) {
	eachGated(t, gate(), func(g *gated) {
		s := g.stated("1.0.0", -5, evidence.TestsPassed, evidence.NotRegressed)
		s.Prompt, s.Digest = "not-yet", s.SuiteHash
		g.filed(s)
		if g.shared == nil {
			return
		}
		all, err := g.shared.EvidenceOf(g.Context(), "not-yet")
		if err != nil || len(all) != 2 || all[0].Kind != "comparison" || all[1].SignedBy == "" || all[1].Statement == nil {
			g.Errorf("%+v, %v", all, err)
		}
		events := g.audited()
		if last := events[len(events)-1]; last.Action != "evidence" || last.Detail["kind"] != "tests, comparison" || last.Detail["signed_by"] == "" {
			g.Errorf("%+v", last)
		}
	})
}
