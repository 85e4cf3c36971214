package server

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// look asks for a page, as a browser does.
func (r *rig) look(path, key string) got {
	r.Helper()
	return r.send("GET", path, key, "", "Accept", "text/html")
}

// fillIn sends a form, as a browser does.
func (r *rig) fillIn(path, key string, v url.Values) got {
	r.Helper()
	return r.send("POST", path, key, v.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
}

// hiddenIn are the hidden fields of the form on a page.
func hiddenIn(t testing.TB, g got) url.Values {
	t.Helper()
	out := url.Values{}
	_, body, ok := strings.Cut(string(g.body), `<form class="change"`)
	if !ok {
		t.Fatalf("%d: there is no form: %s", g.status, g.body)
	}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

// shown is what a page shows, without its tags.
func (g got) shown() string {
	plain := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(g.body), " ")
	return strings.Join(strings.Fields(html.UnescapeString(plain)), " ")
}

const supportIn = "/environments/%s/prompts/support/%s"

func TestAFormShowsThePlanOfTheCommandLine(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("production", "support", "1.0.0")
	g := r.look(fmt.Sprintf(supportIn, "production", "deploy")+"?version=1.1.0&strategy=canary&steps=5,50&manual=1", r.admin)
	share := func(n int) registry.Share { return registry.Share(n * 1000) }
	p, err := r.service.Plan(r.asRoot(), registry.Request{
		Action: registry.Deploy, Prompt: "support", Environment: "production", Version: "1.1.0", Strategy: registry.Canary, Steps: []registry.Share{share(5), share(50)}, Manual: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	said := []string{words.PlanTitle(p), words.Command(p)}
	for _, c := range p.Checks {
		said = append(said, "ok: "+c.Name)
	}
	for _, f := range words.PlanFacts(p) {
		said = append(said, f.Name+" "+f.Text)
	}
	for _, want := range said {
		if !strings.Contains(g.shown(), want) {
			t.Errorf("the page does not say %q:\n%s", want, g.shown())
		}
	}
	if want := "incipit deploy support@1.1.0 --env production --canary 5,50 --manual --confirm production"; words.Command(p) != want {
		t.Errorf("%s, want %s", words.Command(p), want)
	}
}

func TestAChangeIsConfirmedOnceAndOfWhatWasSeen(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("production", "support", "1.0.0")
	r.deploy("production", "support", "1.1.0")
	path := fmt.Sprintf(supportIn, "production", "rollback")
	v := hiddenIn(t, r.look(path+"?return=/rollouts", r.admin))
	v.Set("reason", `wrong <b>tone</b>`)
	for _, wrong := range []string{"", "prod"} {
		v.Set("confirm", wrong)
		if g := r.fillIn(path, r.admin, v); g.status != http.StatusUnprocessableEntity || !strings.Contains(g.shown(), "must be confirmed by its name") || !strings.Contains(string(g.body), `wrong &lt;b&gt;tone&lt;/b&gt;</textarea>`) {
			t.Fatalf("confirmed by %q: %d %s", wrong, g.status, g.body)
		}
	}
	v.Set("confirm", "production")
	first, again := r.fillIn(path, r.admin, v), r.fillIn(path, r.admin, v)
	if want := "/rollouts?did=production%2Fsupport%2F3"; first.status != http.StatusSeeOther || first.header.Get("Location") != want || again.header.Get("Location") != want {
		t.Fatalf("%d %s, then %d %s", first.status, first.header.Get("Location"), again.status, again.header.Get("Location"))
	}
	tracks, err := r.service.History(r.asRoot(), "support", "production")
	if n := tracks["production"].Seq(); err != nil || n != 3 {
		t.Fatalf("it counted %d times, %v", n-2, err)
	}
	landed := r.look(first.header.Get("Location"), r.admin)
	if !strings.Contains(landed.shown(), "Rolled back support in production: 1.1.0 → 1.0.0") || !strings.Contains(landed.shown(), "by you") || !strings.Contains(string(landed.body), "version=1.1.0") {
		t.Errorf("it does not say what was done: %s", landed.shown())
	}
	stale := v
	stale.Set("once", strings.Repeat("0", 32))
	g := r.fillIn(path, r.admin, stale)
	if g.status != http.StatusUnprocessableEntity || !strings.Contains(g.shown(), "moved from deployment 2 to 3") || !strings.Contains(g.shown(), "#3 rollback 1.1.0 → 1.0.0") {
		t.Errorf("a stale form: %d %s", g.status, g.shown())
	}
}

func TestWhoMayNotChangeIsToldWhyAndRefused(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("production", "support", "1.0.0")
	reader := r.key([]registry.Permission{registry.MayRead}, "*", "*")
	for _, verb := range []string{"deploy", "rollback", "retire", "shift", "promote"} {
		path := fmt.Sprintf(supportIn, "production", verb)
		g := r.look(path, reader)
		if g.status != http.StatusOK || !strings.Contains(g.shown(), "may not deploy support in production") || regexp.MustCompile(`<button class="(primary|danger)"`).Match(g.body) {
			t.Errorf("%s: %d %s", verb, g.status, g.shown())
		}
		if g := r.fillIn(path, reader, url.Values{"confirm": {"production"}, "version": {"1.1.0"}}); g.status != http.StatusForbidden {
			t.Errorf("%s is refused with %d", verb, g.status)
		}
	}
	elsewhere := r.key([]registry.Permission{registry.MayRead}, "dev", "*")
	for _, page := range []string{"deploy", "rollback", "rollout"} {
		if g := r.look(fmt.Sprintf(supportIn, "production", page), elsewhere); g.status != http.StatusForbidden {
			t.Errorf("%s of another environment: %d", page, g.status)
		}
	}
	if g := r.look("/rollouts?did=production/support/1", elsewhere); strings.Contains(g.shown(), "1.0.0") {
		t.Error("what was done is told to somebody who may not see it")
	}
}

func TestNothingThatIsTypedIsLost(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	path := fmt.Sprintf(supportIn, "dev", "deploy")
	for _, tt := range []struct {
		name  string
		typed url.Values
		says  string
	}{
		{"steps that fall", url.Values{"strategy": {"canary"}, "steps": {"50,5"}, "version": {"1.1.0"}}, "each must be larger"},
		{"a version that is none", url.Values{"version": {"one"}}, "version"},
		{"one that was never released", url.Values{"version": {"9.9.9"}}, "9.9.9"},
	} {
		tt.typed.Set("reason", "I said so")
		g := r.fillIn(path, r.admin, tt.typed)
		if g.status != http.StatusUnprocessableEntity || !strings.Contains(g.shown(), tt.says) || !strings.Contains(string(g.body), "I said so</textarea>") {
			t.Errorf("%s: %d %s", tt.name, g.status, g.shown())
		}
		if steps := tt.typed.Get("steps"); steps != "" && !strings.Contains(string(g.body), `value="`+steps+`"`) {
			t.Errorf("%s: the steps are lost", tt.name)
		}
	}
}

// Each change is taken back by the form that the page offers, and that form is
// the command that the plan named.
func TestTheUndoOfAPageIsThatOfThePlan(t *testing.T) {
	r := sqlite(t, nil)
	at := registry.Place{Prompt: "support", Environment: "dev"}
	for _, req := range []registry.Request{
		{Action: registry.Deploy, Version: "1.0.0"},
		{Action: registry.Deploy, Version: "1.1.0"},
		{Action: registry.Deploy, Version: "1.2.0", Strategy: registry.Canary, Steps: []registry.Share{5000, 50000}, Manual: true},
		{Action: registry.Shift, Share: 20000},
		{Action: registry.Rollback},
		{Action: registry.Deploy, Version: "1.3.0", Strategy: registry.BlueGreen},
		{Action: registry.Promote},
		{Action: registry.Rollback},
		{Action: registry.Retire},
	} {
		req.Prompt, req.Environment = at.Prompt, at.Environment
		receipt, err := r.service.Do(r.asRoot(), req)
		if err != nil {
			t.Fatalf("%s %s: %v", req.Action, req.Version, err)
		}
		tracks, err := r.service.History(r.asRoot(), at.Prompt, at.Environment)
		if err != nil {
			t.Fatal(err)
		}
		undo, ok := r.service.Undoing(tracks[at.Environment], at)
		said := ""
		if ok {
			p, err := r.service.Plan(r.asRoot(), undo)
			if err != nil || p.Already != "" || words.Held(p) {
				t.Errorf("the undo of %s %s: %v, %+v", req.Action, req.Version, err, p)
			}
			said = strings.ReplaceAll(words.Command(&registry.Plan{Request: undo}), " --env dev", "")
		}
		if want := strings.ReplaceAll(receipt.Undo, " --env dev", ""); said != want {
			t.Errorf("%s %s: %q, want %q", req.Action, req.Version, said, want)
		}
		g := r.look(fmt.Sprintf("/rollouts?did=dev/support/%d", receipt.Deployment.Seq), r.admin)
		if strings.Contains(string(g.body), ">Undo…</a>") != ok && ok {
			t.Errorf("%s %s: the page offers no undo: %s", req.Action, req.Version, g.shown())
		}
	}
}

func TestARolloutPageSaysWhatIsKnown(t *testing.T) {
	r := sqlite(t, nil)
	path := fmt.Sprintf(supportIn, "dev", "rollout")
	if g := r.look(path, r.admin); g.status != http.StatusOK || !strings.Contains(g.shown(), "Nothing runs here yet") {
		t.Errorf("nothing runs: %d %s", g.status, g.shown())
	}
	for _, gone := range []string{fmt.Sprintf(supportIn, "mars", "rollout"), "/environments/dev/prompts/ghost/rollout", path + "?rollout=7"} {
		if g := r.look(gone, r.admin); g.status != http.StatusNotFound {
			t.Errorf("%s: %d", gone, g.status)
		}
	}
	if g := r.look(path+"?rollout=x", r.admin); g.status != http.StatusUnprocessableEntity && g.status != http.StatusBadRequest {
		t.Errorf("a number that is none: %d", g.status)
	}
	r.deploy("dev", "support", "1.0.0")
	req := registry.Request{Action: registry.Deploy, Prompt: "support", Environment: "dev", Version: "1.1.0", Strategy: registry.Canary, Steps: []registry.Share{5000, 50000}}
	if _, err := r.service.Do(r.asRoot(), req); err != nil {
		t.Fatal(err)
	}
	g := r.look(path, r.admin)
	report, err := r.service.Rollout(r.asRoot(), registry.Place{Prompt: "support", Environment: "dev"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{words.Sides(report), words.Stance(report), words.Why(report), report.Next, "Pause…", "Advance to 50 %…", "Roll back…"} {
		if !strings.Contains(g.shown(), want) {
			t.Errorf("it does not say %q: %s", want, g.shown())
		}
	}
	if g := r.look("/rollouts", r.admin); !strings.Contains(g.shown(), "support in dev") || !strings.Contains(g.shown(), words.Stance(report)) {
		t.Errorf("the list does not have it: %s", g.shown())
	}
	if g := r.look("/rollouts", r.key([]registry.Permission{registry.MayRead}, "staging", "*")); strings.Contains(g.shown(), "support in dev") {
		t.Error("the list shows what one may not see")
	}
	v := hiddenIn(t, r.look(fmt.Sprintf(supportIn, "dev", "pause"), r.admin))
	if g := r.fillIn(fmt.Sprintf(supportIn, "dev", "pause"), r.admin, v); g.status != http.StatusSeeOther {
		t.Fatalf("pause: %d %s", g.status, g.shown())
	}
	if g := r.look(path, r.admin); !strings.Contains(g.shown(), "paused") || !strings.Contains(g.shown(), "Resume…") {
		t.Errorf("it is not paused: %s", g.shown())
	}
}

func TestOnlyAPersonApprovesWhatTheySaw(t *testing.T) {
	r := sqlite(t, nil)
	path := fmt.Sprintf(supportIn, "dev", "approve")
	v := hiddenIn(t, r.look(path+"?version=1.0.0", r.admin))
	if g := r.fillIn(path, r.admin, v); g.status != http.StatusForbidden {
		t.Errorf("a program approves: %d", g.status)
	}
	text, _, err := r.service.CreateKey(r.asRoot(), keyOfPerson())
	if err != nil {
		t.Fatal(err)
	}
	if g := r.fillIn(path, text, v); g.status != http.StatusSeeOther {
		t.Errorf("a person: %d %s", g.status, g.shown())
	}
	v.Set("digest", "sha256:other")
	if g := r.fillIn(path, text, v); g.status != http.StatusUnprocessableEntity || !strings.Contains(g.shown(), "not the one that was looked at") {
		t.Errorf("another text: %d %s", g.status, g.shown())
	}
	if got, err := r.service.Approvals(r.asRoot(), "dev"); err != nil || len(got) != 1 || got[0].Prompt != prompt.ID("support") {
		t.Errorf("%v, %v", got, err)
	}
}

func keyOfPerson() lifecycle.KeyRequest {
	return lifecycle.KeyRequest{Kind: "person", Name: "bea@example.com", Person: true, Grants: []registry.Grant{{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}}}}
}
