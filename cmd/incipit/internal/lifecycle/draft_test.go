package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/scaffold"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const ada, bob = "ada@example.com", "bob@example.com"

// writing is a replica over a repository, fetched.
func writing(t *testing.T, d storetest.Database) (r *rig, dir string) {
	t.Helper()
	dir = repository(t, true, theEnvironments(), known("{}"))
	r = cloned(t, d, dir)
	r.synced()
	return r, dir
}

func (r *rig) draft(name string, id prompt.ID) registry.DraftState {
	r.Helper()
	st, err := r.shared.Draft(by(r, name), id)
	if err != nil {
		r.Fatal(err)
	}
	return st
}

func (r *rig) save(name string, d registry.Draft) registry.Draft {
	r.Helper()
	out, err := r.shared.SaveDraft(by(r, name), d)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// saying is the draft with another system message.
func saying(d registry.Draft, system string) registry.Draft {
	files := registry.Texts{}
	maps.Copy(files, d.Files)
	files[prompt.SystemFile] = system
	d.Files = files
	return d
}

// pushed puts a file on top of main, as somebody with a clone would.
func pushed(t *testing.T, dir string, files ...string) {
	t.Helper()
	var s stream
	s.WriteString("commit refs/heads/main\nmark :1\ncommitter " + author + " 1767225700 +0000\ndata 7\ntheirs\n\nfrom refs/heads/main^0\n")
	for i := 0; i < len(files); i += 2 {
		fmt.Fprintf(&s, "M 100644 inline %s\ndata %d\n%s\n", files[i], len(files[i+1]), files[i+1])
	}
	imports(t, dir, &s)
}

const newSystem = "You answer for {{company}}, and you are warm, brief and truthful."

func TestADraftStartsFromTheBranchAndIsItsOwners(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		r, _ := writing(t, d)
		first := r.draft(ada, "support")
		if first.Number != 0 || first.Base.Version != "1.3.0" || first.Base.Digest == "" || !strings.Contains(first.Files[prompt.SystemFile], "1.3.0") {
			t.Fatalf("got %+v", first)
		}
		mine := r.save(ada, saying(first.Draft, newSystem))
		if again := r.draft(ada, "support"); again.Number != 1 || again.Files[prompt.SystemFile] != newSystem || again.Conflict != nil {
			t.Errorf("got %+v", again)
		}
		his := r.draft(bob, "support")
		if his.Number != 0 || len(his.Others) != 1 || his.Others[0].Owner != ada || strings.Contains(his.Files[prompt.SystemFile], "warm") {
			t.Errorf("bob sees %+v", his)
		}
		mine.Number = 0
		if _, err := r.shared.SaveDraft(by(t, ada), saying(mine, "the other window")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("the other window: %v", err)
		}
		if all, err := r.shared.Drafts(by(t, ada)); err != nil || len(all) != 1 || all[0].Prompt != "support" {
			t.Errorf("got %+v, %v", all, err)
		}
		if err := r.shared.DiscardDraft(by(t, bob), "support", 1); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		if err := r.shared.DiscardDraft(by(t, ada), "support", 1); err != nil {
			t.Error(err)
		}
		if after := r.draft(ada, "support"); after.Number != 0 {
			t.Errorf("got %+v", after)
		}
	})
}

func TestADraftOfWhatIsNoDraftIsRefused(t *testing.T) {
	d := storetest.SQLite(t)
	r, _ := writing(t, d)
	if _, err := r.shared.Draft(by(t, ada), "_shared/tone"); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("an included text: %v", err)
	}
	if _, err := r.shared.Draft(t.Context(), "support"); !errors.Is(err, registry.ErrForbidden) {
		t.Errorf("nobody: %v", err)
	}
	first := r.draft(ada, "support").Draft
	for _, commit := range []string{"", "main", strings.Repeat("0", 40), "--help", strings.Repeat("z", 40)} {
		first.Base.Commit = commit
		if _, err := r.shared.SaveDraft(by(t, ada), first); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("a base %q: %v", commit, err)
		}
	}
	if anew := r.draft(ada, "new/one"); !anew.New || anew.Base.Version != "" || len(anew.BaseFiles) != 0 || !strings.Contains(anew.Files[prompt.SystemFile], "one task: New one.") {
		t.Errorf("a new prompt: %+v", anew)
	}
	without := over(t, storetest.SQLite(t), nil)
	if _, err := without.shared.Draft(by(t, ada), "support"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("without Git: %v", err)
	}
}

func TestANewPromptStartsFromWhatIncipitNewWrites(t *testing.T) {
	r, dir := writing(t, storetest.SQLite(t))
	first := r.draft(ada, "billing/chargebacks")
	var meta struct{ Created, Author string }
	if err := json.Unmarshal([]byte(first.Files[prompt.MetadataFile]), &meta); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, meta.Created)
	if err != nil || meta.Author != ada+" <"+ada+">" {
		t.Errorf("%+v, %v", meta, err)
	}
	files, err := scaffold.Prompt("prompts", "billing/chargebacks", scaffold.Input{Now: at, Author: meta.Author})
	if err != nil {
		t.Fatal(err)
	}
	want := registry.Texts{}
	for _, f := range files[:3] { // behind them stands the suite
		want[strings.TrimPrefix(f.Path, "prompts/billing/chargebacks/")] = string(f.Data)
	}
	if !maps.Equal(first.Files, want) {
		t.Errorf("got %q\nwant %q", first.Files, want)
	}
	r.save(ada, saying(first.Draft, newSystem))
	pushed(t, dir, "prompts/billing/chargebacks/"+prompt.SystemFile, "Somebody else wrote this, and merged it meanwhile.")
	r.synced()
	if st := r.draft(ada, "billing/chargebacks"); st.New || st.Conflict == nil || st.Conflict.Clean || st.Files[prompt.SystemFile] != newSystem {
		t.Errorf("got %+v", st)
	}
}

func TestADraftIsCheckedAsItIsTyped(t *testing.T) {
	r, _ := writing(t, storetest.SQLite(t))
	first := r.draft(ada, "support").Draft
	check := func(texts registry.Texts) registry.DraftCheck {
		t.Helper()
		c, err := r.shared.CheckDraft(by(t, ada), "support", texts)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := check(first.Files); !c.Same || c.Release != "1.3.0" || c.Next != "" || c.Tokens.Before != c.Tokens.After {
		t.Errorf("the same: %+v", c)
	}
	c := check(saying(first, newSystem).Files)
	if c.Same || c.Next != "1.3.1" || c.Required != prompt.Patch || len(c.Changes) == 0 || c.Before[0].Content == c.After[0].Content || len(c.Variables) != 1 {
		t.Errorf("wording: %+v", c)
	}
	c = check(saying(first, "Hello {{nobody}}").Files)
	if len(c.Findings) == 0 || c.Findings[0].Path == "" || c.Next != "" {
		t.Errorf("not valid: %+v", c)
	}
	if c := check(nil); len(c.Findings) == 0 {
		t.Errorf("nothing: %+v", c)
	}
}

func TestATagThatIsNoReleasesIsSaidToWhoeverWritesADraft(t *testing.T) {
	for name, args := range map[string][]string{
		"a tag without a message":        {"tag", "support@9.0.0", "main"},
		"a tag with a message of others": {"-c", "user.name=x", "-c", "user.email=x@example.com", "tag", "-a", "-m", "mine", "support@9.0.0", "main"},
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := writing(t, storetest.SQLite(t))
			d := r.save(ada, saying(r.draft(ada, "support").Draft, newSystem))
			git(t, dir, args...)
			r.synced()
			_, err := r.shared.CheckDraft(by(t, ada), "support", d.Files)
			if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "support@9.0.0") {
				t.Errorf("checked: %v", err)
			}
			_, err = r.shared.Propose(by(t, ada), registry.ProposeRequest{Prompt: "support", Number: d.Number, Message: "m"})
			if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "support@9.0.0") {
				t.Errorf("proposed: %v", err)
			}
			if kept := r.draft(ada, "support"); kept.Files[prompt.SystemFile] != newSystem {
				t.Errorf("kept %+v", kept.Draft)
			}
		})
	}
}

func TestADraftIsPreviewed(t *testing.T) {
	r, _ := writing(t, storetest.SQLite(t))
	first := r.draft(ada, "support").Draft
	for _, tt := range []struct {
		name, system string
		vars         prompt.Vars
		content      string
		missing      int
		problem      string
	}{
		{"with its values", newSystem, prompt.Vars{"company": "Example"}, "You answer for Example, and you are warm, brief and truthful.", 0, ""},
		{"without", newSystem, nil, "", 1, "variable company is missing"},
		{"with one that it does not have", newSystem, prompt.Vars{"company": "Example", "nobody": "x"}, "", 0, "not declared"},
		{"not declared", newSystem + " {{nobody}}", prompt.Vars{"company": "Example"}, "", 0, "nobody"},
		{"a value is no template", newSystem, prompt.Vars{"company": "{{company}}"}, "You answer for {{company}}, and you are warm, brief and truthful.", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := r.shared.PreviewDraft(by(t, ada), "support", saying(first, tt.system).Files, tt.vars)
			if err != nil || len(p.Missing) != tt.missing || !strings.Contains(p.Problem, tt.problem) || (tt.problem == "") != (p.Problem == "") {
				t.Fatalf("got %+v, %v", p, err)
			}
			if tt.content != "" && (len(p.Messages) != 1 || p.Messages[0].Content != tt.content) {
				t.Errorf("got %+v", p)
			}
		})
	}
	if p, err := r.shared.PreviewDraft(by(t, ada), "support", nil, nil); err != nil || p.Problem == "" {
		t.Errorf("nothing: %+v, %v", p, err)
	}
}

func TestADraftIsProposedOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		r, dir := writing(t, d)
		before := git(t, dir, "rev-parse", "main")
		mine := r.save(ada, saying(r.draft(ada, "support").Draft, newSystem))
		req := registry.ProposeRequest{Prompt: "support", Number: mine.Number, Message: "warmer", Once: registry.Once{Caller: ada, Key: "k1", Hash: "h"}}
		var first registry.Proposal
		for i := range 3 {
			if i == 2 {
				req.Once = registry.Once{} // whoever lost the key finds it all the same
			}
			p, err := r.shared.Propose(by(t, ada), req)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = p
			}
			if p.Branch != first.Branch || p.Commit != first.Commit || p.Version != "1.3.1" {
				t.Errorf("got %+v, first %+v", p, first)
			}
		}
		if git(t, dir, "rev-parse", "main") != before || git(t, dir, "rev-parse", first.Branch) != first.Commit {
			t.Error("main moved, or there is no branch")
		}
		if got := git(t, dir, "log", "-1", "--format=%an <%ae>", first.Branch); got != "ada@example.com <ada@example.com>" {
			t.Errorf("got %s", got)
		}
		told := 0
		for _, e := range r.audited() {
			if e.Action == "propose" {
				told++
				if e.Actor != ada || e.Prompt != "support" || e.Version != "1.3.1" || e.Detail["commit"] != first.Commit || e.Detail["branch"] != first.Branch {
					t.Errorf("got %+v", e)
				}
			}
		}
		if told != 1 {
			t.Errorf("%d events", told)
		}
		if st := r.draft(ada, "support"); st.Proposed == nil || st.Proposed.Commit != first.Commit {
			t.Errorf("got %+v", st)
		}
	})
}

func TestAProposalThatWasPushedAndNotNotedIsFound(t *testing.T) {
	d := storetest.SQLite(t)
	r, dir := writing(t, d)
	mine := r.save(ada, saying(r.draft(ada, "support").Draft, newSystem))
	stored, err := r.db.Draft(t.Context(), "support", ada)
	if err != nil {
		t.Fatal(err)
	}
	req := registry.ProposeRequest{Prompt: "support", Number: mine.Number, Message: "warmer"}
	first, err := r.shared.push(by(t, ada), stored, req) // and then it was killed
	if err != nil {
		t.Fatal(err)
	}
	pushed(t, dir, "prompts/support/user-prompt.txt", "Somebody changed the prompt since.\n")
	p, err := r.shared.Propose(by(t, ada), req)
	if err != nil || p.Branch != first.Branch || p.Commit != first.Commit {
		t.Errorf("got %+v, %v, want %+v", p, err, first)
	}
	if got := git(t, dir, "branch", "--list", "incipit/*"); strings.Contains(got, "\n") {
		t.Errorf("got %s", got)
	}
}

func TestAConflictIsShownAndSettled(t *testing.T) {
	r, dir := writing(t, storetest.SQLite(t))
	first := r.draft(ada, "support").Draft
	mine := r.save(ada, saying(first, newSystem))
	their := "You answer for {{company}}, and you never promise a refund to anybody."
	pushed(t, dir, "prompts/support/system-prompt.txt", their, "prompts/support/user-prompt.txt", "{{company}}\n")
	req := registry.ProposeRequest{Prompt: "support", Number: mine.Number, Message: "warmer"}
	if _, err := r.shared.Propose(by(t, ada), req); !errors.Is(err, registry.ErrConflict) {
		t.Fatalf("got %v", err)
	}
	st := r.draft(ada, "support")
	c := st.Conflict
	if c == nil || c.Clean || len(c.Files) != 2 || st.Files[prompt.SystemFile] != newSystem {
		t.Fatalf("got %+v", st)
	}
	if f := c.Files[0]; *f.Base != first.Files[prompt.SystemFile] || *f.Theirs != their || *f.Mine != newSystem || f.Clean || f.Merged != nil {
		t.Errorf("got %+v", f)
	}
	if f := c.Files[1]; f.Name != prompt.UserFile || !f.Clean || f.Merged == nil || *f.Merged != "{{company}}\n" {
		t.Errorf("got %+v", f)
	}
	if check, err := r.shared.CheckDraft(by(t, ada), "support", mine.Files); err != nil || !check.Moved {
		t.Errorf("got %+v, %v", check, err)
	}
	both := saying(st.Draft, their+" Be warm.")
	both.Files[prompt.UserFile] = *c.Files[1].Merged
	both.Base.Commit = c.Commit
	settled := r.save(ada, both)
	if st := r.draft(ada, "support"); st.Conflict != nil || st.Number != settled.Number {
		t.Errorf("got %+v", st.Conflict)
	}
	req.Number = settled.Number
	p, err := r.shared.Propose(by(t, ada), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, dir, "diff", "--name-only", "main", p.Branch, "--", "prompts/support"); got != "prompts/support/.prompt-metadata.json\nprompts/support/system-prompt.txt" {
		t.Errorf("got %s", got)
	}
}

func TestAProposalThatIsNotValidSaysWhy(t *testing.T) {
	r, dir := writing(t, storetest.SQLite(t))
	mine := r.save(ada, saying(r.draft(ada, "support").Draft, "Hello {{nobody}}"))
	req := registry.ProposeRequest{Prompt: "support", Number: mine.Number, Message: "x"}
	_, err := r.shared.Propose(by(t, ada), req)
	if invalid, ok := errors.AsType[*source.InvalidError](err); !ok || len(invalid.Findings) == 0 || !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	req.Number = 7
	if _, err := r.shared.Propose(by(t, ada), req); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("another number: %v", err)
	}
	if _, err := r.shared.Propose(by(t, bob), req); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("without a draft: %v", err)
	}
	req.Number, req.Message = mine.Number, strings.Repeat("x", maxReason+1)
	if _, err := r.shared.Propose(by(t, ada), req); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("a long message: %v", err)
	}
	if got := git(t, dir, "branch", "--list", "incipit/*"); got != "" {
		t.Errorf("got %s", got)
	}
}

func TestWhoProposesIsTheAuthor(t *testing.T) {
	r, _ := writing(t, storetest.SQLite(t))
	if err := r.shared.SetPerson(by(t, "admin"), registry.Person{Mail: ada, Grants: []registry.Grant{{Permissions: []registry.Permission{registry.MayPropose}, Environments: []string{"*"}, Prompts: []string{"*"}}}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		ada: ada + " <" + ada + ">", "ci-bot": "ci-bot <incipit@localhost>", "x <y>\n@z": "x y @z <xy@z>", "...@": "@ <@>", "<>": "somebody <incipit@localhost>",
	} {
		got, err := r.shared.authorOf(by(t, name), registry.Caller{Name: name})
		if _, ok := gitrepo.ParseIdentity(got); err != nil || got != want || !ok {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}
