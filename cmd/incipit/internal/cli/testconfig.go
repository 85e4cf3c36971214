package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

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
	return registry.Errorf(prompt.ErrInvalid, "%s", fmt.Sprintf("the suite has %s", words.Count(wrong, "error")))
}
