package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A ProposalRequest asks that texts of a prompt become a branch.
type ProposalRequest struct {
	Prompt  prompt.ID
	Texts   registry.Texts
	Base    registry.Texts // what they were made from: the branch must still have it
	Message string
	Bump    prompt.Bump // at least
	Author  string      // the person, as Name <mail>

	// Once is different for each proposal: the same one asked for again finds
	// the branch of the first time.
	Once string
}

// Propose commits texts of a prompt on top of the branch that is read, as a
// bump does, and pushes that as a new branch: nothing is released or deployed by
// it. It fetches before. A proposal that was pushed before is found, whatever
// has become of the branch since.
//
// It reports an InvalidError with the findings if the texts are not valid;
// registry.ErrConflict if the branch has other files than Base;
// registry.ErrForbidden if the remote refuses the push, with its reason; and
// registry.ErrUnavailable if it cannot be reached.
func (r *Remote) Propose(ctx context.Context, req ProposalRequest) (registry.Proposal, error) {
	var err error
	for range mirrorTries {
		if err := r.Fetch(ctx); err != nil {
			return registry.Proposal{}, err
		}
		var p registry.Proposal
		if p, err = r.propose(ctx, req); !errors.Is(err, gitrepo.ErrMoved) {
			return p, err
		}
	}
	return registry.Proposal{}, registry.WithFix(registry.Errorf(registry.ErrConflict, "%v, %d times in a row", err, mirrorTries), "try again")
}

func (r *Remote) propose(ctx context.Context, req ProposalRequest) (p registry.Proposal, err error) {
	author, ok := gitrepo.ParseIdentity(req.Author)
	if !ok {
		return p, registry.Errorf(prompt.ErrInvalid, "%q is no name and mail address", prompt.Clip(req.Author, 80))
	}
	repo, err := r.clone(ctx)
	if err != nil {
		return p, err
	}
	_, into, err := repo.Head(ctx)
	if err != nil {
		return p, err
	}
	w, err := r.open(ctx, repo)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if before, found, err := w.proposed(ctx, repo, req); err != nil || found {
		before.Into, before.URL = into, r.requestURL(into, before.Branch)
		return before, err
	}
	if err := w.put(req.Prompt, req.Texts); err != nil {
		return p, err
	}
	if !maps.Equal(w.edit.before, req.Base) {
		return p, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s was changed on %s since the draft was begun", req.Prompt, into), "put both together, save, and propose again")
	}
	plan, err := w.PlanRelease(ctx, ReleaseRequest{Prompt: req.Prompt, Message: req.Message, Bump: req.Bump, Enough: true, NoTag: true})
	if err != nil {
		return p, err
	}
	now := r.config.Now()
	author.At = now
	by := r.author
	by.At = now
	p = registry.Proposal{Branch: branchOf(req, plan.To), Version: plan.To.String(), Into: into, At: now.UTC()}
	p.URL = r.requestURL(into, p.Branch)
	p.Commit, err = repo.PushBranch(ctx, gitrepo.BranchCommit{
		Branch: p.Branch, Parent: w.head, Files: w.committing(plan, r.config.Within), Message: plan.Message, Author: author, Committer: by,
	})
	return p, err
}

// committing are the files of a plan as a commit has them: what was edited,
// with the bytes that the plan writes instead where it writes.
func (w *Workspace) committing(plan *ReleasePlan, within string) []gitrepo.FileData {
	data := make(map[string][]byte)
	for _, name := range plan.Files {
		if text, is, ours := w.edit.text(name); ours && is {
			data[name] = append([]byte{}, text...)
		} else {
			data[name] = nil
		}
	}
	for _, f := range plan.writes {
		data[f.Path] = f.after
	}
	out := make([]gitrepo.FileData, 0, len(data))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		out = append(out, gitrepo.FileData{Path: within + name, Data: data[name]})
	}
	return out
}

// proposed finds the branch of a proposal that was pushed before.
func (w *Workspace) proposed(ctx context.Context, repo *gitrepo.Repo, req ProposalRequest) (p registry.Proposal, found bool, err error) {
	below, key := branchDir(req.Prompt), "-"+proposalKey(req)
	branches, err := repo.Branches(ctx, below)
	if err != nil {
		return p, false, err
	}
	o, err := w.reader(ctx)
	if err != nil {
		return p, false, err
	}
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		version, ok := strings.CutSuffix(strings.TrimPrefix(name, below+"/"), key)
		if !ok {
			continue
		}
		c, err := o.Commit(branches[name])
		if err != nil {
			return p, false, err
		}
		// Somebody may have committed on top of it: it is the proposal all the same.
		return registry.Proposal{Branch: name, Commit: c.ID, Version: version, At: c.Author.At}, true, nil
	}
	return p, false, nil
}

// branchDir is what stands before the last slash of a proposal's branch.
func branchDir(id prompt.ID) string { return "incipit/" + strings.ReplaceAll(string(id), "/", "-") }

// proposalKey tells a proposal from every other one of the prompt, whatever the
// version it gets.
func proposalKey(req ProposalRequest) string {
	h := sha256.New()
	for _, s := range []string{string(req.Prompt), req.Author, req.Once} {
		fmt.Fprintf(h, "%d:%s,", len(s), s)
	}
	for _, name := range registry.TextNames() {
		text, is := req.Texts[name]
		fmt.Fprintf(h, "%t:%d:%s,", is, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:5])
}

func branchOf(req ProposalRequest, v prompt.Version) string {
	return branchDir(req.Prompt) + "/" + v.String() + "-" + proposalKey(req)
}
