package ci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Selected prompt is one that is looked at, and why.
type Selected struct {
	ID   prompt.ID
	Why  []string // text, included text, suite, data, recorded answers, metadata, configuration, requests, new
	Same bool     // what the model is asked and how it is judged is as it was
}

// A Change is what became of the prompts since a commit.
type Change struct {
	Selected []Selected
	Removed  []prompt.ID
}

// Changed finds the prompts whose tests could come out otherwise than at
// commit. touched are the files that differ. A prompt is followed by what it
// asks: the requests that its cases make, how the answers are judged, and the
// answers that are recorded, so that an included text or a shared table of data
// counts for every prompt that it reaches.
func (g *Gate) Changed(ctx context.Context, commit string, touched []string) (Change, error) {
	var out Change
	before, err := g.Workspace.At(ctx, commit)
	if err != nil {
		return out, err
	}
	near, err := g.reach(before, touched)
	if err != nil {
		return out, err
	}
	configured := slices.Contains(touched, source.ConfigFile) && g.configured(before)
	for _, id := range near {
		now, then := g.Candidate.Has(id), before.Has(id)
		switch {
		case now:
			s, changed, err := g.compareViews(ctx, id, before, then, touched)
			if err != nil {
				return out, fmt.Errorf("%s: %w", id, err)
			}
			if configured && then {
				s.Why, s.Same = append(s.Why, "configuration"), false
				if changed, err = g.HasSuite(id); err != nil {
					return out, err
				}
			}
			if changed {
				out.Selected = append(out.Selected, s)
			}
		case then:
			out.Removed = append(out.Removed, id)
		}
	}
	return out, nil
}

// configured reports whether the configuration has prompts tested otherwise than
// before: by another model, or with other margins. Both sides of a comparison are
// asked as the candidate's says, so nothing else would show it.
func (g *Gate) configured(before source.View) bool {
	then, err := before.Tests()
	if err != nil {
		return true
	}
	now, err := g.Candidate.Tests()
	return err != nil || !reflect.DeepEqual(then, now)
}

// compareViews holds a prompt's tests against the ones it had before.
func (g *Gate) compareViews(ctx context.Context, id prompt.ID, before source.View, existed bool, touched []string) (Selected, bool, error) {
	s := Selected{ID: id}
	if !existed {
		s.Why = []string{"new"}
		return s, true, nil
	}
	a, err := g.trace(ctx, before, id)
	if err != nil {
		// What stood there before could not be read or was not valid: everything is new.
		s.Why = []string{"text"}
		return s, true, nil //nolint:nilerr // the candidate is what is judged
	}
	b, err := g.trace(ctx, g.Candidate, id)
	if errors.Is(err, prompt.ErrInvalid) {
		s.Why = []string{"text"}
		return s, true, nil // the report says what is not valid
	}
	if err != nil {
		return s, false, err
	}
	own := path.Join(g.Workspace.Config.Prompts, string(id))
	touchedOwn := slices.ContainsFunc(touched, func(name string) bool { return path.Dir(name) == own })
	if a.digest != b.digest {
		s.Why = append(s.Why, map[bool]string{true: "text", false: "included text"}[touchedOwn])
	}
	if a.judged != b.judged {
		s.Why = append(s.Why, map[bool]string{true: "suite", false: "data"}[slices.Contains(touched, b.file)])
	}
	if len(s.Why) == 0 && a.asked != b.asked {
		s.Why = append(s.Why, "requests")
	}
	if a.recorded != b.recorded {
		s.Why = append(s.Why, "recorded answers")
	}
	if len(s.Why) == 0 && touchedOwn {
		s.Why, s.Same = []string{"metadata"}, true
	}
	return s, len(s.Why) > 0, nil
}

// A trail is what the tests of a prompt are made of.
type trail struct {
	file     string // the suite's; "" if there is none
	digest   string
	judged   string // hash of the cases
	asked    string // hash of their requests
	recorded string // hash of the answers to them
}

// trace follows a prompt in a view.
func (g *Gate) trace(ctx context.Context, v source.View, id prompt.ID) (trail, error) {
	var t trail
	d, findings, err := v.Draft(ctx, id)
	if err != nil {
		return t, err
	}
	if prompt.Failed(findings) {
		return t, registry.Errorf(prompt.ErrInvalid, "it is not valid")
	}
	if t.digest, err = d.Prompt.Digest(); err != nil {
		return t, err
	}
	s, err := g.suiteOf(v.Files, id)
	if err != nil || s == nil {
		return t, err
	}
	t.file = s.File
	spec, err := g.Ask(d.Prompt.Model)
	if err != nil {
		return t, err
	}
	target, err := suite.NewRelease(string(id), d.Prompt, spec, false)
	if err != nil {
		return t, err
	}
	keys, err := g.Runner.Keys(ctx, target, s.Cases)
	if err != nil {
		return t, err
	}
	judged := make([]string, len(s.Cases))
	for i, c := range s.Cases {
		judged[i] = c.Key
	}
	t.judged, t.asked, t.recorded = hash(judged), hash(keys), g.answers(v.Files, keys)
	return t, nil
}

func (g *Gate) answers(files fs.FS, keys []string) string {
	if g.Answers == nil {
		return ""
	}
	return g.Answers(files, keys)
}
