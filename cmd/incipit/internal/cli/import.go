package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/importer"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An importRequest is what import was asked for.
type importRequest struct {
	importer.Options
	Kind        importer.Kind // "" tells it by each file's name
	Paths       []string
	History     bool
	SkipInvalid bool
	Renumber    bool
	DryRun      bool
}

func importCommand(e *env) *cobra.Command {
	var (
		req  importRequest
		from string
	)
	cmd := &cobra.Command{
		Use:   "import [--from KIND] PATH…",
		Short: "Release the prompts of another tool here, with their tests and history",
		Long: "import reads prompts in the formats of other tools and releases them: one release\n" +
			"for each version that the source has, or, with --history, for each commit that\n" +
			"changed the file. Everything is read, validated and numbered first; if any version\n" +
			"is not valid, nothing is written. What could not be taken over is told. An import\n" +
			"that was interrupted is finished by running it again.\n\n" +
			"KIND is promptfoo, github, dotprompt, prompty, openai or evals; without it the\n" +
			"file's name decides. A directory stands for the files of the kind in it.",
		Example: examples("incipit import promptfooconfig.yaml --id support --dry-run", "incipit import --from prompty --history ../other/summarize.prompty"),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if from != "" {
				if req.Kind, err = importer.ParseKind(from); err != nil {
					return err
				}
			}
			req.Paths = args
			return runImport(cmd.Context(), e, req)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&from, "from", "", "the format, a `KIND`; without it the file's name decides")
	fl.StringVar(&req.ID, "id", "", "call the prompt `ID`; without it the file's name is taken")
	fl.StringVar(&req.Model, "model", "", "the `MODEL` of a prompt whose source names none")
	fl.StringVar(&req.System, "system", "", "the system message, as `TEXT`, of a prompt that has none")
	fl.StringVar(&req.Match, "match", "", "`HOW` the samples of evals are matched: starts-with (as if nothing is said), equals or contains")
	fl.BoolVar(&req.History, "history", false, "one release for each commit that changed the file")
	fl.BoolVar(&req.SkipInvalid, "skip-invalid", false, "leave out versions that are not valid, and say which")
	fl.BoolVar(&req.Renumber, "renumber", false, "count versions anew from 1.0.0, whatever the source calls them")
	fl.BoolVar(&req.DryRun, "dry-run", false, "show what would be released")
	complete(cmd, "from", kindNames(importer.Kinds())...)
	complete(cmd, "match", "starts-with", "equals", "contains")
	return cmd
}

func kindNames(ks []importer.Kind) []string {
	out := make([]string, len(ks))
	for i, k := range ks {
		out[i] = string(k)
	}
	return out
}

// An importResult is what import prints.
type importResult struct {
	Versions []source.Imported `json:"versions"`
	Notes    []importer.Note   `json:"notes"`
	DryRun   bool              `json:"dry_run,omitempty"`
}

func runImport(ctx context.Context, e *env, req importRequest) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	prompts, notes, err := e.readForeign(ctx, req)
	if err != nil {
		return err
	}
	versions, more, err := toImport(prompts, req)
	if err != nil {
		return err
	}
	out := importResult{Notes: nonNil(append(notes, more...)), DryRun: req.DryRun}
	if out.Versions, err = ws.Import(ctx, versions, req.DryRun); err != nil {
		return err
	}
	for _, n := range out.Notes {
		e.talk("note: %s", visibleLines(n.String()))
	}
	return e.emit(out, func(w io.Writer) { printImport(w, e, out) })
}

func printImport(w io.Writer, e *env, r importResult) {
	done := 0
	for _, v := range r.Versions {
		switch {
		case v.Same:
			e.talk("%s has it already: %s", v.Tag, prompt.Visible(v.From))
			continue
		case r.DryRun:
			fmt.Fprintf(w, "would release %s from %s\n", v.Tag, prompt.Visible(v.From))
			for _, c := range v.Changes {
				fmt.Fprintf(w, "  %-6s %s\n", c.Bump, prompt.Visible(c.Detail))
			}
			files, _ := v.Plan()
			for _, f := range files {
				fmt.Fprintf(w, "  writes %s\n", f)
			}
		default:
			fmt.Fprintf(w, "%s released, commit %.12s, from %s\n", v.Tag, v.Commit, prompt.Visible(v.From))
		}
		done++
	}
	switch {
	case done == 0:
		e.talk("Everything is here already; nothing was changed.")
	case !r.DryRun:
		e.talk("Next: see what the notes say, then git push --follow-tags")
	}
}

// toImport gives each version its files and its message.
func toImport(prompts []importer.Prompt, req importRequest) (out []source.ImportedVersion, notes []importer.Note, err error) {
	for _, p := range prompts {
		said := make(map[string]bool) // what holds for one version often holds for all
		for _, v := range p.Versions {
			if _, findings, err := v.Draft(p.ID, string(p.ID), prompt.Version{Major: 1}); err == nil && req.SkipInvalid && prompt.Failed(findings) {
				notes = append(notes, importer.Note{File: v.File, Line: v.Line, Text: fmt.Sprintf("%s is left out: %s: %s", v, findings[0].Code, findings[0].Message)})
				continue
			}
			for _, n := range v.Notes {
				if !said[n.Text] {
					said[n.Text] = true
					notes = append(notes, n)
				}
			}
			files, err := v.Files(prompt.Version{Major: 1})
			if err != nil {
				return nil, nil, err
			}
			one := source.ImportedVersion{Prompt: p.ID, Version: v.Number, Message: v.Message(), From: v.String(), Files: importedFiles(files), Suite: v.Suite, Extras: importedFiles(v.Extras)}
			if req.Renumber {
				one.Version = ""
			}
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, nil, registry.Errorf(prompt.ErrInvalid, "no version is valid as a prompt here")
	}
	return out, notes, nil
}

func importedFiles(files []importer.File) []source.NewFile {
	out := make([]source.NewFile, len(files))
	for i, f := range files {
		out[i] = source.NewFile(f)
	}
	return out
}

// readForeign reads the files that were named, and those of directories.
func (e *env) readForeign(ctx context.Context, req importRequest) (prompts []importer.Prompt, notes []importer.Note, err error) {
	for _, arg := range req.Paths {
		if !filepath.IsAbs(arg) {
			arg = filepath.Join(e.dir, arg)
		}
		more, said, err := readPath(ctx, arg, req)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range more {
			if slices.ContainsFunc(prompts, func(q importer.Prompt) bool { return q.ID == p.ID }) {
				return nil, nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "two files would become the prompt %s", p.ID), "import them one by one, each with --id")
			}
			prompts = append(prompts, p)
		}
		notes = append(notes, said...)
	}
	return prompts, notes, nil
}
