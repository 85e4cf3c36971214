package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func registryCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "registry",
		Short:   "Export, import or rebuild the registry",
		Example: examples("incipit registry export", "incipit registry rebuild"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var plain bool
	export := &cobra.Command{
		Use:     "export",
		Short:   "Print the registry",
		Example: examples("incipit registry export > registry.json", "incipit registry export --plain"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRegistryExport(cmd.Context(), e, plain) },
	}
	export.Flags().BoolVar(&plain, "plain", false, "leave out Incipit's own fields: history, rollouts, digests")
	var (
		dryRun  bool
		confirm []string
	)
	load := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in what another registry file says",
		Long: "import registers the prompts of FILE and deploys what it says runs where, under\n" +
			"the rules of deploy. If one of them does not hold, nothing is taken in.",
		Example: examples("incipit registry import old-registry.json", "incipit registry import -"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRegistryImport(cmd.Context(), e, args[0], confirm, dryRun)
		},
	}
	rebuild := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the index of releases anew, from the tags",
		Long: "rebuild reads what is released from Git. What runs where cannot be rebuilt: it is\n" +
			"kept, and taken from the last readable commit if the file is damaged.",
		Example: examples("incipit registry rebuild", "incipit registry rebuild --json"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRegistryRebuild(cmd.Context(), e, dryRun) },
	}
	for _, c := range []*cobra.Command{load, rebuild} {
		c.Flags().BoolVar(&dryRun, "dry-run", false, "show what would happen")
	}
	load.Flags().StringSliceVar(&confirm, "confirm", nil, "confirm protected environments by their `NAMES`")
	cmd.AddCommand(export, load, rebuild)
	return cmd
}

func runRegistryExport(ctx context.Context, e *env, plain bool) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	data, err := svc.Export(ctx)
	if err != nil {
		return err
	}
	if !plain {
		return e.writeJSON(data)
	}
	reg, err := source.ParseRegistry(data, "registry.json")
	if err != nil {
		return err
	}
	out, err := reg.Plain()
	if err != nil {
		return err
	}
	e.json = "*"
	return e.emit(out, nil)
}

func runRegistryImport(ctx context.Context, e *env, name string, confirm []string, dryRun bool) error {
	in := e.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	const limit = 128 << 20
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return err
	}
	if len(data) > limit {
		return registry.Errorf(prompt.ErrInvalid, "%s is larger than %d bytes", prompt.Visible(name), limit)
	}
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	got, err := svc.Import(ctx, registry.ImportRequest{Name: name, Data: data, Confirm: confirm, DryRun: dryRun})
	if err != nil {
		return err
	}
	return e.emit(got, func(w io.Writer) {
		switch {
		case len(got.Prompts) == 0:
			fmt.Fprintln(w, "the registry has all of it already")
		case dryRun:
			fmt.Fprintf(w, "would import %s\n", words.Count(len(got.Prompts), "prompt"))
		default:
			fmt.Fprintf(w, "imported %s, commit %.12s\n", words.Count(len(got.Prompts), "prompt"), got.Commit)
		}
	})
}

func runRegistryRebuild(ctx context.Context, e *env, dryRun bool) error {
	far, err := e.remote(ctx)
	if err != nil {
		return err
	}
	if far != nil {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a server indexes the tags by itself: there is nothing to rebuild"), "incipit sync has it read Git now; --server none rebuilds the file of the workspace")
	}
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	n, changed, commit, err := ws.Rebuild(ctx, dryRun)
	if err != nil {
		return err
	}
	return e.emit(map[string]any{"prompts": n, "changed": changed, "commit": commit}, func(w io.Writer) {
		switch {
		case !changed:
			fmt.Fprintf(w, "the index of %s agrees with the tags already\n", words.Count(n, "prompt"))
		case dryRun:
			fmt.Fprintf(w, "would rebuild the index of %s\n", words.Count(n, "prompt"))
		case commit == "":
			fmt.Fprintf(w, "rebuilt the index of %s; the last commit has all of it\n", words.Count(n, "prompt"))
		default:
			fmt.Fprintf(w, "rebuilt the index of %s, commit %.12s\n", words.Count(n, "prompt"), commit)
		}
	})
}
