package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/importer"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// readPath reads a file, or those of a directory that are of the kind.
func readPath(ctx context.Context, name string, req importRequest) (prompts []importer.Prompt, notes []importer.Note, err error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s: %s", prompt.Clip(name, 200), plainCause(err)), "name a file, or a directory that has some")
	}
	dir := name
	if !fi.IsDir() {
		dir = filepath.Dir(name)
	}
	from, err := source.OpenForeign(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	req.Fallback = from.Name()
	names := []string{filepath.Base(name)}
	if fi.IsDir() {
		if names, err = filesOf(from, req.Kind); err != nil {
			return nil, nil, err
		}
	}
	for _, n := range names {
		more, said, err := readOne(ctx, from, n, req)
		if err != nil {
			return nil, nil, err
		}
		prompts, notes = append(prompts, more...), append(notes, said...)
	}
	return prompts, notes, nil
}

func plainCause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return err.Error()
}

// filesOf lists the files of a directory that are of the kind by their names,
// or of any kind.
func filesOf(from *source.Foreign, kind importer.Kind) ([]string, error) {
	entries, err := fs.ReadDir(from.Files(), ".")
	if err != nil {
		return nil, err
	}
	const most = 1000
	var names []string
	for _, entry := range entries {
		k, ok := importer.Detect(entry.Name())
		if ok && (k == kind || kind == "") && !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	switch {
	case len(names) == 0:
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the directory %s has no file whose name tells that it is a prompt of another tool", prompt.Clip(from.Name(), 120)), "name the file, and its format with --from")
	case len(names) > most:
		return nil, registry.Errorf(prompt.ErrInvalid, "the directory %s has more than %d such files", prompt.Clip(from.Name(), 120), most)
	}
	return names, nil
}

// readOne reads one file, or what it was in each commit.
func readOne(ctx context.Context, from *source.Foreign, name string, req importRequest) ([]importer.Prompt, []importer.Note, error) {
	kind, known := importer.Detect(name)
	looks := kind
	if req.Kind != "" {
		kind = req.Kind
	} else if !known {
		return nil, nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the name of %s does not tell its format", prompt.Clip(name, 120)),
			"give --from promptfoo, github, dotprompt, prompty, openai or evals")
	}
	if req.History {
		return readHistory(ctx, from, kind, name, req)
	}
	prompts, err := importer.Read(kind, from.Files(), name, req.Options)
	if err != nil && known && kind != looks {
		err = registry.WithFix(err, "its name says that it is %s: give --from %s, or nothing", looks, looks)
	}
	return prompts, nil, err
}

// readHistory reads a file as each commit that changed it left it.
func readHistory(ctx context.Context, from *source.Foreign, kind importer.Kind, name string, req importRequest) (out []importer.Prompt, notes []importer.Note, err error) {
	revisions, err := from.History(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range revisions {
		prompts, err := importer.Read(kind, r.Files, name, req.Options)
		if err != nil && req.SkipInvalid && errors.Is(err, prompt.ErrInvalid) {
			notes = append(notes, importer.Note{File: name, Text: fmt.Sprintf("commit %.12s is left out: %s", r.Commit, err)})
			continue
		}
		if err != nil {
			err = fmt.Errorf("commit %.12s: %w", r.Commit, err)
			if _, fixed := errors.AsType[*registry.FixError](err); !fixed {
				err = registry.WithFix(err, "give --skip-invalid to leave such commits out")
			}
			return nil, nil, err
		}
		for _, p := range prompts {
			out = importer.Follow(out, p, importer.Origin{Commit: r.Commit, Author: r.Author, At: r.At, Subject: r.Subject})
		}
	}
	if len(out) == 0 {
		return nil, nil, registry.Errorf(prompt.ErrInvalid, "no commit has a version of %s that could be read", prompt.Clip(name, 120))
	}
	return out, notes, nil
}
