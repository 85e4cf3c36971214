package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/scaffold"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func initCommand(e *env) *cobra.Command {
	var noCommit, dryRun bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Make a repository with two production-ready prompts",
		Long: "init makes DIR (here, without it) a Git repository that a team would keep: two\n" +
			"prompts with their contract and tests, environments, a registry, and checks for\n" +
			"CI. It commits what it writes and tags the prompts' first versions. A file that\n" +
			"exists is left as it is, and a second run changes nothing.",
		Example: examples("incipit init my-prompts", "incipit init . --no-commit"),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := e.dir
			if len(args) == 1 {
				dir = args[0]
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(e.dir, dir)
				}
			}
			return runInit(cmd.Context(), e, dir, !noCommit, dryRun)
		},
	}
	cmd.Flags().BoolVar(&noCommit, "no-commit", false, "write the files and leave the commit to you")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be written")
	return cmd
}

func runInit(ctx context.Context, e *env, dir string, commit, dryRun bool) error {
	files, err := scaffold.Workspace(scaffold.Input{Now: e.now(), Author: author(ctx, dir)})
	if err != nil {
		return err
	}
	if dryRun {
		return wouldWrite(e, dir, files)
	}
	done, err := source.Init(ctx, dir, newFiles(files), commit, e.options())
	if err != nil {
		return err
	}
	done.Written, done.Kept = nonNil(done.Written), nonNil(done.Kept)
	return e.emit(done, func(w io.Writer) {
		for _, f := range done.Written {
			fmt.Fprintf(w, "wrote %s\n", f)
		}
		for _, p := range done.Published {
			fmt.Fprintf(w, "released %s\n", p.Tag)
		}
		switch {
		case done.Pending != "":
			e.talk("Nothing is committed yet: %s\nThen: git add -A && git commit -m \"prompts as code\" && incipit publish", done.Pending)
		case len(done.Written) == 0:
			e.talk("Everything is there already; nothing was changed.")
		case !commit:
			e.talk("Nothing is committed yet. Next: git add -A && git commit -m \"prompts as code\" && incipit publish")
		default:
			e.talk("\nNext:\n  cd %s\n  incipit deploy customer-support@1.0.0 --env dev\n  incipit status", prompt.Visible(dir))
		}
	})
}

// wouldWrite lists the files that do not exist yet.
func wouldWrite(e *env, dir string, files []scaffold.File) error {
	missing := []string{}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.Path))); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f.Path)
		} else if err != nil {
			return err
		}
	}
	return e.emit(map[string]any{"written": missing, "dry_run": true}, func(w io.Writer) {
		for _, f := range missing {
			fmt.Fprintf(w, "would write %s\n", f)
		}
	})
}

func newFiles(files []scaffold.File) []source.NewFile {
	out := make([]source.NewFile, len(files))
	for i, f := range files {
		out[i] = source.NewFile(f)
	}
	return out
}

// author is who git says works in dir, or in the nearest directory above that
// exists; "" if it does not know.
func author(ctx context.Context, dir string) string {
	for abs, err := filepath.Abs(dir); err == nil; abs = filepath.Dir(abs) {
		if _, statErr := os.Stat(abs); statErr != nil && abs != filepath.Dir(abs) {
			continue
		}
		who, err := gitrepo.At(abs).Identity(ctx)
		if err != nil {
			return ""
		}
		return who.String()
	}
	return ""
}

func newCommand(e *env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "new ID",
		Short:   "Make the files of a new prompt",
		Example: examples("incipit new order-status", "incipit new billing/refunds"),
		Args:    cobra.ExactArgs(1),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runNew(ctx, e, id, dryRun)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be written")
	return cmd
}

func runNew(ctx context.Context, e *env, id prompt.ID, dryRun bool) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	if _, shared := id.Shared(); shared {
		return registry.Errorf(prompt.ErrInvalid, "%s names an included text; write the file %s/%s.txt", id, ws.Config.Prompts, id)
	}
	files, err := scaffold.Prompt(ws.Config.Prompts, string(id), scaffold.Input{Now: e.now(), Author: author(ctx, ws.Dir)})
	if err != nil {
		return err
	}
	if dryRun {
		if err := ws.Absent(id); err != nil {
			return err
		}
		return wouldWrite(e, ws.Dir, files)
	}
	written, err := ws.Create(id, newFiles(files))
	if err != nil {
		return err
	}
	return e.emit(map[string]any{"prompt": id, "written": written}, func(w io.Writer) {
		for _, f := range written {
			fmt.Fprintf(w, "wrote %s\n", f)
		}
		e.talk("\nNext: edit %s/%s/%s, then\n  incipit validate %s\n  incipit release %s --minor -m \"first version\"", ws.Config.Prompts, id, prompt.SystemFile, id, id)
	})
}
