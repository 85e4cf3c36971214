package server

import (
	"bytes"
	"fmt"
	"os/exec" //nolint:depguard // what a remote holds is made by git itself
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const newEdit = "/prompts/greet%2Fhello/edit"

// newDraft is what somebody is writing of a prompt that is not there yet.
func (r *rig) newDraft(key string) registry.DraftState {
	r.Helper()
	return decode[registry.DraftState](r, r.send("GET", "/v1/prompts/greet%2Fhello/draft", key, ""))
}

// merges puts files of a prompt on the branch, as somebody else's merge does,
// and has the server read it.
func (r *rig) merges(dir, id string, files ...string) {
	r.Helper()
	var in bytes.Buffer
	in.WriteString("commit refs/heads/main\ncommitter Bob <bob@example.com> 1767225700 +0000\ndata 6\ntheirs\nfrom refs/heads/main^0\n")
	for i := 0; i < len(files); i += 2 {
		fmt.Fprintf(&in, "M 100644 inline prompts/%s/%s\ndata %d\n%s\n", id, files[i], len(files[i+1]), files[i+1])
	}
	cmd := exec.Command("git", "-C", dir, "fast-import", "--quiet")
	cmd.Stdin = &in
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("%v\n%s", err, out)
	}
	if err := r.remote.Fetch(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func TestAPromptThatIsNotThereIsNamedWrittenAndProposed(t *testing.T) {
	r := sqlite(t, nil)
	dir := r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	r.atEditor(ada, "/prompts/new").editorHolds(t, 200, `name="id"`, "You may write <code>greet*</code>", "!What you are writing")
	r.atEditor(ada, "/prompts/new?id=greet%2Fhello").editorHolds(t, 200, "greet/hello can be written.")
	g := r.atEditor(ada, "/prompts/new?id=greet%2Fhello&write=1")
	g.editorHolds(t, 303)
	if at := g.header.Get("Location"); at != newEdit {
		t.Errorf("sent to %s", at)
	}
	r.atEditor(ada, newEdit).editorHolds(t, 200, "There is no prompt with this id yet", "You are an assistant for one task: Greet hello", "A text to start from, nothing written yet", "!Pages of this prompt")

	first := r.newDraft(ada)
	if meta := first.Files[prompt.MetadataFile]; !first.New || len(first.Files) != 3 || first.Number != 0 || !strings.Contains(meta, `"author": "ada@example.com <ada@example.com>"`) {
		t.Errorf("begins with %+v", first)
	}

	const system = "You greet whoever writes to you, in the language in which they write."
	r.atEditor(ada, newEdit, "number", "0", "base", first.Base.Commit, "system", system).editorHolds(t, 303)
	r.atEditor(ada, newEdit).editorHolds(t, 200, system, "(number 1)", "Nothing is wrong with it", "0.1.0")
	r.atEditor(ada, "/prompts/new").editorHolds(t, 200, "What you are writing", `href="`+newEdit+`"`)
	r.atEditor(ada, newEdit+"/preview", "number", "1", "system", system, "user", first.Files[prompt.UserFile], "var.input", "Grace <b>").editorHolds(t, 200, "Grace &lt;b&gt;", "tokens, estimated")
	r.atEditor(ada, newEdit+"/propose").editorHolds(t, 200, "What is committed", `<span class="tag">new</span>`)
	r.atEditor(ada, newEdit+"/propose", "number", "1", "bump", "minor", "message", "a greeting", "once", "1").editorHolds(t, 303)
	p := r.newDraft(ada).Proposed
	if p == nil || p.Version != "0.1.0" {
		t.Fatalf("proposed %+v", p)
	}
	out, err := exec.Command("git", "-C", dir, "diff", "--name-status", "main", p.Branch).CombinedOutput()
	if want := "A\tprompts/greet/hello/.prompt-metadata.json\nA\tprompts/greet/hello/system-prompt.txt\nA\tprompts/greet/hello/user-prompt.txt\nA\tprompts/registry.json\n"; err != nil || string(out) != want {
		t.Errorf("the branch has %s, %v", out, err)
	}
}

func TestAPromptThatSomebodyElseMergedMeanwhileIsAConflictThatIsShown(t *testing.T) {
	r := sqlite(t, nil)
	dir := r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	base := r.newDraft(ada).Base.Commit
	const mine, theirs = "You greet whoever writes to you, in one MINE and friendly sentence.", "You greet whoever writes to you, in one THEIRS and friendly sentence."
	r.atEditor(ada, newEdit, "number", "0", "base", base, "system", mine).editorHolds(t, 303)
	r.merges(dir, "greet/hello", prompt.SystemFile, theirs, prompt.UserFile, "{{name}}",
		prompt.MetadataFile, `{"name": "Hello", "version": "0.1.0", "description": "Theirs.", "model": "model-a", "author": "bob", "variables": {"name": {}}}`)
	r.atEditor(ada, newEdit).editorHolds(t, 200, "Somebody else added a prompt with this id", mine)
	r.atEditor(ada, newEdit+"/propose").editorHolds(t, 200, "It cannot be proposed yet", "Somebody else added a prompt with this id")
	r.atEditor(ada, newEdit+"/propose", "number", "1", "bump", "minor", "message", "x", "once", "1").editorHolds(t, 409, "was changed on main")
	g := r.atEditor(ada, newEdit+"/merge")
	g.editorHolds(t, 200, "Somebody else added a prompt with this id", "(there was no such file)", "MINE", "THEIRS", "Neither text is lost")
	r.atEditor(ada, newEdit+"/merge", append(mergeForm(t, g), "choice.system", "mine", "choice.user", "theirs", "choice.metadata", "theirs")...).editorHolds(t, 303)
	if d := r.newDraft(ada); d.Conflict != nil || d.New || d.Files[prompt.SystemFile] != mine || d.Files[prompt.UserFile] != "{{name}}" {
		t.Errorf("saved %+v", d)
	}
	r.atEditor(ada, newEdit+"/propose", "number", "2", "bump", "patch", "message", "mine after all", "once", "2").editorHolds(t, 303)

	// The window that was open all the while, and had saved nothing.
	carol := r.writer("carol@example.com", registry.MayPropose)
	r.atEditor(carol, newEdit, "number", "0", "base", base, "system", "Carol's words, which she began before anybody had merged.").editorHolds(t, 303)
	r.atEditor(carol, newEdit).editorHolds(t, 200, "Somebody else added a prompt with this id", "Carol&#39;s words")
}

func TestWhatCannotBeANewPromptIsSaidAsOneTypes(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose, registry.MayRead)
	for id, want := range map[string]struct {
		status int // of who wants to write it
		text   string
	}{
		"":                      {422, "a segment is empty"},
		"Greet":                 {422, "must start with a lower-case letter"},
		"greet/":                {422, "a segment is empty"},
		"greet/a.lock":          {422, "Git keeps names"},
		"../greet":              {422, "must start with"},
		"a/b/c/d/e":             {422, "5 segments"},
		"registry.json":         {422, "the registry&#39;s file"},
		"_shared/greet":         {403, "may not propose"},
		"billing/refunds":       {403, "may not propose billing/refunds"},
		"greeting":              {409, "greeting exists already."},
		"<script>alert(1)":      {422, "&lt;script&gt;"},
		strings.Repeat("g", 65): {422, "longer than 64"},
	} {
		asked := "/prompts/new?" + editForm("id", id)
		r.atEditor(ada, asked+"&write=1").editorHolds(t, want.status, want.text)
		if id != "" {
			r.atEditor(ada, asked).editorHolds(t, 200, want.text, "!<script>alert")
		}
	}
	r.atEditor(ada, "/prompts/new?id=greeting").editorHolds(t, 200, `href="/prompts/greeting/edit"`)
	all := r.key([]registry.Permission{registry.MayPropose}, "*", "*")
	r.atEditor(all, "/prompts/new?id=_shared%2Ftone&write=1").editorHolds(t, 422, "an included text", "!You may write")
	bob := r.writer("bob@example.com", registry.MayRead)
	r.atEditor(bob, "/prompts/new").editorHolds(t, 403)
	r.atEditor(bob, "/").editorHolds(t, 200, "!/prompts/new", "!data-writes")
	r.atEditor(ada, "/").editorHolds(t, 200, `href="/prompts/new"`, "data-writes")
}

// Whoever may not read a prompt is told the same of it as of one that is not
// there. Both names are as long.
func TestANameTellsNobodyWhoMayNotReadWhetherItIsTaken(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada := r.writer("ada@example.com", registry.MayPropose)
	for _, names := range [][2]string{{"greeting", "greetinh"}, {"support", "supporx"}} { // one that she may write, and one that she may not
		for _, more := range []string{"", "&write=1"} {
			there, not := r.atEditor(ada, "/prompts/new?id="+names[0]+more), r.atEditor(ada, "/prompts/new?id="+names[1]+more)
			verdict := func(g got, name string) string {
				_, text, _ := strings.Cut(string(g.body), `<div id="verdict"`)
				text, _, _ = strings.Cut(text, "</div>")
				return fmt.Sprint(g.status, strings.ReplaceAll(g.header.Get("Location")+text, name, "ID"))
			}
			if a, b := verdict(there, names[0]), verdict(not, names[1]); a != b {
				t.Errorf("of one that is there %s\nof one that is not %s", a, b)
			}
		}
	}
}

func TestWithoutGitNothingCanBeBegun(t *testing.T) {
	r := sqlite(t, nil)
	ada := r.writer("ada@example.com", registry.MayPropose, registry.MayRead)
	r.atEditor(ada, "/").editorHolds(t, 200, "!/prompts/new")
	r.atEditor(ada, "/prompts/new?id=greet&write=1").editorHolds(t, 404, "has no Git repository")
}
