package incipit

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Each subject of an experiment keeps its arm when the share of another one
// changes, and the calls say which it is.
func TestAnExperimentIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stable, b, c := made("1.4.0", text), made("1.5.0", text+" Be brief."), made("2.0.0", text+" New.")
		shares := map[string]registry.Share{"b": 25_000, "short-answers": 25_000}
		r, err := registry.NewExperiment(registry.DefaultBucketing, "support#7", "errors", armOf(t, "", stable), []registry.Arm{armOf(t, "b", b), armOf(t, "short-answers", c)}, shares)
		if err != nil {
			t.Fatal(err)
		}
		releases := map[string]prompt.Prompt{registry.StableArm: stable, "b": b, "short-answers": c}
		s := newServer(t)
		s.deploy("support", &registry.Entry{Rollout: r, Releases: releases})
		client := connect(t, s.options())
		served := func(opts ...PromptOption) map[string]string {
			out := make(map[string]string)
			for i := range 200 {
				subject := fmt.Sprint(i)
				p, err := client.Prompt(t.Context(), "support", Subject(subject), Vars{"question": "?"}, opts...)
				if err != nil {
					t.Fatal(err)
				}
				arm, _ := r.Arm(p.Arm)
				if call := p.Call(); call.Arm != p.Arm || call.Rollout != "support#7" || call.Version != arm.Version.String() || call.Share != float64(arm.Share())/1000 {
					t.Fatalf("%+v", call)
				}
				out[subject] = p.Arm
			}
			return out
		}
		first := served()
		count := make(map[string]int)
		for _, arm := range first {
			count[arm]++
		}
		if len(count) != 3 || count[registry.StableArm] < 70 {
			t.Errorf("%v", count)
		}
		for subject, arm := range served(WithVersion("^1")) {
			if want := first[subject]; want == "short-answers" && arm != registry.StableArm || want != "short-answers" && arm != want {
				t.Errorf("^1: %s gets %s, and %s without a range", subject, arm, want)
			}
		}
		if r, err = r.WithShares(map[string]registry.Share{"b": 5_000}); err != nil {
			t.Fatal(err)
		}
		s.deploy("support", &registry.Entry{Rollout: r, Releases: releases})
		synctest.Wait()
		for subject, arm := range served() {
			if was := first[subject]; arm != was && (was != "b" || arm != registry.StableArm) {
				t.Errorf("%s moved from %s to %s", subject, was, arm)
			}
		}
	})
}
