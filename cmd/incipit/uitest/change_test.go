package uitest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/incipit-dev/incipit"
)

// quickGuard is a guard that decides after few calls, so that a test sees it.
const quickGuard = `    guard: {steps: [20, 50], hold_back: 0, bake: 1s, metrics: [errors], max_error_increase: 0.5, alpha_safe: 0.25}
`

// changeSite is a site with three releases of customer-support, the first of
// which runs everywhere.
func changeSite(t testing.TB, args ...string) *site {
	t.Helper()
	s := newRepo(t)
	s.edit("incipit.yaml", "    protected: true ", quickGuard+"    protected: true ")
	s.git("commit", "-qam", "incipit: a quick guard")
	for _, said := range []string{"Sign with your name.", "Say what happens next."} {
		s.edit("prompts/customer-support/system-prompt.txt", "\n", "\n"+said+"\n")
		s.run("release", "customer-support", "--patch", "-m", strings.ToLower(said))
	}
	if s.args = args; len(args) == 0 {
		s.args = []string{"--dev"}
	}
	return s
}

// deployed is a changeSite that is served, and runs the first release.
func deployed(t testing.TB) *site {
	t.Helper()
	s := changeSite(t)
	s.serve("127.0.0.1:0")
	for _, env := range []string{"dev", "production"} {
		s.far("deploy", "customer-support@1.0.0", "--env", env, "--confirm", env, "--reason", "a test")
	}
	return s
}

// customers are an application that asks for answers and records its calls,
// until it is stopped. Those of the candidate fail where failing is set.
func customers(t testing.TB, s *site, failing bool) (stop func()) {
	t.Helper()
	client, err := incipit.New(t.Context(), incipit.Options{Server: s.url, Environment: "production", CacheDir: "-", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { // ends when it is stopped
		defer close(done)
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
			p, err := client.Prompt(ctx, "customer-support", incipit.Subject(fmt.Sprintf("customer-%d", n)), incipit.Vars{
				"company_name": "Example", "product_name": "Example One", "support_hours": "9 to 5", "help_articles": "Hold the button.", "customer_message": "It does not start.",
			})
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("an answer: %v", err)
				}
				return
			}
			call := p.Call()
			call.Latency, call.Outcome = 20*time.Millisecond, "ok"
			if failing && p.Arm == "candidate" {
				call.Outcome, call.ErrorClass = "error", "prompt"
			}
			client.Record(call)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := client.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// choose sets a field as a person does, and tells the page.
func (b *tab) choose(selector, text string) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf(`(() => { const f = document.querySelector(%s); f.value = %s; f.dispatchEvent(new Event("input", {bubbles: true})); return true; })()`, quoted(selector), quoted(text)))
}

const inProduction = "/environments/production/prompts/customer-support/"

func TestACanaryIsDeployedAndWatchedToItsEnd(t *testing.T) {
	s := deployed(t)
	b := newTab(t)
	b.open(s.url + inProduction + "deploy")
	b.choose("#change-version", "1.0.2")
	b.click(`input[value="canary"]`)
	b.until("the plan is a canary's", `document.querySelector("#change-plan").innerText.includes("20 % → 50 %")`)
	shown := strings.Join(strings.Fields(b.text("#change-plan")), " ")
	plan, _, _ := strings.Cut(s.far("plan", "customer-support@1.0.2", "--env", "production", "--canary"), "\n\n")
	for line := range strings.Lines(plan) {
		line = strings.Join(strings.Fields(line), " ")
		if mark, rest, _ := strings.Cut(line, " "); mark == "ok" {
			line = "ok: " + rest
		} else if name, rest, fact := strings.Cut(line, ": "); fact && !strings.HasPrefix(line, "deploy ") && name != "forecast" {
			line = name + " " + rest
		}
		if !strings.Contains(shown, line) {
			t.Errorf("incipit plan says %q, and the page does not:\n%s", line, shown)
		}
	}
	if want := "incipit deploy customer-support@1.0.2 --env production --canary 20,50 --confirm production"; !strings.Contains(shown, want) {
		t.Errorf("the page does not say %s:\n%s", want, shown)
	}
	b.fits()
	b.fill("#change-reason", "warmer tone")
	b.fill("#change-confirm", "staging")
	b.expect("422")
	b.press("Deploy")
	b.sees("the change must be confirmed by its name")
	if got := value[string](b, `document.querySelector("#change-reason").value + document.querySelector("#change-version").value`); got != "warmer tone1.0.2" {
		t.Errorf("what was typed is lost: %q", got)
	}
	b.fill("#change-confirm", "production")
	b.press("Deploy")
	b.sees("Deployed customer-support in production")
	b.until("it stands at 20 %", `document.querySelector("#rollout .standing").innerText.includes("20 %")`)
	customers(t, s, false)
	b.until("calls are compared", `document.querySelector("#rollout .metrics")?.innerText.includes("errors")`)
	b.until("it advances", `[...document.querySelectorAll("#rollout .log td:nth-child(2)")].some((d) => d.innerText.trim() === "advance")`)
	b.fits()
	b.until("it is promoted", `document.querySelector("#rollout .standing").innerText.includes("promoted") && document.querySelector("#rollout .log").innerText.includes("promoted")`)
	if !strings.Contains(s.far("list"), "1.0.2") {
		t.Errorf("what runs: %s", s.far("list"))
	}
}

func TestAWorseCandidateIsTakenBackBeforeOnesEyes(t *testing.T) {
	s := deployed(t)
	s.far("deploy", "customer-support@1.0.1", "--env", "production", "--canary", "--confirm", "production", "--reason", "a test")
	b := newTab(t)
	b.open(s.url + "/rollouts")
	b.sees("customer-support")
	b.fits()
	b.press("customer-support")
	b.sees("Advance to 50 %…")
	customers(t, s, true)
	b.until("it is rolled back", `document.querySelector("#rollout .standing").innerText.includes("rolled back")`)
	b.sees("worse: errors 100.0 % against 0.0 %")
	b.click("#rollout .log details summary")
	b.sees("p-value")
}

func TestARollbackTakesOneClickAndIsTakenBackByAnother(t *testing.T) {
	s := deployed(t)
	s.far("deploy", "customer-support@1.0.1", "--env", "production", "--confirm", "production", "--reason", "a test")
	b := newTab(t)
	b.open(s.url + inProduction + "rollout")
	b.press("Roll back…")
	b.until("the effect is shown", `document.querySelector("dialog[open] #change-plan")?.innerText.includes("moves from 1.0.1 back to 1.0.0")`)
	if got := value[string](b, `document.activeElement.id`); got != "change-reason" {
		t.Errorf("the dialog begins at %q", got)
	}
	b.fill("dialog #change-reason", "wrong tone")
	b.fill("dialog #change-confirm", "production")
	hit(b, chromedp.CSS("dialog button.danger"))
	b.sees("Rolled back customer-support in production: 1.0.1 → 1.0.0")
	b.sees("by you")
	b.press("Undo…")
	b.until("the undo is filled in", `document.querySelector("dialog[open] #change-plan")?.innerText.includes("incipit deploy customer-support@1.0.1 --env production --clear-quarantine --confirm production")`)
	b.fill("dialog #change-reason", "it was right")
	b.until("the command says why", `document.querySelector("dialog[open] #change-plan").innerText.includes("--reason 'it was right'")`)
	b.fill("dialog #change-confirm", "production")
	hit(b, chromedp.CSS("dialog button.primary"))
	b.sees("Deployed customer-support in production: 1.0.0 → 1.0.1")

	b.open(s.url + inProduction + "rollback?return=/")
	b.fill("#change-reason", "after all")
	b.fill("#change-confirm", "production")
	b.press("Roll back")
	b.sees("Rolled back customer-support in production")
	b.until("one is home again", `location.pathname === "/"`)
}

func TestADoubleClickCountsOnceAndAStaleFormNotAtAll(t *testing.T) {
	s := deployed(t)
	b := newTab(t)
	b.open(s.url + "/environments/dev/prompts/customer-support/deploy?version=1.0.1")
	value[bool](b, `(() => { const form = document.querySelector("#change"), body = new URLSearchParams(new FormData(form));
		const send = () => fetch(form.action, {method: "POST", body});
		window.both = Promise.all([send(), send()]); return true; })()`)
	if got := value[string](b, `window.both.then((all) => all.map((a) => a.status + " " + new URL(a.url).search).join(", "))`); got != "200 ?did=dev%2Fcustomer-support%2F2, 200 ?did=dev%2Fcustomer-support%2F2" {
		t.Errorf("sent twice at once: %s", got)
	}
	b.open(s.url + "/environments/dev/prompts/customer-support/deploy?version=1.0.2")
	s.far("rollback", "customer-support", "--env", "dev", "--reason", "meanwhile")
	b.expect("422")
	b.fill("#change-reason", "I read it")
	b.press("Deploy")
	b.sees("moved from deployment 2 to 3 since it was looked at")
	b.sees("#3 rollback 1.0.1 → 1.0.0")
	if got := value[string](b, `document.querySelector("#change-reason").value`); got != "I read it" {
		t.Errorf("the reason is lost: %q", got)
	}
	b.press("Deploy")
	b.sees("Deployed customer-support in dev: 1.0.0 → 1.0.2")
}

func TestWhoMayNotTouchProductionIsToldAndRefused(t *testing.T) {
	s := changeSite(t, "--url", "http://127.0.0.1:1")
	admin := s.run("admin", "bootstrap", "--data", ".incipit")
	s.serve("127.0.0.1:0")
	s.env = append(s.env, "INCIPIT_KEY="+admin)
	s.far("deploy", "customer-support@1.0.0", "--env", "production", "--confirm", "production", "--reason", "a test")
	s.far("deploy", "customer-support@1.0.1", "--env", "production", "--confirm", "production", "--reason", "a test")
	key := s.far("admin", "key", "create", "reader", "--allow", "read", "--env", "*")

	b := newTab(t)
	b.open(s.url + inProduction + "rollout")
	b.fill("#key", key)
	b.press("Sign in")
	b.sees("You may look on")
	if n := value[int](b, `document.querySelectorAll("main a[data-dialog]").length`); n != 0 {
		t.Errorf("%d buttons for who may press none", n)
	}
	b.open(s.url + inProduction + "rollback")
	b.sees("may not deploy customer-support in production")
	b.expect("403")
	value[bool](b, `(() => { document.querySelector("#change").submit(); return true; })()`)
	b.sees("Forbidden")
	if out := s.far("list"); !strings.Contains(out, "1.0.1") {
		t.Errorf("it went through: %s", out)
	}
}
