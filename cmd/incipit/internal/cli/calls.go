package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func callsCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "Rate, export or delete what was recorded of single calls",
		Example: examples("incipit calls rate resp_68f1 --score 4",
			"incipit calls delete --subject user-12 --confirm"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(callsRateCommand(e), callsExportCommand(e), callsDeleteCommand(e))
	return cmd
}

func callsDeleteCommand(e *env) *cobra.Command {
	var (
		subject   string
		confirmed bool
	)
	cmd := &cobra.Command{
		Use:   "delete --subject SUBJECT --confirm",
		Short: "Delete what was recorded of a person's calls",
		Long: "delete forgets the calls of a subject, with their feedback, tags and contents, and\n" +
			"says how many there were. It cannot be undone. Statistics stay: they name\n" +
			"nobody. Calls that the subject makes later are recorded again. The audit log\n" +
			"tells that calls were deleted, and not whose.",
		Example: examples("incipit calls delete --subject user-12 --confirm", "incipit calls delete --subject user-12 --confirm --json"),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCallsDelete(cmd.Context(), e, subject, confirmed)
		},
	}
	cmd.Flags().StringVar(&subject, "subject", "", "of this `SUBJECT`, as the application named it")
	cmd.Flags().BoolVar(&confirmed, "confirm", false, "delete them without being asked")
	if err := cmd.MarkFlagRequired("subject"); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

func runCallsDelete(ctx context.Context, e *env, subject string, confirmed bool) error {
	if subject == "" {
		return registry.Errorf(prompt.ErrInvalid, "whose calls? The subject is empty")
	}
	c, err := e.recorder(ctx)
	if err != nil {
		return err
	}
	if !confirmed && e.talkTTY {
		typed, err := e.ask(ctx, fmt.Sprintf("All calls of %s will be deleted, for good. Type delete to go on: ", prompt.Visible(prompt.Clip(subject, 80))))
		if err != nil {
			return err
		}
		confirmed = typed == "delete"
	}
	if !confirmed {
		return registry.WithFix(registry.Errorf(registry.ErrUnconfirmed, "nothing was deleted: to delete calls must be confirmed"), "add --confirm")
	}
	n, err := c.Erase(ctx, subject)
	if err != nil {
		return err
	}
	return e.emit(api.Erased{Erased: n}, func(w io.Writer) { fmt.Fprintf(w, "%s deleted\n", words.Count(int(n), "call")) })
}

// recorder is the client of the server that records calls.
func (e *env) recorder(ctx context.Context) (*api.Client, error) {
	_, err := e.serverAddress(ctx)
	if fix, ok := errors.AsType[*registry.FixError](err); ok {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "calls are recorded by a server: which one?"), "%s", fix.Fix)
	}
	if err != nil {
		return nil, err
	}
	return e.remote(ctx)
}
