package source

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An Outlook is what a release of a prompt as it stands would be. Where one of
// the findings is an error there is none, and Draft holds what could be read.
type Outlook struct {
	Draft    prompt.Draft
	Findings []prompt.Finding
	Last     prompt.Version // the last stable release, zero before the first
	Before   prompt.Prompt  // of it
	Same     bool           // it asks what that release asks: there is nothing to release
	Changes  []prompt.Change
	Required prompt.Bump
	Next     prompt.Version // with the least bump that the change needs
}

// Outlook validates a prompt of the workspace and compares it with its last
// release, by the rules of PlanRelease.
func (w *Workspace) Outlook(ctx context.Context, id prompt.ID) (Outlook, error) {
	dir, err := w.open(w.Files(), id)
	if w.edit != nil && errors.Is(err, registry.ErrNotFound) {
		err = nil // nothing is written yet, which the findings say
	}
	if err != nil {
		return Outlook{}, err
	}
	tagged, err := w.taggedNames(ctx)
	if err != nil {
		return Outlook{}, err
	}
	o := Outlook{Findings: w.validateOne(ctx, w.Files(), dir, tagged)}
	o.Draft, _, _ = w.parse(ctx, w.Files(), dir, false)
	if prompt.Failed(o.Findings) {
		return o, ctx.Err()
	}
	p := &ReleasePlan{Prompt: id, noTag: true}
	if p.versions, err = w.Versions(ctx, id); err != nil {
		return o, err
	}
	if p.Digest, err = o.Draft.Prompt.Digest(); err != nil {
		return o, err
	}
	var old prompt.Draft
	if o.Last, old, o.Same, err = w.compareWithLast(ctx, p, o.Draft); err != nil {
		return o, err
	}
	o.Before, o.Changes, o.Required = old.Prompt, p.Changes, p.Required
	if o.Same {
		return o, nil
	}
	err = p.choose(ReleaseRequest{Prompt: id, Enough: true, NoTag: true}, o.Draft.Metadata, o.Last)
	o.Next = p.To
	return o, err
}
