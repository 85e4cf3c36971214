package source

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const theSystem = "You are an assistant of {{company}}, and you answer briefly and truthfully."

// drafting is an origin with two releases of a prompt, and the texts of it.
func drafting(t *testing.T, change ...func(*RemoteConfig)) (*origin, *Remote, registry.Texts) {
	t.Helper()
	o := newOrigin(t)
	o.commit("x\n", map[string]file{"README": {data: "x"}, "prompts/_shared/tone.txt": {data: "Be kind to everybody."}})
	o.release(t, made{id: "team/support", version: "1.0.0"})
	o.release(t, made{id: "team/support", version: "1.1.0", system: theSystem + " Be kind.", meta: map[string]any{"team_unknown": []int{1, 2}}})
	o.flush(t)
	r := o.remote(t, change...)
	w := fetch(t, r)
	texts, err := w.Now().Texts("team/support")
	if err != nil {
		t.Fatal(err)
	}
	return o, r, texts
}

func with(texts registry.Texts, pairs ...string) registry.Texts {
	out := registry.Texts{}
	maps.Copy(out, texts)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func proposing(texts, base registry.Texts) ProposalRequest {
	return ProposalRequest{Prompt: "team/support", Texts: texts, Base: base, Message: "warmer tone\n\nPeople asked for it.", Author: "ada@example.com <ada@example.com>", Once: "7"}
}

func TestAProposalIsACommitOnABranchOfItsOwn(t *testing.T) {
	o, r, texts := drafting(t)
	before := o.git(t, "rev-parse", "main")
	p, err := r.Propose(t.Context(), proposing(with(texts, prompt.SystemFile, theSystem+" {{> tone}} Be very kind.", prompt.UserFile, "{{question}}\n",
		prompt.MetadataFile, strings.Replace(texts[prompt.MetadataFile], `"variables": {`, `"variables": {"question": {},`, 1)), texts))
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != "2.0.0" || p.Into != "main" || p.URL != "" || !strings.HasPrefix(p.Branch, "incipit/team-support/2.0.0-") {
		t.Errorf("a new required variable is a break: %+v", p)
	}
	if o.git(t, "rev-parse", "main") != before || o.git(t, "rev-parse", p.Branch) != p.Commit || o.git(t, "rev-parse", p.Branch+"^") != before {
		t.Error("main moved, or the branch is elsewhere")
	}
	want := "ada@example.com <ada@example.com> incipit <incipit@localhost> feat(team/support)!: warmer tone (1.1.0 -> 2.0.0)"
	if got := o.git(t, "log", "-1", "--format=%an <%ae> %cn <%ce> %s", p.Branch); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	message := o.git(t, "log", "-1", "--format=%B", p.Branch)
	for _, want := range []string{"People asked for it.", "BREAKING CHANGE: required variable question added", "Prompt: team/support", "Bump: 2.0.0", "Digest: sha256:"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q is not in\n%s", want, message)
		}
	}
	files := o.git(t, "diff", "--name-status", "main", p.Branch)
	wantFiles := "A\tprompts/registry.json\nM\tprompts/team/support/.prompt-metadata.json\nM\tprompts/team/support/system-prompt.txt\nA\tprompts/team/support/user-prompt.txt"
	if diff := cmp.Diff(wantFiles, files); diff != "" {
		t.Error(diff)
	}
	var meta map[string]any
	if err := json.Unmarshal([]byte(o.git(t, "show", p.Branch+":prompts/team/support/.prompt-metadata.json")), &meta); err != nil {
		t.Fatal(err)
	}
	if meta["version"] != "2.0.0" || meta["previous_version"] != "1.1.0" || meta["change_notes"] != "warmer tone" || meta["team_unknown"] == nil {
		t.Errorf("got %v", meta)
	}
	if o.git(t, "tag", "--list") != "team/support@1.0.0\nteam/support@1.1.0" {
		t.Error("a proposal made a tag")
	}
	// What a person merges is what publish tags.
	o.git(t, "update-ref", "refs/heads/main", p.Commit)
	clone := filepath.Join(t.TempDir(), "work")
	git(t, ".", "clone", "--quiet", o.dir, clone)
	w, err := Open(t.Context(), clone, Options{Now: r.config.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	done, err := w.Publish(t.Context(), true, false)
	if err != nil || len(done) != 1 || done[0].Problem != "" || done[0].Tag != "team/support@2.0.0" {
		t.Errorf("got %+v, %v", done, err)
	}
}

func TestAProposalThatWasKilledAfterItsPushIsFound(t *testing.T) {
	o, r, texts := drafting(t)
	req := proposing(with(texts, prompt.SystemFile, theSystem+" Be brief."), texts)
	first, err := r.Propose(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	o.push(t, "prompts/team/support/user-prompt.txt", "Meanwhile somebody changed the prompt.\n")
	other := o.remote(t) // another replica, which saw nothing of it
	for _, again := range []*Remote{r, other} {
		p, err := again.Propose(t.Context(), req)
		if err != nil || p.Branch != first.Branch || p.Commit != first.Commit || p.Version != "1.1.1" {
			t.Errorf("got %+v, %v", p, err)
		}
	}
	req.Once = "8"
	if _, err := r.Propose(t.Context(), req); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("another one, of a base that is gone: %v", err)
	}
}

func TestProposalsAtOnceAreOneBranch(t *testing.T) {
	o, r, texts := drafting(t)
	req := proposing(with(texts, prompt.SystemFile, theSystem+" Be brief."), texts)
	var wg sync.WaitGroup
	commits := make([]string, 4)
	for i := range commits {
		remote := r
		if i%2 == 1 {
			remote = o.remote(t)
		}
		wg.Go(func() {
			p, err := remote.Propose(t.Context(), req)
			if err != nil {
				t.Error(err)
			}
			commits[i] = p.Commit
		})
	}
	wg.Wait()
	for _, c := range commits {
		if c != commits[0] {
			t.Errorf("got %v", commits)
		}
	}
	if got := o.git(t, "branch", "--list", "incipit/*"); strings.Count(got, "\n") != 0 {
		t.Errorf("got %s", got)
	}
}

func TestProposalsThatAreRefusedPushNothing(t *testing.T) {
	o, r, texts := drafting(t)
	for _, tt := range []struct {
		name, says string
		is         error
		edit       func(*ProposalRequest)
	}{
		{"nothing changed", "has not changed", prompt.ErrInvalid, func(q *ProposalRequest) { q.Texts = texts }},
		{"a text that is not valid", "findings", prompt.ErrInvalid, func(q *ProposalRequest) { q.Texts = with(texts, prompt.SystemFile, "too short") }},
		{"a base that is not there", "was changed on main", registry.ErrConflict, func(q *ProposalRequest) { q.Base = with(texts, prompt.UserFile, "x") }},
		{"no message", "needs a message", prompt.ErrInvalid, func(q *ProposalRequest) { q.Message = " \n" }},
		{"a character that nobody sees", "nobody sees", prompt.ErrInvalid, func(q *ProposalRequest) { q.Message = "a\u200bb" }},
		{"no person", "no name and mail", prompt.ErrInvalid, func(q *ProposalRequest) { q.Author = "ada\n <x>" }},
		{"an included text", "included text", prompt.ErrInvalid, func(q *ProposalRequest) { q.Prompt = "_shared/tone" }},
		{"a file of another name", "no file of a prompt", prompt.ErrInvalid, func(q *ProposalRequest) { q.Texts = with(texts, "../x", "x") }},
		{"no metadata", "findings", prompt.ErrInvalid, func(q *ProposalRequest) { q.Texts = registry.Texts{prompt.SystemFile: theSystem} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := proposing(with(texts, prompt.SystemFile, theSystem+" Be brief."), texts)
			tt.edit(&req)
			if _, err := r.Propose(t.Context(), req); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := o.git(t, "branch", "--list", "--format=%(refname:short)"); got != "main" {
		t.Errorf("got %s", got)
	}
	hook := filepath.Join(o.dir, "hooks", "pre-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'error: not for you' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Propose(t.Context(), proposing(with(texts, prompt.SystemFile, theSystem+" Be brief."), texts)); !errors.Is(err, registry.ErrForbidden) || !strings.Contains(err.Error(), "not for you") {
		t.Errorf("a remote that refuses: %v", err)
	}
}

func TestANewPromptAndOneInADirectoryAreProposed(t *testing.T) {
	o := newOrigin(t)
	r := o.remote(t, func(c *RemoteConfig) { c.Within = "services/chat" })
	o.commit("x\n", map[string]file{"README": {data: "x"}})
	o.flush(t)
	req := ProposalRequest{
		Prompt: "hello", Base: registry.Texts{}, Message: "say hello", Author: "Ada <ada@example.com>",
		Texts: registry.Texts{
			prompt.SystemFile:   "You greet whoever writes to you, in one short and friendly sentence.",
			prompt.MetadataFile: `{"name": "Hello", "version": "0.0.0", "description": "It greets.", "model": "model-a", "author": "ada"}`,
		},
	}
	p, err := r.Propose(t.Context(), req)
	if err != nil || p.Version != "0.1.0" {
		t.Fatalf("got %+v, %v", p, err)
	}
	if got := o.git(t, "diff", "--name-only", "main", p.Branch); got != "services/chat/prompts/hello/.prompt-metadata.json\nservices/chat/prompts/hello/system-prompt.txt\nservices/chat/prompts/registry.json" {
		t.Errorf("got %s", got)
	}
}

func TestAFileThatIsTakenOutIsRemoved(t *testing.T) {
	o, r, texts := drafting(t)
	texts2 := with(texts, prompt.UserFile, "{{company}}\n")
	p, err := r.Propose(t.Context(), proposing(texts2, texts))
	if err != nil {
		t.Fatal(err)
	}
	o.git(t, "update-ref", "refs/heads/main", p.Commit)
	w := fetch(t, r)
	base, err := w.Now().Texts("team/support")
	if err != nil || base[prompt.UserFile] == "" {
		t.Fatalf("got %v, %v", base, err)
	}
	without := with(base, prompt.SystemFile, theSystem+" Now without the user's message.")
	delete(without, prompt.UserFile)
	if p, err = r.Propose(t.Context(), proposing(without, base)); err != nil {
		t.Fatal(err)
	}
	if got := o.git(t, "diff", "--name-status", "main", p.Branch); !strings.Contains(got, "D\tprompts/team/support/user-prompt.txt") {
		t.Errorf("got %s", got)
	}
}

func TestTheOutlookOfADraftSaysWhatAReleaseWouldBe(t *testing.T) {
	_, r, texts := drafting(t)
	for _, tt := range []struct {
		name string
		edit registry.Texts
		want string
	}{
		{"the same", texts, "same of 1.1.0"},
		{"wording", with(texts, prompt.SystemFile, theSystem+" Be brief."), "1.1.1 of 1.1.0, patch"},
		{"a model", with(texts, prompt.MetadataFile, strings.Replace(texts[prompt.MetadataFile], "model-a", "model-b", 1)), "1.2.0 of 1.1.0, minor"},
		{"a short text", with(texts, prompt.SystemFile, "short"), "variable-unused too-short"},
		{"an include that is not there", with(texts, prompt.SystemFile, theSystem+" {{> tine}}"), "include"},
		{"broken metadata", with(texts, prompt.MetadataFile, "{"), "json"},
		{"nothing", registry.Texts{}, "missing-file missing-file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := r.Edited(t.Context(), "team/support", tt.edit)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			o, err := w.Outlook(t.Context(), "team/support")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range o.Findings {
				got = append(got, f.Code)
			}
			switch {
			case o.Same:
				got = append(got, "same of "+o.Last.String())
			case len(o.Findings) == 0:
				got = append(got, o.Next.String()+" of "+o.Last.String()+", "+o.Required.String())
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestAnOverlayShowsTheDraftsFilesAlone(t *testing.T) {
	_, r, texts := drafting(t)
	edit := with(texts, prompt.UserFile, "u")
	delete(edit, prompt.SystemFile)
	w, err := r.Edited(t.Context(), "team/support", edit)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	entries, err := fs.ReadDir(w.Files(), "prompts/team/support")
	if err != nil || len(entries) != 2 || entries[0].Name() != prompt.MetadataFile || entries[1].Name() != prompt.UserFile {
		t.Errorf("got %v, %v", entries, err)
	}
	if _, err := fs.ReadFile(w.Files(), "prompts/team/support/"+prompt.SystemFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if data, err := fs.ReadFile(w.Files(), "README"); string(data) != "x" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if fi, err := fs.Stat(w.Files(), "prompts/team/support/"+prompt.UserFile); err != nil || fi.Size() != 1 {
		t.Errorf("got %v, %v", fi, err)
	}
}
