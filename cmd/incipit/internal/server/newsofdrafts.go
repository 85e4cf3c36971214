package server

import (
	"context"

	"github.com/incipit-dev/incipit/internal/registry"
)

// notFollowed stands for the number of the last change of a draft that was told
// while nobody has an editor open.
const notFollowed = -1

// lookAtDrafts tells writers which of their drafts were changed after seen, and
// returns up to which change it told. Where it is not known what they were told
// before, any may have changed: so it is at the start, after a backup was
// restored, and where there is too much to tell.
func (n *newsroom) lookAtDrafts(ctx context.Context, seen int64) (int64, error) {
	if !n.writing() {
		return notFollowed, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	last, err := n.LastDraftChange(ctx)
	if err != nil || last == seen {
		return seen, err
	}
	changes, err := n.DraftChanges(ctx, seen, newsAtOnce)
	if err != nil {
		return seen, err
	}
	if seen == notFollowed || last < seen || len(changes) == newsAtOnce {
		n.tell(n.ofDrafts(registry.DraftChange{}))
		return last, nil
	}
	for _, c := range changes {
		n.tell(n.ofDrafts(c))
		last = max(last, c.Seq)
	}
	return last, nil
}

// ofDrafts is the news of a change of a draft; of the zero one, that any may
// have changed.
func (n *newsroom) ofDrafts(c registry.DraftChange) news {
	return news{Kind: "draft", Seq: n.seq.Load(), Prompt: c.Prompt, writer: c.Owner}
}

// mayKnow reports whether somebody may be told where something changed.
func (w news) mayKnow(c registry.Caller) bool {
	switch {
	case w.Kind == "all": // which names nothing
		return true
	case w.Kind == "draft" && w.Prompt == "": // any of the reader's own
		return c.MaySome(registry.MayPropose)
	case w.Kind == "draft":
		return c.MayAny(registry.MayPropose, registry.Every, w.Prompt)
	case w.Prompt == "":
		return c.MaySome(registry.MayRead)
	}
	return c.MayAny(registry.MayRead, w.Environment, w.Prompt)
}
