package cli

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/ci"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// ciRequest is what incipit ci is asked for.
type ciRequest struct {
	testFlags
	base     string
	staged   bool
	noBump   bool
	untested bool
	noBase   bool
}

func ciCommand(e *env) *cobra.Command {
	var r ciRequest
	cmd := &cobra.Command{
		Use:   "ci",
		Short: "Decide a merge: validate, test and compare what a branch changes",
		Long: "ci finds the prompts whose tests could come out otherwise than at the merge base,\n" +
			"by what their cases ask the model, how the answers are judged and what is\n" +
			"recorded. It validates them, holds their versions against the change, runs their\n" +
			"suites, and asks the same cases of the release that runs in the environment to\n" +
			"compare with. The exit status decides: 0, 2 if something is not valid, 3 if a\n" +
			"test failed or the comparison says regress, 6 if a provider gave no answer.",
		Example: examples("incipit ci", "incipit ci --base origin/main --report-dir out", "incipit ci --staged"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runCI(cmd.Context(), e, r) },
	}
	r.add(cmd, "replay")
	fl := cmd.Flags()
	fl.StringVar(&r.base, "base", "", "the `COMMIT` or branch that the change goes to")
	fl.BoolVar(&r.staged, "staged", false, "check what is staged against HEAD, and compare with nothing: for a pre-commit hook")
	fl.BoolVar(&r.noBump, "no-bump", false, "let a changed prompt keep its version, for teams that release after the merge")
	fl.BoolVar(&r.untested, "allow-untested", false, "only warn of a changed prompt without a suite")
	fl.BoolVar(&r.noBase, "no-compare", false, "run the suites and compare with nothing")
	cmd.AddCommand(commentCommand(e))
	return cmd
}

func runCI(ctx context.Context, e *env, r ciRequest) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	view, base, touched, err := e.change(ctx, ws, r)
	if err != nil {
		return err
	}
	t, err := newTester(e, &r.testFlags, ws.Config.Tests, ws.Dir, recordedIn(view.Files, ws.Config.Tests.Cassettes))
	if err != nil {
		return err
	}
	defer t.close() //nolint:errcheck // the children end, whatever they say
	g := t.gate(ws, view)
	g.Bump, g.Untested = !r.noBump && !r.staged, r.untested
	if env := ws.Config.Tests.CompareWith; env != "" && !r.noBase && !r.staged {
		g.Base = e.baseOf(ws, env)
	}
	change, err := g.Changed(ctx, base, touched)
	if err != nil {
		return err
	}
	out := &report.Report{Schema: 1, Mode: r.mode, MergeBase: base}
	if out.Commit, err = ws.Head(ctx); err != nil {
		return err
	}
	if len(change.Selected) == 0 {
		out.Nothing = "no prompt is touched"
	}
	for _, id := range change.Removed {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s is removed", id))
	}
	progress := e.progress()
	t.runner.Progress = progress.show
	out.Prompts, err = g.Prompts(ctx, change.Selected)
	progress.end()
	if err != nil {
		return err
	}
	return e.concludeTest(ctx, t, out, "")
}

// change is what is judged, the commit that it is held against, and the files
// that differ.
func (e *env) change(ctx context.Context, ws *source.Workspace, r ciRequest) (view source.View, base string, touched []string, err error) {
	if !r.staged {
		view = ws.Now()
		if base, err = ws.MergeBase(ctx, cmp.Or(r.base, e.target())); err != nil {
			return view, "", nil, err
		}
		touched, err = ws.Touched(ctx, base, nil)
		return view, base, touched, err
	}
	var index gitrepo.Index
	if file := e.getenv("GIT_INDEX_FILE"); file != "" { // of a commit of some files alone
		if index.File, err = filepath.Abs(file); err != nil {
			return view, "", nil, err
		}
	}
	if view, err = ws.Staged(ctx, index); err != nil {
		return view, "", nil, err
	}
	if base, err = ws.MergeBase(ctx, cmp.Or(r.base, "HEAD")); err != nil {
		return view, "", nil, err
	}
	touched, err = ws.Touched(ctx, base, &index)
	return view, base, touched, err
}

// target is the branch that a pull request goes to, as the CI system tells;
// "" outside of one.
func (e *env) target() string {
	if branch := e.getenv("GITHUB_BASE_REF"); branch != "" {
		return "origin/" + branch
	}
	return e.getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA")
}

// gate is the merge gate over the tester.
func (t *tester) gate(ws *source.Workspace, view source.View) *ci.Gate {
	return &ci.Gate{
		Workspace: ws, Candidate: view, Runner: t.runner, Load: t.load, Ask: t.ask,
		Answers: func(files fs.FS, keys []string) string { return answersIn(files, ws.Config.Tests.Cassettes, keys) },
		Rules:   ci.RulesOf(ws.Config.Tests), Repeats: t.flags.repeats,
	}
}

// baseOf finds what a candidate is compared with: what runs in an environment,
// else the last release; or a version.
func (e *env) baseOf(ws *source.Workspace, against string) func(context.Context, prompt.ID) (*ci.Base, error) {
	return func(ctx context.Context, id prompt.ID) (*ci.Base, error) {
		svc, err := e.serviceOrMirror(ctx)
		if err != nil {
			return nil, err
		}
		v, err := prompt.ParseVersion(against)
		environment := ""
		if err != nil {
			tracks, err := svc.History(ctx, id, against)
			if err != nil && !isNotFound(err) {
				return nil, err
			}
			if now, ok := tracks[against].Current(); ok {
				v, environment = now.Version, against
			}
		}
		if v.IsZero() {
			last, err := ws.LastReleased(ctx, id)
			if isNotFound(err) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			v = last.Version
		}
		rel, err := svc.Release(ctx, id, v)
		if err != nil {
			return nil, err
		}
		d, err := svc.Released(ctx, rel)
		if err != nil {
			return nil, err
		}
		return &ci.Base{Release: rel, Prompt: d.Prompt, Environment: environment}, nil
	}
}

// serviceOrMirror is the registry; where it is a server's and no key for it is
// here, as in a fork, the mirror of it that Git holds.
func (e *env) serviceOrMirror(ctx context.Context) (backend, error) {
	far, err := e.remote(ctx)
	if err == nil || e.server != "" {
		if far != nil {
			return far, nil
		}
		return e.service(ctx)
	}
	ws, wsErr := e.workspace(ctx)
	if wsErr != nil || strings.TrimSpace(ws.Config.Server) == "" {
		return nil, err
	}
	e.talk("%v: what runs is read from %s instead", err, ws.RegistryPath())
	e.server = nearby
	return e.service(ctx)
}
