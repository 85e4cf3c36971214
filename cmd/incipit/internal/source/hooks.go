package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Hook is a file that git runs before it commits.
type Hook struct {
	Path    string `json:"path"`    // absolute
	Changed bool   `json:"changed"` // it was written; else it was there already
}

// InstallHooks writes the hooks pre-commit and commit-msg into the repository's
// own directory of hooks, which no branch can change. It reports ErrConflict,
// and writes nothing, where somebody's own hook is there or core.hooksPath
// names another directory; with force it writes there.
func (w *Workspace) InstallHooks(ctx context.Context, force bool) ([]Hook, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if err := repo.Ready(); repo.Bare {
		return nil, err
	}
	dir, own, err := repo.HooksDir(ctx)
	if err != nil {
		return nil, err
	}
	if !own && !force {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "core.hooksPath has git look for hooks in %s, which others may share", prompt.Visible(dir)),
			"add the lines of incipit hooks show to the hooks there, or give --force to write them")
	}
	hooks := w.Hooks(repo.Prefix)
	var out []Hook
	for _, h := range hooks {
		full := filepath.Join(dir, h.Name)
		was, err := readAtMost(full, maxMessage)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil && !bytes.Equal(was, h.Text) && !bytes.Contains(was, []byte(hookMark)) && !force {
			return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is somebody's own hook", prompt.Visible(full)),
				"add the lines of incipit hooks show to it, or give --force to write it over")
		}
		out = append(out, Hook{full, err != nil || !bytes.Equal(was, h.Text)})
	}
	return out, writeHooks(dir, hooks, out)
}

func writeHooks(dir string, hooks []HookFile, out []Hook) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // a hook that is a link must not lead the write elsewhere
	if err != nil {
		return err
	}
	defer root.Close()
	for i, h := range hooks {
		if !out[i].Changed {
			continue
		}
		if err := replaceFile(root, h.Name, h.Text, 0o755); err != nil {
			return fmt.Errorf("%s: %w", out[i].Path, err)
		}
	}
	return nil
}

// hookMark tells our hooks from others.
const hookMark = "# Written by incipit hooks install."

// A HookFile is a hook by its name and its text.
type HookFile struct {
	Name string
	Text []byte
}

// Hooks are the texts of the hooks of a workspace that lies at prefix in its
// repository. A commit that touches no prompt is let through by git alone.
func (w *Workspace) Hooks(prefix string) []HookFile {
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	at := func(name string) string { return quoted(":(top,literal)" + path.Join(prefix, name)) }
	untouched := "git diff --cached --quiet -- " + at(w.Config.Prompts) + " "
	in := "-C " + quoted("./"+strings.TrimSuffix(prefix, "/"))
	text := func(what, paths, command string) []byte {
		return []byte("#!/bin/sh\n" + hookMark + " " + what + "\n" + untouched + paths + "&& exit 0\nexec incipit " + in + " " + command + "\n")
	}
	return []HookFile{
		{"pre-commit", text("It tests the prompts that a commit changes, with recorded answers.",
			at(w.Config.Tests.Directory)+" "+at(w.Config.Tests.Cassettes)+" "+at(ConfigFile)+" ", "ci --staged --mode replay")},
		{"commit-msg", text("It holds the message of a commit of prompts against the form: fix(id): what changed.",
			"", `validate-message "$1"`)},
	}
}
