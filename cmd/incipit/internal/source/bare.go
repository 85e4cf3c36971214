package source

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// OpenBare opens what a bare repository holds in the commit that its HEAD names
// now, below the directory within ("" is its top). It can be read like any
// workspace, stays at that commit, and cannot be changed. incipit.yaml is read
// from there. A repository without a commit holds nothing yet.
func OpenBare(ctx context.Context, repo *gitrepo.Repo, within string, opts Options) (*Workspace, error) {
	within, err := cleanWithin(within)
	if err != nil {
		return nil, err
	}
	in := *repo
	in.Prefix = within
	w := &Workspace{Dir: repo.GitDir, Config: DefaultConfig(), now: opts.Now, notify: opts.Notify, repo: &in, bare: &in, tree: embed.FS{}}
	if w.notify == nil {
		w.notify = func(string) {}
	}
	o, err := w.reader(ctx)
	if err == nil {
		w.head, err = o.Head()
	}
	if err == nil && w.head != "" {
		w.tree = in.Tree(o, w.head)
		err = w.readConfig()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// maxReleaseFile is above the bounds of all files of a prompt, in bytes.
const maxReleaseFile = 1 << 20

// cleanWithin is a directory inside a repository with a slash at its end.
func cleanWithin(dir string) (string, error) {
	if dir == "" || dir == "." {
		return "", nil
	}
	dir = strings.TrimSuffix(dir, "/")
	if !fs.ValidPath(dir) || strings.HasPrefix(dir, "-") || strings.Contains(dir, ":") || prompt.Visible(dir) != dir {
		return "", registry.Errorf(prompt.ErrInvalid, "%q must be a directory inside the repository, such as services/prompts", prompt.Clip(dir, 80))
	}
	return path.Clean(dir) + "/", nil
}

func (w *Workspace) readConfig() error {
	data, err := fs.ReadFile(w.tree, ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		w.Config, err = ParseConfig(data)
	}
	return err
}

// Commit is the commit that a bare workspace was opened at, and "" before the
// first.
func (w *Workspace) Commit() string { return w.head }

// committedRegistry reads the registry of a bare workspace's commit.
func (w *Workspace) committedRegistry() (*Registry, error) {
	data, err := fs.ReadFile(w.tree, w.RegistryPath())
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte("{}\n")
	} else if err != nil {
		return nil, err
	}
	return parseRegistry(data, w.RegistryPath())
}

// Deployments is what the registry says runs where: prompt → environment →
// the end of what happened there. One that cannot be read is an error: to leave
// it out would look like nothing runs.
func (w *Workspace) Deployments(ctx context.Context) (map[prompt.ID]map[string]registry.Track, error) {
	reg, err := w.Registry()
	if err != nil {
		return nil, err
	}
	out := make(map[prompt.ID]map[string]registry.Track)
	for _, id := range reg.IDs() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e, err := reg.Entry(id)
		if err != nil {
			return nil, err
		}
		for env := range e.Deployments {
			track, err := e.Track(env)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
			if len(track) == 0 {
				continue
			}
			if out[id] == nil {
				out[id] = make(map[string]registry.Track)
			}
			out[id][env] = track
		}
	}
	return out, nil
}
