package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func hooksCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "Have git check prompts before it commits them",
		Long: "Two hooks, for those who want to know before they push: pre-commit tests the\n" +
			"prompts that a commit changes with recorded answers, commit-msg holds its message\n" +
			"against the form. They are in your clone alone; what decides is CI.",
		Example: examples("incipit hooks install", "incipit hooks show"),
	}
	var force bool
	install := &cobra.Command{
		Use:     "install",
		Short:   "Write the hooks into this clone",
		Example: examples("incipit hooks install", "incipit hooks install --force"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runHooksInstall(cmd.Context(), e, force) },
	}
	install.Flags().BoolVar(&force, "force", false, "write over hooks that somebody else made, or where core.hooksPath says")
	show := &cobra.Command{
		Use:     "show",
		Short:   "Print the hooks, for one's own ones to take over",
		Example: examples("incipit hooks show", "incipit hooks show --json"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runHooksShow(cmd.Context(), e) },
	}
	cmd.AddCommand(install, show)
	return cmd
}

func runHooksInstall(ctx context.Context, e *env, force bool) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	done, err := ws.InstallHooks(ctx, force)
	if err != nil {
		return err
	}
	return e.emit(nonNil(done), func(w io.Writer) {
		for _, h := range done {
			verb := "there already:"
			if h.Changed {
				verb = "wrote"
			}
			fmt.Fprintf(w, "%s %s\n", verb, prompt.Visible(h.Path))
		}
	})
}

func runHooksShow(ctx context.Context, e *env) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	repo, err := ws.Git(ctx)
	if err != nil {
		return err
	}
	texts := make(map[string]string)
	hooks := ws.Hooks(repo.Prefix)
	for _, h := range hooks {
		texts[h.Name] = string(h.Text)
	}
	return e.emit(texts, func(w io.Writer) {
		for i, h := range hooks {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "# %s\n%s", h.Name, h.Text)
		}
	})
}

func validateMessageCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "validate-message FILE",
		Short: "Check the message of a commit of prompts",
		Long: "The message begins with a kind, may name the prompt and the versions, and says what\n" +
			"changed: fix(customer-support): correct tone (1.3.1 -> 1.3.2). Where versions\n" +
			"stand they go up as the kind says: fix a patch, feat a minor version, BREAKING or\n" +
			"feat! a major one. FILE is - for standard input. The hook commit-msg runs this.",
		Example: examples("incipit validate-message .git/COMMIT_EDITMSG", "git log -1 --format=%B | incipit validate-message -"),
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return runValidateMessage(e, args[0]) },
	}
}

func runValidateMessage(e *env, name string) error {
	data, err := readMessage(e, name)
	if err != nil {
		return err
	}
	if err := source.CheckMessage(string(data)); err != nil {
		return err
	}
	return e.emit(map[string]bool{"valid": true}, func(io.Writer) {})
}

// maxMessageFile is how much is read of a message: with git commit -v the
// whole diff stands below it.
const maxMessageFile = 16 << 20

func readMessage(e *env, name string) ([]byte, error) {
	in := e.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxMessageFile+1))
	if err == nil && len(data) > maxMessageFile {
		err = registry.Errorf(prompt.ErrInvalid, "%s is larger than %d MiB", prompt.Visible(name), maxMessageFile>>20)
	}
	return data, err
}
