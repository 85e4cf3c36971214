package cli

import (
	"context"
	"errors"
	"io/fs"
	"slices"

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
