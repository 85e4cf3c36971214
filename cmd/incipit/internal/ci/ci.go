// Package ci is the merge gate: what a branch changes, what of it is tested,
// what it is compared with, and what that decides.
//
// It reads Git through source and asks models through suite; it deploys
// nothing, writes no file, and knows no command line.
package ci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Gate tests prompts and decides.
type Gate struct {
	Workspace *source.Workspace
	Candidate source.View
	Runner    *suite.Runner

	// Load reads a suite, as strictly as the workspace wants it.
	Load func(files fs.FS, file string) (*suite.Suite, error)

	// Ask finds who answers for a model.
	Ask func(model string) (suite.ProviderSpec, error)

	// Base finds the release that a candidate is compared with; nil, nil if
	// there is none. A nil Base compares nothing.
	Base func(ctx context.Context, id prompt.ID) (*Base, error)

	// Answers describes the recorded answers of a view: their hash, for what a
	// set of requests would be answered with. nil: nothing is recorded.
	Answers func(files fs.FS, keys []string) string

	Key      func(suite.ProviderSpec, *suite.Release, suite.Case) (string, error) // of a request's cassette
	Rules    compare.Rules                                                        // of the workspace; a prompt's metadata goes before
	Select   func([]suite.Case) []suite.Case                                      // narrows a suite down; nil takes all of it
	Repeat   int                                                                  // how often each case is asked at first
	Repeats  int                                                                  // up to how often where that decides the comparison
	Bump     bool                                                                 // a changed prompt must have a higher version
	Untested bool                                                                 // a changed prompt without a suite is a warning alone
}

// A Base is a release that runs, or was the last.
type Base struct {
	Release     registry.Release
	Prompt      prompt.Prompt
	Environment string // where it runs; "" if it runs nowhere
}

// Prompts tests the selected prompts, one after the other: their models share
// the limits of rate, and a report that stops early has whole prompts in it.
func (g *Gate) Prompts(ctx context.Context, selected []Selected) ([]report.Prompt, error) {
	out := make([]report.Prompt, 0, len(selected))
	for _, s := range selected {
		p, err := g.prompt(ctx, s)
		if err != nil {
			return out, fmt.Errorf("%s: %w", s.ID, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// prompt validates, tests and compares one prompt.
func (g *Gate) prompt(ctx context.Context, s Selected) (report.Prompt, error) {
	d, _, err := g.Candidate.Draft(ctx, s.ID)
	if err != nil {
		return report.Prompt{}, err
	}
	p := report.Prompt{ID: s.ID, Version: d.Metadata.Version, Why: s.Why}
	if p.Findings, err = g.Candidate.Validate(ctx, s.ID); err != nil {
		return p, err
	}
	if prompt.Failed(p.Findings) {
		p.Untested = append(p.Untested, "it is not valid, so no model was asked")
		return p, nil
	}
	if p.Digest, err = d.Prompt.Digest(); err != nil {
		return p, err
	}
	if err := g.bump(ctx, &p, d); err != nil {
		return p, err
	}
	base, err := g.base(ctx, s.ID)
	if err != nil {
		return p, err
	}
	describe(&p, d.Prompt, base)
	if s.Same {
		p.Untested = append(p.Untested, "it asks the model for the same as before, and its tests are the same")
		return p, nil
	}
	return p, g.test(ctx, &p, d, base)
}

func (g *Gate) base(ctx context.Context, id prompt.ID) (*Base, error) {
	if g.Base == nil {
		return nil, nil
	}
	return g.Base(ctx, id)
}

// RulesOf are the workspace's rules of comparison.
func RulesOf(t source.Tests) compare.Rules { return compare.Rules{Alpha: t.Alpha, Margin: t.Margin} }

// HasSuite reports whether a prompt has tests.
func (g *Gate) HasSuite(id prompt.ID) (bool, error) {
	for _, name := range g.Workspace.SuiteFiles(id) {
		if _, err := fs.Stat(g.Candidate.Files, name); !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// suiteOf reads the suite of a prompt, from the one of its places where it
// stands. Without one the suite is nil.
func (g *Gate) suiteOf(files fs.FS, id prompt.ID) (*suite.Suite, error) {
	var found []string
	for _, name := range g.Workspace.SuiteFiles(id) {
		if _, err := fs.Stat(files, name); err == nil {
			found = append(found, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return g.Load(files, found[0])
	}
	return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has two suites: %s and %s", id, found[0], found[1]), "keep one of them")
}
