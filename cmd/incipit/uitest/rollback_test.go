package uitest

import (
	"strings"
	"testing"
	"time"
)

// From each page that shows a deployment one gets back with one button and the
// form behind it, and the page one was on says what was done.
func TestARollbackIsOneClickAwayWhereverADeploymentIsShown(t *testing.T) {
	s := deployed(t)
	s.far("deploy", "customer-support@1.0.1", "--env", "dev")
	b := newTab(t)
	for _, page := range []string{"/", "/prompts/customer-support", "/prompts/customer-support/releases", "/environments/dev/prompts/customer-support/rollout"} {
		b.open(s.url + page)
		b.openRollback("dev")
		b.sees("1.0.1 → 1.0.0")
		b.fill("dialog #change-reason", "people were confused")
		b.click("dialog button.danger")
		b.sees("Rolled back customer-support in dev: 1.0.1 → 1.0.0")
		if at := b.at(); !strings.HasPrefix(strings.TrimPrefix(at, s.url), page+"?did=dev") {
			t.Errorf("from %s one comes to %s", page, at)
		}
		b.press("Undo")
		b.sees("Deploy customer-support in dev")
		b.until("the form of the undo is there", `document.querySelector("dialog[open] button.primary")`)
		b.click("dialog button.primary")
		b.sees("Deployed customer-support in dev: 1.0.0 → 1.0.1")
	}
}

// openRollback presses the button beside what an environment runs.
func (b *tab) openRollback(env string) {
	b.t.Helper()
	b.click(`main a[data-dialog][href*="/environments/` + env + `/prompts/customer-support/rollback"]`)
	b.until("the form is there", `document.querySelector("dialog[open] button.danger")`)
}

// BenchmarkClicks says how long people wait: from the button of a rollback to
// the page that says it is done, and from a deploy by others to an open page
// that shows it. Beside them stands the same rollback through the API.
//
//	go test -run '^$' -bench BenchmarkClicks -benchtime 10x ./cmd/incipit/uitest
func BenchmarkClicks(b *testing.B) {
	s := newSite(b)
	s.append("prompts/customer-support/system-prompt.txt", "Be warm.\n")
	s.run("release", "customer-support", "--patch", "-m", "warmer")
	s.far("sync")
	at := "/v1/environments/dev/prompts/customer-support/"
	s.post(at+"deploy", `{"version":"1.0.0"}`)
	b.Run("rollback/click to done", func(b *testing.B) {
		t := newTab(b)
		var took []float64
		for b.Loop() {
			s.post(at+"deploy", `{"version":"1.0.1","quarantined":true}`)
			t.open(s.url + "/")
			t.openRollback("dev")
			start := time.Now()
			t.click("dialog button.danger")
			t.sees("Rolled back customer-support in dev")
			took = append(took, float64(time.Since(start).Microseconds())/1000)
		}
		report(b, took)
	})
	b.Run("rollback/yardstick: by the API", func(b *testing.B) {
		var took []float64
		for b.Loop() {
			s.post(at+"deploy", `{"version":"1.0.1","quarantined":true}`)
			start := time.Now()
			s.post(at+"rollback", `{}`)
			took = append(took, float64(time.Since(start).Microseconds())/1000)
		}
		report(b, took)
	})
	b.Run("change/until an open page shows it", func(b *testing.B) {
		t := newTab(b)
		t.open(s.url + "/")
		var took []float64
		for n := 0; b.Loop(); n++ {
			version := []string{"1.0.1", "1.0.0"}[n%2]
			s.post(at+"deploy", `{"version":"`+version+`","quarantined":true}`)
			start := time.Now()
			t.until(version+" is shown", `document.querySelector("#row-customer-support td:nth-child(3) .version").innerText === "`+version+`"`)
			took = append(took, float64(time.Since(start).Microseconds())/1000)
		}
		report(b, took)
	})
}
