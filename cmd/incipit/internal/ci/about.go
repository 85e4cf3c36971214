package ci

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// describe says how the candidate differs from the base.
func describe(p *report.Prompt, candidate prompt.Prompt, base *Base) {
	if base == nil {
		return
	}
	p.Base = &report.Base{Version: base.Release.Version.String(), Digest: base.Release.Digest, Environment: base.Environment}
	p.Changes = prompt.Compare(base.Prompt, candidate)
	p.Bump = prompt.RequiredBump(p.Changes).String()
	p.Tokens = &report.Delta{Before: float64(base.Prompt.EstimateTokens()), After: float64(candidate.EstimateTokens())}
	var words []string
	for _, t := range worddiff.Texts(base.Prompt.Messages, candidate.Messages) {
		words = append(words, t.Message+":")
		words = append(words, worddiff.Excerpt(t.Spans, 1, nil)...)
	}
	p.Words = strings.Join(words, "\n")
}

// bump adds a finding if the prompt changed since its last release and its
// version does not say so, or says too little.
func (g *Gate) bump(ctx context.Context, p *report.Prompt, d prompt.Draft) error {
	if !g.Bump {
		return nil
	}
	versions, err := g.Workspace.Versions(ctx, p.ID)
	if err != nil {
		return err
	}
	var last prompt.Version
	for _, v := range versions {
		if v.Pre == "" {
			last = v
		}
	}
	if last.IsZero() {
		return nil
	}
	r, err := g.Workspace.ReleaseOf(ctx, p.ID, last)
	if err != nil {
		return err
	}
	if r.Digest == p.Digest {
		return nil
	}
	old, err := g.Workspace.Released(ctx, r)
	if err != nil {
		return err
	}
	required := prompt.RequiredBump(prompt.Compare(old.Prompt, d.Prompt))
	version, err := prompt.ParseVersion(d.Metadata.Version)
	if err != nil {
		return nil //nolint:nilerr // validation has said so
	}
	f := prompt.Finding{Path: path.Join(g.Workspace.Config.Prompts, string(p.ID), prompt.MetadataFile), Line: 1, Col: 1, Code: "bump", Severity: prompt.SeverityError}
	switch {
	case version.Compare(last) <= 0:
		f.Message = fmt.Sprintf("it differs from %s and its version is %s: a change needs a %s bump", r.Tag, version, required)
	case last.BumpTo(version) < required:
		f.Message = fmt.Sprintf("version %s is a %s bump of %s, and the change needs a %s one", version, last.BumpTo(version), r.Tag, required)
	default:
		return nil
	}
	f.Fix = fmt.Sprintf("incipit bump %s --%s -m \"what changed, and why\"", p.ID, required)
	p.Findings = append(p.Findings, f)
	return nil
}

// noSuite says that a changed prompt has no tests: that is not green, unless
// the metadata says why it may be.
func (g *Gate) noSuite(p *report.Prompt, d prompt.Draft) {
	file := g.Workspace.SuiteFiles(p.ID)[0]
	if why := d.Metadata.Allow["untested"]; why != "" {
		p.Untested = append(p.Untested, "it has no suite, which its metadata allows: "+prompt.Clip(why, 200))
		return
	}
	f := prompt.Finding{
		Path: path.Join(g.Workspace.Config.Prompts, string(p.ID), prompt.MetadataFile), Line: 1, Col: 1, Code: "untested", Severity: prompt.SeverityError,
		Message: fmt.Sprintf("it changed and has no suite: %s is not there", file),
		Fix:     fmt.Sprintf("write %s; or say why it needs none: \"allow\": {\"untested\": \"reason\"} in %s", file, prompt.MetadataFile),
	}
	if g.Untested {
		f.Severity = prompt.SeverityWarning
	}
	p.Findings = append(p.Findings, f)
	p.Untested = append(p.Untested, "it has no suite")
}

// notASuite turns what is wrong with a suite into findings of its prompt.
func (g *Gate) notASuite(p *report.Prompt, err error) error {
	found, ok := errors.AsType[*suite.Error](err)
	if !ok {
		return err
	}
	p.Findings = append(p.Findings, found.Findings...)
	p.Untested = append(p.Untested, "its suite is not valid, so no model was asked")
	return nil
}
