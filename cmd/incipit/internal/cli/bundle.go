package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func bundleCommand(e *env) *cobra.Command {
	var environment, out string
	cmd := &cobra.Command{
		Use:   "bundle [ID…] --env ENV --out FILE",
		Short: "Write what an environment runs into a file that an application embeds",
		Long: "bundle writes the prompts that run in an environment, or those that are named, with\n" +
			"their texts. An application embeds the file with go:embed and gives it to the\n" +
			"SDK, which serves it while neither server nor disk copy can be had.",
		Example: examples("incipit bundle --env production --out prompts.bundle",
			"incipit bundle customer-support --env production --out support.bundle"),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]prompt.ID, len(args))
			for i, a := range args {
				var err error
				if ids[i], err = prompt.ParseID(a); err != nil {
					return err
				}
			}
			return runBundle(cmd.Context(), e, environment, out, ids)
		},
	}
	envFlag(cmd, e, &environment, "of this `ENV`ironment")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write it to `FILE`")
	for _, name := range []string{"env", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was just defined
		}
	}
	return cmd
}

// A bundled is what was written.
type bundled struct {
	File        string      `json:"file"`
	Environment string      `json:"environment"`
	Revision    int64       `json:"revision"`
	Prompts     []prompt.ID `json:"prompts"`
	Bytes       int         `json:"bytes"`
}

func runBundle(ctx context.Context, e *env, environment, out string, ids []prompt.ID) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	snap, err := svc.Snapshot(ctx, environment, ids...)
	if err != nil {
		return err
	}
	if len(snap.Prompts) == 0 {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "nothing runs in %s", environment), "incipit deploy ID@VERSION --env %s", environment)
	}
	data, err := registry.EncodeCopy(snap, e.now())
	if err != nil {
		return err
	}
	if err := writeWhole(out, data); err != nil {
		return err
	}
	b := bundled{File: out, Environment: environment, Revision: snap.Revision, Prompts: sortedIDs(snap.Prompts), Bytes: len(data)}
	return e.emit(b, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s of %s, %d bytes\n", prompt.Visible(out), words.Count(len(b.Prompts), "prompt"), environment, b.Bytes)
	})
}

// writeWhole writes a file so that it is there whole or not at all.
func writeWhole(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".incipit-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func sortedIDs[T any](m map[prompt.ID]T) []prompt.ID { return slices.Sorted(maps.Keys(m)) }
