package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func index(t *testing.T, w *Workspace, known map[string]string) (map[string]Indexed, map[string]TagProblem) {
	t.Helper()
	res, err := w.Index(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	found, problems := make(map[string]Indexed), make(map[string]TagProblem)
	for _, r := range res.Releases {
		found[r.Tag] = r
	}
	for _, p := range res.Problems {
		if p.Detail == "" || p.Fix == "" {
			t.Errorf("%s says too little: %+v", p.Tag, p)
		}
		problems[p.Tag] = p
	}
	return found, problems
}

func objects(found map[string]Indexed) map[string]string {
	known := make(map[string]string)
	for tag, r := range found {
		known[tag] = r.Object
	}
	return known
}

func codes(problems map[string]TagProblem) map[string]string {
	out := make(map[string]string)
	for tag, p := range problems {
		out[tag] = p.Code
	}
	return out
}

func TestIndexReadsEachReleaseOnce(t *testing.T) {
	o := newOrigin(t)
	digest := o.release(t, made{id: "a", version: "1.0.0"})
	o.release(t, made{id: "a", version: "1.1.0", system: "You are an assistant of {{company}}, and you answer at length and truthfully."})
	o.release(t, made{id: "team/b", version: "1.0.0-rc.1"})
	_, w := o.flush(t).fetched(t)
	found, problems := index(t, w, nil)
	if len(found) != 3 || len(problems) != 0 {
		t.Fatalf("%d releases, problems %v", len(found), problems)
	}
	a := found["a@1.0.0"]
	if a.Digest != digest || a.Author != "Ada <ada@example.com>" || a.Commit != o.git(t, "rev-parse", "a@1.0.0^{commit}") ||
		a.Object != o.git(t, "rev-parse", "a@1.0.0") || len(a.Draft.Prompt.Messages) != 1 || a.Draft.Metadata.Model != "model-a" {
		t.Errorf("got %+v", a)
	}
	again, problems := index(t, w, objects(found))
	if len(again) != 0 || len(problems) != 0 {
		t.Errorf("the second time: %v, %v", again, problems)
	}
}

func TestIncludesAreIndexedAsTheyWerePinned(t *testing.T) {
	o := newOrigin(t)
	shared := func(version, text string) {
		d, _ := prompt.ParseShared("_shared/tone", "prompts/_shared/tone.txt", []byte(text), nil)
		digest, err := d.Prompt.Digest()
		if err != nil {
			t.Fatal(err)
		}
		mark := o.commit("tone\n", map[string]file{"prompts/_shared/tone.txt": {data: text}})
		o.tag("_shared/tone@"+version, mark, releaseText("_shared/tone", version, digest))
	}
	shared("1.0.0", "Be kind.\n")
	shared("1.1.0", "Be rude.\n")
	include := func(string, string) (string, prompt.Version, error) {
		return "Be kind.\n", prompt.Version{Major: 1}, nil
	}
	o.release(t, made{
		id: "a", version: "1.0.0", system: "You are an assistant of {{company}}. {{> tone@^1}} Answer briefly and truthfully.",
		meta: map[string]any{"includes": map[string]string{"tone@^1": "1.0.0"}}, include: include,
	})
	_, w := o.flush(t).fetched(t)
	found, problems := index(t, w, nil)
	if len(problems) > 0 || len(found) != 3 {
		t.Fatalf("%d releases, problems %v", len(found), problems)
	}
	if text := found["a@1.0.0"].Draft.Prompt.Messages[0].Content; !strings.Contains(text, "Be kind.") {
		t.Errorf("got %q", text)
	}
}

func TestMovedAndVanishedTagsAreReportedAndNotRead(t *testing.T) {
	o := newOrigin(t)
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		o.release(t, made{id: "a", version: v})
	}
	r, w := o.flush(t).fetched(t)
	found, _ := index(t, w, nil)
	known := objects(found)
	o.git(t, "tag", "-f", "-a", "-m", releaseText("a", "1.0.0", found["a@1.0.0"].Digest), "a@1.0.0", "a@1.2.0^{commit}")
	o.git(t, "tag", "-d", "a@1.1.0")
	o.git(t, "update-ref", "refs/heads/main", "a@1.0.0^{commit}") // and the branch is forced back
	w = fetch(t, r)
	again, problems := index(t, w, known)
	if len(again) != 0 {
		t.Errorf("read again: %v", again)
	}
	if d := cmp.Diff(map[string]string{"a@1.0.0": TagMoved, "a@1.1.0": TagVanished}, codes(problems)); d != "" {
		t.Error(d)
	}
	if p := problems["a@1.0.0"]; p.Object != o.git(t, "rev-parse", "a@1.0.0") || !strings.Contains(p.Fix, known["a@1.0.0"][:12]) {
		t.Errorf("got %+v", p)
	}
}

// Of forty tags each is bad in its own way; the good one beside them is read.
func TestNoBadTagKeepsAnotherFromBeingRead(t *testing.T) {
	const wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	o := newOrigin(t)
	digest := o.release(t, made{id: "good", version: "1.0.0"})
	mark := o.last
	want := make(map[string]string)
	at := func(id, code string, m made) {
		m.id, m.version = id, "1.0.0"
		want[id+"@1.0.0"] = code
		o.release(t, m)
	}
	at("other-digest", TagForged, made{digest: wrong})
	at("a-link", TagInvalid, made{other: map[string]file{"prompts/a-link/" + prompt.UserFile: {"120000", "/etc/passwd"}}})
	at("a-link-that-nobody-reads", TagInvalid, made{other: map[string]file{"prompts/a-link-that-nobody-reads/notes": {"120000", "../../.git/config"}}})
	at("a-submodule", TagInvalid, made{other: map[string]file{"prompts/a-submodule/sub": {"160000", strings.Repeat("1", 40)}}})
	at("a-submodule-as-a-file", TagInvalid, made{other: map[string]file{"prompts/a-submodule-as-a-file/" + prompt.UserFile: {"160000", strings.Repeat("1", 40)}}})
	at("a-directory-as-a-file", TagInvalid, made{other: map[string]file{"prompts/a-directory-as-a-file/" + prompt.UserFile + "/x": {data: "x"}}})
	at("huge", TagInvalid, made{digest: digest, system: strings.Repeat("x", 1<<20)})
	at("enormous", TagInvalid, made{digest: digest, system: strings.Repeat("x", maxReleaseFile+1)})
	at("no-json", TagInvalid, made{digest: digest, other: map[string]file{"prompts/no-json/" + prompt.MetadataFile: {data: "{"}}})
	at("an-include-of-nothing", TagInvalid, made{digest: digest, system: "You are an assistant of {{company}}. {{> absent}} Answer briefly and truthfully."})
	at("an-include-that-was-not-pinned", TagInvalid, made{digest: digest, system: "You are an assistant of {{company}}. {{> tone@^1}} Answer briefly and truthfully."})
	at("a-hidden-text", TagInvalid, made{system: "You are an assistant of {{company}}, and you answer briefly and truthfully.\U000E0041\U000E0042"})
	at("a-control-character", TagInvalid, made{system: "You are an assistant of {{company}}, and you answer briefly and truthfully.\x1b[2J"})
	at("an-undeclared-variable", TagInvalid, made{system: "You are an assistant of {{company}}, and you answer {{how}}, briefly and truthfully."})
	at("another-version-inside", TagForged, made{meta: map[string]any{"version": "9.9.9"}})
	tag := func(name, code, message string, mark int) {
		want[name] = code
		o.tag(name, mark, message)
	}
	tag("no-trailers@1.0.0", TagForged, "a tag by hand\n", mark)
	tag("no-such-prompt@1.0.0", TagInvalid, releaseText("no-such-prompt", "1.0.0", digest), mark)
	tag("good@2.0.0", TagForged, releaseText("good", "1.0.0", digest), mark)
	tag("good@3.0.0", TagForged, releaseText("good", "3.0.0", digest), mark)
	tag("someone-else@1.0.0", TagForged, releaseText("good", "1.0.0", digest), mark)
	tag("without-digest@1.0.0", TagForged, "x\n\nPrompt: without-digest\nVersion: 1.0.0\n", mark)
	o.flush(t)
	want["lightweight@1.0.0"] = TagLightweight
	o.git(t, "tag", "lightweight@1.0.0", "main")
	for name, object := range map[string]string{"of-a-tag": "good@1.0.0", "of-a-tree": "good@1.0.0^{tree}", "of-a-file": "good@1.0.0:prompts/good/" + prompt.SystemFile} {
		want[name+"@1.0.0"] = TagForged
		o.git(t, "tag", "-a", "-m", releaseText(name, "1.0.0", digest), name+"@1.0.0", object)
	}
	// A tag object that goes by another name than its ref.
	want["good@4.0.0"] = TagForged
	o.git(t, "update-ref", "refs/tags/good@4.0.0", o.git(t, "rev-parse", "good@1.0.0"))

	_, w := o.fetched(t)
	found, problems := index(t, w, nil)
	if d := cmp.Diff(want, codes(problems)); d != "" {
		t.Error(d)
	}
	if len(found) != 1 || found["good@1.0.0"].Digest != digest {
		t.Errorf("found %v", found)
	}
	if p := problems["enormous@1.0.0"]; !strings.Contains(p.Detail, "at most 1048576 are read") {
		t.Errorf("enormous: %s", p.Detail)
	}
	for _, p := range problems {
		if strings.ContainsAny(p.Detail, "\x1b\U000E0041") || strings.Contains(p.Detail, "root:") {
			t.Errorf("%s: unsafe to print: %q", p.Tag, p.Detail)
		}
	}
}

func TestForeignNamesAreNoReleases(t *testing.T) {
	o := newOrigin(t)
	o.release(t, made{id: "good", version: "1.0.0"})
	canary := filepath.Join(t.TempDir(), "canary")
	hostile := []string{
		"--upload-pack=touch", "-oProxyCommand=id", "-x@1.0.0", "--help@1.0.0", "$(touch)@1.0.0", "`touch`@1.0.0", "a;touch@1.0.0", "a|touch@1.0.0", "a&touch@1.0.0",
		"a'b@1.0.0", "a\"b@1.0.0", "a<b@1.0.0", "a>b@1.0.0", "A@1.0.0", "ä@1.0.0", "a\u202eb@1.0.0", "a\u200b@1.0.0", "a@1.0", "a@v1.0.0", "a@01.0.0",
		"a@1.0.0+build", "a@1.0.0@2.0.0", "@1.0.0", "a@", "a@latest", "a@1.0.0-", "a@1.0.0-01", "a@99999999999.0.0", "a/b/c/d/e@1.0.0", "registry.json@1.0.0",
		"v1.0.0", "latest", "_shared@1.0.0", "_x/y@1.0.0", "a/_shared/b@1.0.0", "a%2e@1.0.0", "a=b@1.0.0", "{a}@1.0.0", "#a@1.0.0", strings.Repeat("x", 65) + "@1.0.0",
	}
	if len(hostile) != 40 {
		t.Fatalf("%d names", len(hostile))
	}
	files := make(map[string]file)
	for i, name := range hostile {
		o.tag(name, o.last, releaseText(name, "1.0.0", "sha256:00"))
		if !strings.Contains(name, "\"") {
			files["prompts/"+name+"/"+prompt.SystemFile] = file{data: fmt.Sprintf("touch %s %d", canary, i)}
		}
	}
	o.commit("hostile\n", files)
	o.flush(t)
	for _, name := range hostile {
		o.git(t, "update-ref", "refs/heads/"+name, "main")
	}
	r, w := o.fetched(t)
	found, problems := index(t, w, nil)
	if len(found) != 1 || len(problems) != 0 {
		t.Errorf("found %d, problems %v", len(found), problems)
	}
	if _, err := w.Deployments(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("something ran")
	}
}

func TestIndexEachHandsOnBatchesAndTellsHowFarItIs(t *testing.T) {
	o := newOrigin(t)
	for n := range indexBatch + 1 {
		o.release(t, made{id: "a", version: fmt.Sprintf("1.%d.0", n)})
	}
	o.flush(t)
	var told []string
	r := o.remote(t, func(c *RemoteConfig) { c.Notify = func(s string) { told = append(told, s) } })
	w := fetch(t, r)
	var sizes []int
	last := ""
	res, err := w.IndexEach(t.Context(), nil, func(batch []Indexed) error {
		sizes = append(sizes, len(batch))
		last = batch[len(batch)-1].Tag
		return nil
	})
	if err != nil || res.Tags != indexBatch+1 || last != fmt.Sprintf("a@1.%d.0", indexBatch) {
		t.Errorf("%d tags, the last %s, %v", res.Tags, last, err)
	}
	if d := cmp.Diff([]int{indexBatch, 1}, sizes); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"cloning " + o.dir, "indexed 500 of 501 releases", "indexed 501 of 501 releases"}, told); d != "" {
		t.Error(d)
	}
	full := errors.New("the disk is full")
	if _, err := w.IndexEach(t.Context(), nil, func([]Indexed) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Index(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestABareWorkspaceIsReadFromTheDefaultBranch(t *testing.T) {
	o := newOrigin(t)
	o.release(t, made{id: "a", version: "1.0.0"})
	o.commit("x\n", map[string]file{
		"incipit.yaml": {data: "environments:\n  - name: live\n    approvals: 2\n"},
		"prompts/registry.json": {data: `{"a": {"deployments": {"live": {"version": "1.0.0", "deployed_at": "2026-01-03T00:00:00Z"},
			"gone": null, "old": {"version": "", "deployed_at": ""}}}, "b": {"deployments": {}}}`},
	})
	r, w := o.flush(t).fetched(t)
	if len(w.Config.Environments) != 1 || w.Config.Environments[0].Approvals != 2 || w.Commit() != o.git(t, "rev-parse", "main") {
		t.Errorf("got %+v at %s", w.Config, w.Commit())
	}
	if ids, err := w.IDs(); err != nil || len(ids) != 1 {
		t.Errorf("got %v, %v", ids, err)
	}
	runs, err := w.Deployments(t.Context())
	if err != nil || len(runs) != 1 || len(runs["a"]) != 1 || runs["a"]["live"].Seq() != 1 {
		t.Errorf("got %+v, %v", runs, err)
	}
	if rel, err := w.Releases(t.Context(), "a"); err != nil || len(rel) != 1 {
		t.Errorf("got %v, %v", rel, err)
	}
	if _, err := w.ReleaseOf(t.Context(), "a", prompt.Version{Major: 7}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, _, err := w.Release(t.Context(), ReleaseRequest{Prompt: "a"}); err == nil {
		t.Error("a bare workspace was changed")
	}
	// The remote moves on; what is open stays where it is.
	o.git(t, "symbolic-ref", "HEAD", "refs/heads/trunk")
	o.git(t, "update-ref", "refs/heads/trunk", "a@1.0.0^{commit}")
	later := fetch(t, r)
	if len(later.Config.Environments) != 3 || len(w.Config.Environments) != 1 {
		t.Errorf("got %+v", later.Config)
	}
}

func TestABareWorkspaceMayLieInADirectory(t *testing.T) {
	o := newOrigin(t)
	digest := o.release(t, made{id: "a", version: "1.0.0"})
	system := "You are an assistant of {{company}}, and you answer briefly and truthfully."
	meta := `{"name": "a", "version": "2.0.0", "description": "x", "model": "model-a", "variables": {"company": {"trusted": true}}}`
	mark := o.commit("x\n", map[string]file{
		"sub/dir/incipit.yaml": {data: "prompts: p\n"}, "sub/dir/p/a/" + prompt.SystemFile: {data: system}, "sub/dir/p/a/" + prompt.MetadataFile: {data: meta},
	})
	o.tag("a@2.0.0", mark, releaseText("a", "2.0.0", digest))
	o.flush(t)
	w := fetch(t, o.remote(t, func(c *RemoteConfig) { c.Within = "sub/dir/" }))
	found, problems := index(t, w, nil)
	if _, ok := found["a@2.0.0"]; !ok || problems["a@1.0.0"].Code != TagInvalid {
		t.Errorf("found %v, problems %v", found, problems)
	}
	for _, within := range []string{"../x", "/x", "a/../b", "-x", "a:b", "a\x00", "a//b"} {
		if _, err := NewRemote(RemoteConfig{URL: o.dir, Within: within}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q: %v", within, err)
		}
	}
}

func TestARemoteWithoutACommitHoldsNothingYet(t *testing.T) {
	o := newOrigin(t)
	r, w := o.fetched(t)
	res, err := w.Index(t.Context(), nil)
	if err != nil || res.Tags != 0 || w.Commit() != "" || len(w.Config.Environments) != 3 {
		t.Errorf("got %+v, %v", res, err)
	}
	if runs, err := w.Deployments(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("got %v, %v", runs, err)
	}
	if ids, err := w.IDs(); err != nil || len(ids) != 0 {
		t.Errorf("got %v, %v", ids, err)
	}
	o.release(t, made{id: "a", version: "1.0.0"})
	o.flush(t)
	if found, _ := index(t, fetch(t, r), nil); len(found) != 1 {
		t.Errorf("after the first: %v", found)
	}
}

func TestWhatWasFetchedIsReadWhileTheRemoteIsGone(t *testing.T) {
	o := newOrigin(t)
	o.release(t, made{id: "a", version: "1.0.0"})
	o.flush(t)
	r := o.remote(t)
	if _, err := r.Open(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Fatalf("before the first fetch: %v", err)
	}
	fetch(t, r)
	if err := os.Rename(o.dir, o.dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := r.Fetch(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	w, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := index(t, w, nil); len(found) != 1 {
		t.Errorf("found %v", found)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestARegistryThatCannotBeReadIsAnError(t *testing.T) {
	for name, f := range map[string]file{
		"no JSON": {data: "{"}, "a link": {"120000", "/etc/passwd"}, "a version that is none": {data: `{"a": {"deployments": {"dev": {"version": "x"}}}}`},
		"no object": {data: `{"a": null}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.commit("x\n", map[string]file{"prompts/registry.json": f})
			_, w := o.flush(t).fetched(t)
			if runs, err := w.Deployments(t.Context()); err == nil || strings.Contains(err.Error(), "root:") {
				t.Errorf("got %v, %v", runs, err)
			}
		})
	}
}

func TestFetchIndexAndMirrorMayRunAtOnce(t *testing.T) {
	o := newOrigin(t)
	for n := range 20 {
		o.release(t, made{id: "a", version: fmt.Sprintf("1.%d.0", n)})
	}
	r := o.flush(t).remote(t)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			if err := r.Fetch(t.Context()); err != nil {
				t.Error(err)
				return
			}
			w, err := r.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := w.Index(t.Context(), nil); err != nil || len(res.Releases) != 20 {
				t.Errorf("%d releases, %v", len(res.Releases), err)
			}
			describe := func(prompt.ID) (*Entry, error) { return &Entry{Name: "A"}, nil }
			edit := Deployed(tracks("a", fmt.Sprintf("env-%d", n), deployment(1, 1)), describe)
			if commit, err := r.Mirror().Push(t.Context(), edit, "x\n"); err != nil || commit == "" {
				t.Errorf("%q, %v", commit, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if runs, err := fetch(t, r).Deployments(t.Context()); err != nil || len(runs["a"]) != 4 {
		t.Errorf("got %v, %v", runs, err)
	}
}
