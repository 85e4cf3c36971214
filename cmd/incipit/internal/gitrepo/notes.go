package gitrepo

import (
	"context"
	"errors"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Note is a text that hangs on a commit without being part of it.
type Note struct {
	Commit string // the id of what it hangs on
	Blob   string // the id of the text
}

// Notes lists the notes of ref, such as refs/notes/incipit-evidence. There are
// none where there is no such ref.
func (r *Repo) Notes(ctx context.Context, ref string) ([]Note, error) {
	if err := checkNotes(ref); err != nil {
		return nil, err
	}
	out, err := r.read(ctx, "notes", "--ref="+ref, "list")
	if err != nil {
		return nil, err
	}
	var notes []Note
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		if blob, commit, ok := strings.Cut(line, " "); ok {
			notes = append(notes, Note{commit, blob})
		}
	}
	return notes, nil
}

// SetNote hangs text on commit in place of the note that ref has there. Git
// takes away spaces at the ends of lines and empty lines at the end.
func (r *Repo) SetNote(ctx context.Context, ref, commit, text string) error {
	if err := errors.Join(checkNotes(ref), checkRev(commit)); err != nil {
		return err
	}
	_, err := r.run(ctx, []byte(text), "notes", "--ref="+ref, "add", "--force", "--file=-", "--end-of-options", commit)
	return err
}

// checkNotes keeps the name from being one that git completes to another ref.
func checkNotes(ref string) error {
	if !strings.HasPrefix(ref, "refs/notes/") {
		return errors.Join(errors.New(prompt.Clip(ref, 80)+" is no ref of notes"), prompt.ErrInvalid)
	}
	return checkRev(ref)
}
