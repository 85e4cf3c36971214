package lifecycle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	draftTime   = 10 * time.Second // to read Git for a page that somebody looks at
	proposeTime = 2 * time.Minute  // with a fetch and a push

	// draftReads bounds how many look at Git for drafts at once: each has a git
	// process, and people type.
	draftReads = 4
)

// drafting is who writes. It refuses where there could be no draft.
func (s *Shared) drafting(ctx context.Context, id prompt.ID) (owner string, err error) {
	who, _ := registry.CallerOf(ctx)
	switch {
	case s.config.Remote == nil:
		return "", registry.WithFix(registry.Errorf(registry.ErrNotFound, "this server has no Git repository, so nothing can be written and proposed here"), "start it with --repo")
	case who.Name == "":
		return "", registry.Errorf(registry.ErrForbidden, "a draft belongs to somebody: say who you are")
	}
	if _, ok := id.Shared(); ok {
		return "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is an included text, which has no drafts", id), "change it in Git: it reaches every prompt that includes it")
	}
	return who.Name, nil
}

// reading calls do with a workspace of what was fetched last, in which the
// prompt has other texts if there are any.
func (s *Shared) reading(ctx context.Context, id prompt.ID, texts registry.Texts, do func(context.Context, *source.Workspace) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, draftTime)
	defer cancel()
	select {
	case s.drafts <- struct{}{}:
		defer func() { <-s.drafts }()
	case <-ctx.Done():
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "too many drafts are looked at just now"), "try again")
	}
	var w *source.Workspace
	if texts == nil {
		w, err = s.config.Remote.Open(ctx)
	} else {
		w, err = s.config.Remote.Edited(ctx, id, texts)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return unreleased(do(ctx, w))
}

// unreleased says of a tag that is not a release's what whoever writes a draft
// can do about it: it is nothing that they wrote.
func unreleased(err error) error {
	if source.Forged(err) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "the release before cannot be read from Git: %v", err),
			"incipit verify tells what happened; fetch the tag again from where it was released")
	}
	return err
}

// Draft is what the caller is writing of a prompt. Where they are not it is the
// prompt as the branch has it, with the number 0; and where that has none, the
// text that a new prompt starts from.
func (s *Shared) Draft(ctx context.Context, id prompt.ID) (registry.DraftState, error) {
	var st registry.DraftState
	owner, err := s.drafting(ctx, id)
	if err != nil {
		return st, err
	}
	st.Draft, err = s.db.Draft(ctx, id, owner)
	fresh := errors.Is(err, registry.ErrNotFound)
	if err != nil && !fresh {
		return st, err
	}
	err = s.reading(ctx, id, nil, func(ctx context.Context, w *source.Workspace) error {
		now, texts, err := baseOf(ctx, w.Now(), w.Commit(), id)
		if err != nil {
			return err
		}
		st.New = len(texts) == 0
		switch {
		case !fresh:
			st.Conflict = conflict(st.Draft, now, texts)
			return nil
		case st.New:
			st.Draft = registry.Draft{Prompt: id, Owner: owner, Base: now, BaseFiles: texts}
			st.Files, err = s.startingText(ctx, w.Config.Prompts, id)
			return err
		}
		st.Draft = registry.Draft{Prompt: id, Owner: owner, Base: now, Files: texts, BaseFiles: texts}
		return nil
	})
	if err != nil {
		return st, err
	}
	all, err := s.db.Drafts(ctx, id, "")
	st.Others = slices.DeleteFunc(all, func(n registry.DraftNote) bool { return n.Owner == owner })
	if st.Others == nil {
		st.Others = []registry.DraftNote{}
	}
	return st, err
}

// baseOf is what a draft that starts from a view of a commit starts from.
func baseOf(ctx context.Context, v source.View, commit string, id prompt.ID) (registry.DraftBase, registry.Texts, error) {
	base := registry.DraftBase{Commit: commit}
	texts, err := v.Texts(id)
	if err != nil || len(texts) == 0 {
		return base, texts, err
	}
	d, findings, err := v.Draft(ctx, id)
	if err != nil {
		return base, texts, err
	}
	base.Version = d.Metadata.Version
	if !prompt.Failed(findings) {
		base.Digest, err = d.Prompt.Digest()
	}
	return base, texts, err
}

// conflict holds a draft against what its branch has now; nil if that is what
// it started from.
func conflict(d registry.Draft, now registry.DraftBase, theirs registry.Texts) *registry.DraftConflict {
	if maps.Equal(d.BaseFiles, theirs) {
		return nil
	}
	c := &registry.DraftConflict{Commit: now.Commit, Version: now.Version}
	c.Files, c.Clean = registry.MergeTexts(d.BaseFiles, d.Files, theirs)
	return c
}

// SaveDraft keeps what the caller has written, over the number that they saw
// last. With another base commit than before, the draft goes on from there: that
// is how a conflict ends. It reports ErrConflict if it was saved elsewhere
// meanwhile, and changes nothing then.
func (s *Shared) SaveDraft(ctx context.Context, d registry.Draft) (registry.Draft, error) {
	owner, err := s.drafting(ctx, d.Prompt)
	if err != nil {
		return d, err
	}
	if err := d.Files.Validate(); err != nil {
		return d, err
	}
	d.Owner = owner
	was, err := s.db.Draft(ctx, d.Prompt, owner)
	switch {
	case err != nil && !errors.Is(err, registry.ErrNotFound):
		return d, err
	case err == nil && (d.Base.Commit == "" || d.Base.Commit == was.Base.Commit):
		d.Base, d.BaseFiles = was.Base, was.BaseFiles
	default:
		if d.Base, d.BaseFiles, err = s.startingAt(ctx, d.Prompt, d.Base.Commit); err != nil {
			return d, err
		}
	}
	return s.db.SaveDraft(ctx, d)
}

// startingAt reads the base of a draft from a commit of the branch.
func (s *Shared) startingAt(ctx context.Context, id prompt.ID, commit string) (base registry.DraftBase, texts registry.Texts, err error) {
	err = s.reading(ctx, id, nil, func(ctx context.Context, w *source.Workspace) error {
		v, err := w.Past(ctx, commit)
		if err != nil {
			return err
		}
		base, texts, err = baseOf(ctx, v, commit, id)
		return err
	})
	return base, texts, err
}

// DiscardDraft forgets what the caller has written, if its number is still the
// one that they saw.
func (s *Shared) DiscardDraft(ctx context.Context, id prompt.ID, number int64) error {
	who, _ := registry.CallerOf(ctx)
	e := event(ctx, "draft.discard")
	e.Prompt = id
	return s.db.DiscardDraft(ctx, id, who.Name, number, e)
}

// Drafts lists what the caller is writing, the latest first.
func (s *Shared) Drafts(ctx context.Context) ([]registry.DraftNote, error) {
	who, _ := registry.CallerOf(ctx)
	if who.Name == "" {
		return nil, nil
	}
	return s.db.Drafts(ctx, "", who.Name)
}

// CheckDraft says what there is to say of texts, saved or not: what is wrong
// with them, and what a release of them would be.
func (s *Shared) CheckDraft(ctx context.Context, id prompt.ID, texts registry.Texts) (registry.DraftCheck, error) {
	out := registry.DraftCheck{
		Findings: []prompt.Finding{}, Changes: []prompt.Change{}, Before: []prompt.Message{}, After: []prompt.Message{}, Variables: map[string]prompt.Variable{},
	}
	owner, err := s.drafting(ctx, id)
	if err != nil {
		return out, err
	}
	mine, err := s.db.Draft(ctx, id, owner)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return out, err
	}
	saved := err == nil
	err = s.reading(ctx, id, textsOf(texts), func(ctx context.Context, w *source.Workspace) error {
		o, err := w.Outlook(ctx, id)
		if err != nil {
			return err
		}
		fill(&out, o)
		out.Moved = saved && !maps.Equal(mine.BaseFiles, w.Before())
		return nil
	})
	return out, err
}

// textsOf are texts that are laid over the branch's own even if there are none.
func textsOf(t registry.Texts) registry.Texts {
	if t == nil {
		return registry.Texts{}
	}
	return t
}

func fill(out *registry.DraftCheck, o source.Outlook) {
	out.Findings = append(out.Findings, o.Findings...)
	out.After = append(out.After, o.Draft.Prompt.Messages...)
	out.Tokens.After = o.Draft.Prompt.EstimateTokens()
	maps.Copy(out.Variables, o.Draft.Prompt.Variables)
	if prompt.Failed(o.Findings) {
		return
	}
	out.Same, out.Required = o.Same, o.Required
	out.Changes = append(out.Changes, o.Changes...)
	if !o.Last.IsZero() {
		out.Release = o.Last.String()
		out.Before = append(out.Before, o.Before.Messages...)
		out.Tokens.Before = o.Before.EstimateTokens()
	}
	if !o.Same {
		out.Next = o.Next.String()
	}
}

// PreviewDraft renders texts with values for their variables.
func (s *Shared) PreviewDraft(ctx context.Context, id prompt.ID, texts registry.Texts, vars prompt.Vars) (registry.DraftPreview, error) {
	out := registry.DraftPreview{Messages: []prompt.Message{}, Missing: []string{}}
	if _, err := s.drafting(ctx, id); err != nil {
		return out, err
	}
	err := s.reading(ctx, id, textsOf(texts), func(ctx context.Context, w *source.Workspace) error {
		d, findings, err := w.Draft(ctx, id)
		if errors.Is(err, registry.ErrNotFound) {
			out.Problem = "there is no text yet"
			return nil
		}
		if err == nil {
			render(&out, d.Prompt, findings, vars)
		}
		return err
	})
	return out, err
}

func render(out *registry.DraftPreview, p prompt.Prompt, findings []prompt.Finding, vars prompt.Vars) {
	t, err := prompt.Compile(p)
	if err != nil {
		out.Problem = err.Error()
		if i := slices.IndexFunc(findings, func(f prompt.Finding) bool { return f.Severity == prompt.SeverityError }); i >= 0 {
			out.Problem = findings[i].String()
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.Variables)) {
		if _, ok := vars[name]; !ok && p.Variables[name].IsRequired() {
			out.Missing = append(out.Missing, name)
		}
	}
	messages, err := t.Render(vars)
	if err != nil {
		out.Problem = err.Error()
		return
	}
	out.Messages, out.Tokens = messages, prompt.Prompt{Messages: messages}.EstimateTokens()
}

// authorOf is who a commit names as its author: a person by their mail, and a
// program by its name at the mail that the server commits with.
func (s *Shared) authorOf(ctx context.Context, who registry.Caller) (string, error) {
	name, mail := who.Name, plainName(who.Name)
	if !strings.Contains(mail, "@") {
		mail = s.config.Remote.Mail()
	} else if p, err := s.db.Person(ctx, strings.ToLower(who.Name)); err == nil && p.Name != "" {
		name = p.Name
	} else if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return "", err
	}
	return plainName(name) + " <" + strings.ReplaceAll(mail, " ", "") + ">", nil
}

// plainName is a name without what git would drop or take for something else.
func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>\n\r", r) {
			return ' '
		}
		return r
	}, prompt.Visible(name))
	if name = strings.Trim(strings.Join(strings.Fields(name), " "), " .,:;\"\\'"); name == "" {
		return "somebody"
	}
	return name
}
