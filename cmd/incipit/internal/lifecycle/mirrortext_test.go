package lifecycle

import (
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What the guard took back, and on what evidence, stands in Git, too.
func TestTheMirrorTellsOnWhatTheGuardActed(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		d.Config.Mirror = true
		dir := repository(t, true, []registry.Environment{{Name: "dev"}}, known("{}"))
		r := cloned(t, d, dir, func(c *SharedConfig) { c.Mirror = true })
		r.logging(t)
		r.synced()
		end := rolling(t, r, 1, .5).goOn(200, 20, nil)
		if kinds(end) != "begin, rollback" {
			t.Fatal(kinds(end))
		}
		if err := r.shared.mirror(t.Context()); err != nil {
			t.Fatal(err)
		}
		message := git(t, dir, "log", "-1", "--format=%B", "main")
		for _, want := range []string{
			"rollback of support in dev (deployment 3): rolled back: worse: errors ", "\nVerdict: regressed, p = 0.01", "\nMetric: errors, evidence ", ", worse\n",
		} {
			if !strings.Contains(message, want) {
				t.Errorf("the commit does not say %q:\n%s", want, message)
			}
		}
	})
}
