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

	"github.com/incipit-dev/incipit/cmd/incipit/internal/importer"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func exportCommand(e *env) *cobra.Command {
	var to, out string
	cmd := &cobra.Command{
		Use:   "export --to KIND ID[@VERSION] [--out FILE]",
		Short: "Write a prompt in the format of another tool",
		Long: "export writes a release, or the work tree's prompt without a version, as\n" +
			"promptfoo, github, dotprompt, prompty or openai. What it wrote it reads back: a\n" +
			"message that would be another one is refused, and anything else that the format\n" +
			"cannot hold is named. Includes are expanded; the suite stays.",
		Example:           examples("incipit export --to github customer-support@1.0.0 --out support.prompt.yml", "incipit export --to prompty data-extraction"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, version, err := parseRef(args[0])
			if err != nil {
				return err
			}
			kind, err := importer.ParseKind(to)
			if err != nil {
				return err
			}
			return runExport(cmd.Context(), e, kind, id, version, out)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the format, a `KIND`: promptfoo, github, dotprompt, prompty or openai")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write to `FILE`, which must not exist; without it, to standard output")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag was just defined
	}
	complete(cmd, "to", kindNames(importer.Kinds()[:5])...)
	return cmd
}

// An exportResult is what export tells of a file that it wrote.
type exportResult struct {
	File   string        `json:"file,omitempty"`
	Kind   importer.Kind `json:"kind"`
	Text   string        `json:"text,omitempty"` // without a file
	Losses []string      `json:"losses"`
}

func runExport(ctx context.Context, e *env, kind importer.Kind, id prompt.ID, version, file string) error {
	s, err := e.read(ctx, id, version)
	if err != nil {
		return err
	}
	got, err := importer.Export(kind, s.Prompt, s.Metadata)
	if err != nil {
		return err
	}
	for _, l := range got.Losses {
		e.talk("lost: %s", prompt.Visible(l))
	}
	r := exportResult{File: file, Kind: kind, Losses: nonNil(got.Losses)}
	if file == "" {
		r.Text = string(got.Data)
		return e.emit(r, func(w io.Writer) {
			if e.outTTY {
				r.Text = prompt.Visible(r.Text)
			}
			fmt.Fprint(w, r.Text)
		})
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(e.dir, file)
	}
	if err := writeNewFile(file, got.Data); err != nil {
		return err
	}
	return e.emit(r, func(w io.Writer) { fmt.Fprintf(w, "wrote %s\n", prompt.Visible(r.File)) })
}

// writeNewFile writes a file where there is none.
func writeNewFile(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists already", prompt.Clip(name, 200)), "choose another file, or remove it first")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}
