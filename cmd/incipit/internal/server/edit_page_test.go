package server

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/registry"
)

const editGreeting = "/prompts/greeting/edit"

// writer is the key of somebody who may do some things with the prompt
// greeting.
func (r *rig) writer(mail string, may ...registry.Permission) string {
	r.Helper()
	key, _, err := r.service.CreateKey(r.asRoot(), lifecycle.KeyRequest{Kind: auth.Person, Name: mail, Person: true, Grants: []registry.Grant{
		{Permissions: may, Environments: []string{"dev"}, Prompts: []string{"greet*"}},
	}})
	if err != nil {
		r.Fatal(err)
	}
	return key
}

// atEditor asks for a page, or sends a form of name and value in turn to it.
func (r *rig) atEditor(key, path string, form ...string) got {
	r.Helper()
	if form == nil {
		return r.send(http.MethodGet, path, key, "", "Accept", "text/html")
	}
	return r.send(http.MethodPost, path, key, editForm(form...), "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded")
}

func editForm(pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

// draftOf is what somebody is writing.
func (r *rig) draftOf(key string) registry.DraftState {
	r.Helper()
	return decode[registry.DraftState](r, r.send("GET", "/v1/prompts/greeting/draft", key, ""))
}

// editorHolds fails the test unless an answer has a status and holds texts; one that
// begins with ! must not be there.
func (g got) editorHolds(t testing.TB, status int, texts ...string) {
	t.Helper()
	if g.status != status {
		t.Fatalf("got %d, want %d: %s", g.status, status, g.body)
	}
	for _, s := range texts {
		not, forbidden := strings.CutPrefix(s, "!")
		if forbidden == strings.Contains(string(g.body), not) {
			t.Errorf("%q stands in the page: %t\n%s", not, forbidden, g.body)
		}
	}
}

const warm = "You greet whoever writes to you, in one warm and friendly sentence."

func TestWhatIsTypedIsSavedCheckedAndProposed(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	r.atEditor(ada, editGreeting).editorHolds(t, 200, "You greet whoever writes to you", "nothing written yet")
	base := r.draftOf(ada).Base.Commit

	g := r.atEditor(ada, editGreeting, "number", "0", "base", base, "system", warm, "seen.model", "model-a", "model", "model-b")
	g.editorHolds(t, 303)
	if at := g.header.Get("Location"); at != editGreeting {
		t.Errorf("sent to %s", at)
	}
	d := r.draftOf(ada)
	if meta := d.Files[".prompt-metadata.json"]; d.Number != 1 || d.Files["system-prompt.txt"] != warm || !strings.Contains(meta, `"model": "model-b", "author": "ada"`) {
		t.Errorf("saved %+v", d.Draft)
	}
	r.atEditor(ada, editGreeting).editorHolds(t, 200, warm, "(number 1)", "Nothing is wrong with it")
	r.atEditor(ada, editGreeting+"/preview", "number", "1", "system", warm, "user", "{{name}}", "var.name", "Grace <b>").editorHolds(t, 200, "Grace &lt;b&gt;", "tokens, estimated")
	r.atEditor(ada, editGreeting+"/preview", "number", "1", "system", warm, "user", "{{name}}", "var.name", "").editorHolds(t, 200, "Without a value:")
	r.atEditor(ada, editGreeting+"/test", "number", "1", "system", warm, "user", "{{name}}").editorHolds(t, 200, "1 passed", "greets")

	r.atEditor(ada, editGreeting+"/propose").editorHolds(t, 200, "What is committed", "<ins>warm</ins>", `name="number" value="1"`)
	send := []string{"number", "1", "bump", "patch", "message", "warmer\r\n\r\nPeople asked for it.", "once", "1-1"}
	r.atEditor(ada, editGreeting+"/propose", send...).editorHolds(t, 303)
	r.atEditor(ada, editGreeting+"/propose", send...).editorHolds(t, 303) // the second click
	d = r.draftOf(ada)
	if d.Proposed == nil {
		t.Fatal("nothing is proposed")
	}
	r.atEditor(ada, editGreeting).editorHolds(t, 200, d.Proposed.Branch, "git merge origin/", `href="https://git.example.com/commits/`+d.Proposed.Commit)
	events, err := r.service.Events(r.asRoot(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if e.Action == "propose" {
			n++
			if e.Source != "ui" || e.Actor != "ada@example.com" {
				t.Errorf("noted as %+v", e)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d proposals are noted", n)
	}

	r.atEditor(ada, editGreeting+"/discard").editorHolds(t, 200, "cannot be undone")
	r.atEditor(ada, editGreeting+"/discard", "number", "1").editorHolds(t, 303)
	r.atEditor(ada, editGreeting+"/discard", "number", "1").editorHolds(t, 303)
	r.atEditor(ada, editGreeting).editorHolds(t, 200, "nothing written yet")
}

func TestAScriptIsAnsweredWithThePage(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	base := r.draftOf(ada).Base.Commit
	save := func(number int, more ...string) got {
		form := append([]string{"number", fmt.Sprint(number), "base", base, "system", warm}, more...)
		return r.send("POST", editGreeting, ada, editForm(form...), "Accept", "text/html", "HX-Request", "true", "Content-Type", "application/x-www-form-urlencoded")
	}
	save(0).editorHolds(t, 200, `name="number" value="1"`, `data-shows="saved"`)
	save(1, "parameters", `{"temperature": `).editorHolds(t, 200, "not saved: ", "{&#34;temperature&#34;: </textarea>")
	save(2, "parameters", `{"temperature": 1}`).editorHolds(t, 200, "!not saved: ")
	if d := r.draftOf(ada); d.Number != 3 || !strings.Contains(d.Files[".prompt-metadata.json"], `"parameters": {"temperature": 1}`) {
		t.Errorf("saved %+v", d.Draft)
	}
	save(3, "system", "short").editorHolds(t, 200)
	r.atEditor(ada, editGreeting).editorHolds(t, 200, "!too-short")
	save(4, "user", "{{nobody}}").editorHolds(t, 200, "user-prompt.txt:1:1", "undeclared")
	save(1).editorHolds(t, 409, `id="merge"`)
	save(5, "user", strings.Repeat("x", 300<<10)).editorHolds(t, 422, "can be kept", strings.Repeat("x", 300<<10)) // and nothing typed is lost
	save(5, "user", strings.Repeat("x", maxDraft)).editorHolds(t, 413)
}

func TestTwoWindowsOfADraftLoseNothing(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	base := r.draftOf(ada).Base.Commit
	const mine, theirs = "You greet whoever writes to you, in one MINE and friendly sentence.", "You greet whoever writes to you, in one THEIRS and friendly sentence."
	r.atEditor(ada, editGreeting, "number", "0", "base", base, "system", theirs).editorHolds(t, 303)
	g := r.atEditor(ada, editGreeting, "number", "0", "base", base, "system", mine)
	g.editorHolds(t, 409, "Neither text is lost", "<ins>MINE</ins>", "<ins>THEIRS</ins>", "Both changed the same lines", `name="number" value="1"`, "your other window, number 1")
	if d := r.draftOf(ada); d.Files["system-prompt.txt"] != theirs {
		t.Errorf("the other window lost %+v", d.Draft)
	}
	form := mergeForm(t, g)
	r.atEditor(ada, editGreeting+"/merge", form...).editorHolds(t, 422, "it is not chosen which system-prompt.txt", "<ins>MINE</ins>", "<ins>THEIRS</ins>")
	r.atEditor(ada, editGreeting+"/merge", append(form, "choice.system", "merged")...).editorHolds(t, 303)
	if d := r.draftOf(ada); d.Number != 2 || d.Files["system-prompt.txt"] != mine || len(d.Files) != 3 {
		t.Errorf("saved %+v", d.Draft)
	}
	g = r.atEditor(ada, editGreeting+"/merge", append(form, "choice.system", "theirs")...) // what the form holds is old by now
	g.editorHolds(t, 409, "<ins>MINE</ins>", "<ins>THEIRS</ins>")
	r.atEditor(ada, editGreeting+"/merge", append(mergeForm(t, g), "choice.system", "mine")...).editorHolds(t, 303)
	if d := r.draftOf(ada); d.Number != 3 || d.Files["system-prompt.txt"] != theirs {
		t.Errorf("saved %+v", d.Draft)
	}
	r.atEditor(ada, editGreeting+"/discard", "number", "3").editorHolds(t, 303)
	g = r.atEditor(ada, editGreeting, "number", "3", "base", base, "system", mine)
	g.editorHolds(t, 409, "because your draft was discarded", "<ins>MINE</ins>")
	r.atEditor(ada, editGreeting+"/merge", mergeForm(t, g)...).editorHolds(t, 303)
	if d := r.draftOf(ada); d.Files["system-prompt.txt"] != mine {
		t.Errorf("saved %+v", d.Draft)
	}
}

// mergeForm is what a browser would send of the form to put two states together.
func mergeForm(t testing.TB, g got) (form []string) {
	t.Helper()
	page := string(g.body)
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		form = append(form, m[1], m[2])
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>`).FindAllStringSubmatch(page, -1) {
		form = append(form, m[1], strings.NewReplacer("&#34;", `"`, "&lt;", "<", "&amp;", "&", "&#39;", "'", "&#43;", "+", "\n", "\r\n").Replace(m[2]))
	}
	for _, m := range regexp.MustCompile(`name="(choice[^"]+)" value="([^"]+)" required checked`).FindAllStringSubmatch(page, -1) {
		form = append(form, m[1], m[2])
	}
	if len(form) == 0 {
		t.Fatalf("there is no form: %s", page)
	}
	return form
}

func TestWhoMayNotProposeIsToldSo(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	bob := r.writer("bob@example.com", registry.MayRead)
	r.atEditor(bob, editGreeting).editorHolds(t, 200, "You may not write drafts of this prompt", "!<textarea")
	for _, path := range []string{"", "/preview", "/test", "/merge", "/propose", "/discard"} {
		r.atEditor(bob, editGreeting+path, "number", "0", "system", warm).editorHolds(t, 403)
	}
	r.atEditor(r.writer("carol@example.com", registry.MayPropose), editGreeting).editorHolds(t, 200, "<textarea")
	r.atEditor(r.writer("dan@example.com", registry.MayDeploy), editGreeting).editorHolds(t, 403)
}
