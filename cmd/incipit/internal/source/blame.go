package source

import (
	"context"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A BlamedLine is a line of a system message and where it came from.
type BlamedLine struct {
	Line    int    `json:"line"`
	Release string `json:"release,omitempty"` // the version that first held it; "" if none does yet
	Commit  string `json:"commit,omitempty"`  // "" for a line that is not committed
	Author  string `json:"author"`
	At      string `json:"at,omitempty"`
	Text    string `json:"text"`
}

// Blame tells for each line of a prompt's system message which release it came
// with: in the work tree, or in a release if version is given.
func (w *Workspace) Blame(ctx context.Context, id prompt.ID, version string) ([]BlamedLine, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	file, rev := path.Join(w.Config.Prompts, string(id), prompt.SystemFile), ""
	if name, ok := id.Shared(); ok {
		file = w.sharedPath(name)
	}
	if version == "" {
		if _, _, err := w.Draft(ctx, id); err != nil {
			return nil, err
		}
	} else {
		v, err := prompt.ParseVersion(version)
		if err != nil {
			return nil, err
		}
		r, err := w.ReleaseOf(ctx, id, v)
		if err != nil {
			return nil, err
		}
		rev = r.Commit
	}
	lines, err := repo.Blame(ctx, rev, file)
	if err != nil {
		return nil, err
	}
	commits := make(map[string]bool)
	var list []string
	for _, l := range lines {
		if !commits[l.Commit] && strings.Trim(l.Commit, "0") != "" {
			commits[l.Commit] = true
			list = append(list, l.Commit)
		}
	}
	tags, err := repo.ContainingTags(ctx, string(id)+"@*", list)
	if err != nil {
		return nil, err
	}
	out := make([]BlamedLine, len(lines))
	for i, l := range lines {
		out[i] = BlamedLine{Line: i + 1, Author: l.Author, Text: l.Text}
		if commits[l.Commit] {
			out[i].Commit, out[i].At = l.Commit, l.At.Format("2006-01-02T15:04:05Z")
			out[i].Release = strings.TrimPrefix(tags[l.Commit], string(id)+"@")
		} else {
			out[i].Author = "not committed"
		}
	}
	return out, nil
}
