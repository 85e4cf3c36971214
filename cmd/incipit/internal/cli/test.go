package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/ci"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// testRequest is what incipit test is asked for.
type testRequest struct {
	testFlags
	ids        []prompt.ID
	config     string
	filter     string
	repeat     int
	first      int
	onlyFailed bool
	watch      bool
	strict     bool
	against    string
}

func testCommand(e *env) *cobra.Command {
	var r testRequest
	cmd := &cobra.Command{
		Use:   "test [ID…]",
		Short: "Run the suites of prompts, or a promptfoo config",
		Long: "test asks a model what a suite says and holds the answers against it: a case\n" +
			"passes, fails, or is an error where it could not be asked or judged. Answers are\n" +
			"the recorded ones, unless --mode says otherwise. With --against it asks the\n" +
			"release that runs in an environment as well, and compares the two.",
		Example: examples("incipit test", "incipit test customer-support --filter refund --verbose",
			"incipit test customer-support --mode record --max-cost 0.50",
			"incipit test --config promptfooconfig.yaml --out report.html"),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return ids(cmd.Context(), e), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, a := range args {
				id, err := prompt.ParseID(a)
				if err != nil {
					return err
				}
				r.ids = append(r.ids, id)
			}
			return runTest(cmd.Context(), e, r)
		},
	}
	r.add(cmd, "replay")
	fl := cmd.Flags()
	fl.StringVar(&r.config, "config", "", "run this promptfoo config `FILE` instead of the workspace's suites")
	fl.StringVar(&r.filter, "filter", "", "only the cases whose description matches this `PATTERN`")
	fl.IntVar(&r.repeat, "repeat", 0, "ask each case `N` times")
	fl.IntVar(&r.first, "first", 0, "only the first `N` cases of each suite")
	fl.BoolVar(&r.onlyFailed, "only-failed", false, "only the cases that did not pass the last time")
	fl.BoolVar(&r.watch, "watch", false, "run again whenever a file changes, until Ctrl-C")
	fl.BoolVar(&r.strict, "strict", false, "refuse in a --config what a workspace's own suites may not have")
	fl.StringVar(&r.against, "against", "", "compare with the release that runs in this environment, or with a version: `ENV|VERSION`")
	return cmd
}

func runTest(ctx context.Context, e *env, r testRequest) error {
	switch {
	case r.repeat < 0 || r.repeat > 1000:
		return registry.Errorf(prompt.ErrInvalid, "--repeat must be from 1 to 1000")
	case r.first < 0:
		return registry.Errorf(prompt.ErrInvalid, "--first must be a number of cases, from 1")
	}
	once := func(ctx context.Context) error {
		if r.config != "" {
			return e.testConfig(ctx, r)
		}
		return e.testPrompts(ctx, r)
	}
	if r.watch {
		return e.watchTests(ctx, r, once)
	}
	return once(ctx)
}

// testPrompts runs the suites of prompts of the workspace.
func (e *env) testPrompts(ctx context.Context, r testRequest) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	t, err := newTester(e, &r.testFlags, ws.Config.Tests, ws.Dir, recordedIn(ws.Files(), ws.Config.Tests.Cassettes))
	if err != nil {
		return err
	}
	defer t.close() //nolint:errcheck // the children end, whatever they say
	g := t.gate(ws, ws.Now())
	g.Repeat, g.Untested = r.repeat, true
	if g.Select, err = selection(r, ws.Dir); err != nil {
		return err
	}
	if r.against != "" {
		g.Base = e.baseOf(ws, r.against)
	}
	selected, err := asked(g.HasSuite, ws, r.ids)
	if err != nil {
		return err
	}
	out := &report.Report{Schema: 1, Mode: r.mode}
	if len(selected) == 0 {
		out.Nothing = "no prompt has a suite"
	}
	progress := e.progress()
	t.runner.Progress = progress.show
	out.Prompts, err = g.Prompts(ctx, selected)
	progress.end()
	if err != nil {
		return err
	}
	if g.Select != nil {
		out.Prompts = slices.DeleteFunc(out.Prompts, func(p report.Prompt) bool { return p.Run == nil && !prompt.Failed(p.Findings) })
		if len(out.Prompts) == 0 {
			return registry.Errorf(prompt.ErrInvalid, "no case is selected: a run that asks nothing proves nothing")
		}
	}
	return e.concludeTest(ctx, t, out, ws.Dir)
}

// testConfig runs a promptfoo config as it is.
func (e *env) testConfig(ctx context.Context, r testRequest) error {
	name := r.config
	if !filepath.IsAbs(name) {
		name = filepath.Join(e.dir, name)
	}
	dir, file := filepath.Split(name)
	dir = filepath.Clean(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tests := source.DefaultTests()
	t, err := newTester(e, &r.testFlags, tests, dir, recordedIn(root.FS(), tests.Cassettes))
	if err != nil {
		return err
	}
	defer t.close() //nolint:errcheck // the children end, whatever they say
	o := t.loading(r.strict)
	o.Prompts = true
	s, err := suite.Load(root.FS(), file, o)
	if err != nil {
		return e.suiteErrors(err)
	}
	plan := suite.Plan{Suite: s, Repeat: r.repeat}
	for _, p := range s.Prompts {
		plan.Targets = append(plan.Targets, &suite.Rendered{Template: p, Render: t.sandbox})
	}
	choose, err := selection(r, dir)
	if err != nil {
		return err
	}
	if choose != nil {
		plan.Cases = choose(s.Cases)
	}
	progress := e.progress()
	t.runner.Progress = progress.show
	run, err := t.runner.Run(ctx, plan)
	progress.end()
	if err != nil {
		return err
	}
	return e.concludeTest(ctx, t, &report.Report{Schema: 1, Mode: r.mode, Configs: []report.Run{run}}, dir)
}

// recordedIn is the directory of cassettes in a tree of files.
func recordedIn(files fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		return nil
	}
	return sub
}

// selection is what --filter, --first and --only-failed leave of a suite; nil
// if they leave all of it.
func selection(r testRequest, dir string) (func([]suite.Case) []suite.Case, error) {
	kept := func(suite.Case) bool { return true }
	if r.onlyFailed {
		var err error
		if kept, err = onlyFailed(dir); err != nil {
			return nil, err
		}
	} else if r.filter == "" && r.first == 0 {
		return nil, nil
	}
	if _, err := suite.Filter(nil, r.filter, r.first, nil); err != nil && !errors.Is(err, suite.ErrNoCases) {
		return nil, err
	}
	return func(cases []suite.Case) []suite.Case {
		cases = slices.DeleteFunc(slices.Clone(cases), func(c suite.Case) bool { return !kept(c) })
		chosen, err := suite.Filter(cases, r.filter, r.first, nil)
		if err != nil {
			return nil // none is left: the pattern was tried above
		}
		return chosen
	}, nil
}

// concludeTest judges the report, writes it where it was asked for, prints it,
// and ends as its verdict says.
func (e *env) concludeTest(ctx context.Context, t *tester, r *report.Report, keep string) error {
	hash, notices := t.notices()
	r.Warnings = append(r.Warnings, notices...)
	for i := range r.Prompts {
		if run := r.Prompts[i].Run; run != nil {
			run.CassetteHash = hash
		}
	}
	r.Sort()
	r.Judge()
	if err := keepFailed(r, keep); err != nil {
		e.talk("What failed is not kept for --only-failed: %v", err)
	}
	written := writeReports(r, t.flags.outputs, t.flags.dir)
	if err := e.printReport(r, t.flags.verbose); err != nil { // also where no file could be written: answers were paid for
		return err
	}
	if written != nil {
		return written
	}
	if t.flags.evidence {
		if err := e.fileReport(ctx, *r); err != nil {
			return err
		}
	}
	if status := statusOf(r); status != 0 {
		return exitError{status}
	}
	return nil
}

// printReport prints for people, or the report itself as JSON.
func (e *env) printReport(r *report.Report, verbose bool) error {
	return e.emit(r, func(w io.Writer) {
		if e.quiet && r.Verdict == report.Passed {
			return
		}
		r.Text(w, report.TextOptions{Width: e.width(), Verbose: verbose}) //nolint:errcheck // a page takes everything
	})
}

// width is how many columns a table may have: those of the terminal, else
// plenty.
func (e *env) width() int {
	if f, ok := e.rawOut.(interface{ Fd() uintptr }); ok && e.outTTY {
		if columns, _, err := term.GetSize(f.Fd()); err == nil && columns > 0 {
			return columns
		}
	}
	return 160
}

// suiteErrors prints what is wrong with a suite as validate prints findings.
func (e *env) suiteErrors(err error) error {
	findings, ok := findingsOf(err)
	if !ok {
		return err
	}
	if printErr := e.emit(map[string]any{"findings": findings}, func(w io.Writer) {
		for _, f := range findings {
			e.printFinding(w, f)
		}
	}); printErr != nil {
		return printErr
	}
	wrong := 0 // what is ignored stands among the findings, and is no error
	for _, f := range findings {
		if f.Severity == prompt.SeverityError {
			wrong++
		}
	}
	return registry.Errorf(prompt.ErrInvalid, "%s", fmt.Sprintf("the suite has %s", count(wrong, "error")))
}

// asked are the prompts to test: the named ones, or all that have a suite.
func asked(hasSuite func(prompt.ID) (bool, error), ws *source.Workspace, named []prompt.ID) ([]ci.Selected, error) {
	if len(named) > 0 {
		slices.Sort(named)
		named = slices.Compact(named)
	}
	all := named
	if len(all) == 0 {
		var err error
		if all, err = ws.IDs(); err != nil {
			return nil, err
		}
	}
	var out []ci.Selected
	for _, id := range all {
		has, err := hasSuite(id)
		if err != nil {
			return nil, err
		}
		switch {
		case has:
			out = append(out, ci.Selected{ID: id})
		case len(named) > 0:
			return nil, registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s has no suite", id), "write %s", ws.SuiteFiles(id)[0])
		}
	}
	return out, nil
}
