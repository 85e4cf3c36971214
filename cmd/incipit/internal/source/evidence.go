package source

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// EvidenceNotes is where evidence is kept without a server: Git notes on the
// commits that were tested, one envelope a line. They travel by
// git push origin refs/notes/incipit-evidence, and never with a branch.
const EvidenceNotes = "refs/notes/incipit-evidence"

// clockSkew is how far the clock of whoever signs may be ahead of ours.
const clockSkew = 10 * time.Minute

// What is read of notes: anybody who may push may write one.
const (
	maxNotes = 20_000
	maxNote  = 1 << 20 // bytes of one
)

// Evidence lists the newest evidence of each digest and kind of a prompt, the
// oldest first. Where the workspace trusts keys, it is what they signed; what
// others wrote is not there, so that it cannot hide a signed word.
func (w *Workspace) Evidence(ctx context.Context, id prompt.ID) ([]registry.Evidence, error) {
	notes, err := w.place().Notes(ctx, EvidenceNotes)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	o, err := w.reader(ctx)
	if err != nil {
		return nil, err
	}
	if len(notes) > maxNotes {
		return nil, registry.Errorf(prompt.ErrInvalid, "%s has %d notes, at most %d are read", EvidenceNotes, len(notes), maxNotes)
	}
	var all []registry.Evidence
	for _, n := range notes {
		lines, err := noteLines(o, n.Blob)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			all = append(all, w.noted(id, line)...)
		}
	}
	return newest(all), nil
}

// noteLines are the lines of a note; one that is too large, or gone, has none.
func noteLines(o *gitrepo.Objects, blob string) ([]string, error) {
	obj, err := o.GetAtMost(blob, maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	text := strings.TrimSpace(string(obj.Data))
	if err != nil || obj.Type != "blob" || text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), nil
}

// noted is the evidence that a line of a note is for a prompt: none if it
// cannot be read or believed. A gate then says that it is missing.
func (w *Workspace) noted(id prompt.ID, line string) []registry.Evidence {
	envelope, err := evidence.ParseEnvelope([]byte(line))
	if err != nil {
		return nil
	}
	s, err := envelope.Statement()
	if err != nil || s.Prompt != id || s.At.After(w.now().Add(clockSkew)) {
		return nil
	}
	by := "Git notes, unsigned"
	signer := ""
	if len(w.Config.EvidenceKeys) > 0 {
		var key evidence.PublicKey
		if s, key, err = envelope.Open(w.Config.EvidenceKeys); err != nil {
			return nil
		}
		by, signer = key.ID(), key.ID()
	}
	var out []registry.Evidence
	for _, r := range s.Results() {
		out = append(out, registry.Evidence{
			ID: s.ReportHash, Prompt: id, Digest: s.Digest, Kind: r.Kind, Passed: r.Passed,
			Note: s.String(), By: by, At: s.At, Statement: []byte(line), SignedBy: signer,
		})
	}
	return out
}

// newest keeps the last word about each digest and kind. Of two of the same
// second the worse one counts.
func newest(all []registry.Evidence) []registry.Evidence {
	slices.SortStableFunc(all, func(a, b registry.Evidence) int {
		if c := a.At.Compare(b.At); c != 0 || a.Passed == b.Passed {
			return c
		}
		if a.Passed {
			return -1
		}
		return 1
	})
	seen := make(map[[2]string]bool)
	var out []registry.Evidence
	for _, e := range slices.Backward(all) {
		if about := [2]string{e.Digest, e.Kind}; !seen[about] {
			seen[about] = true
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

// NoteEvidence hangs envelopes on the commit that was tested, beside those that
// hang there. A line that is there already is not written again.
func (w *Workspace) NoteEvidence(ctx context.Context, commit string, envelopes []evidence.Envelope) error {
	return w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		o, err := w.reader(ctx)
		if err != nil {
			return err
		}
		c, err := o.Commit(commit)
		if err != nil {
			return registry.WithFix(registry.Errorf(registry.ErrNotFound, "the commit %s that was tested is not here", prompt.Clip(commit, 60)), "git fetch, then file the evidence again")
		}
		notes, err := repo.Notes(ctx, EvidenceNotes)
		if err != nil {
			return err
		}
		var lines []string
		if i := slices.IndexFunc(notes, func(n gitrepo.Note) bool { return n.Commit == c.ID }); i >= 0 {
			if lines, err = noteLines(o, notes[i].Blob); err != nil {
				return err
			}
		}
		had := len(lines)
		for _, e := range envelopes {
			line, err := e.Bytes()
			if err != nil {
				return err
			}
			if !slices.Contains(lines, string(line)) {
				lines = append(lines, string(line))
			}
		}
		if len(lines) == had {
			return nil
		}
		text := strings.Join(lines, "\n") + "\n"
		if len(text) > maxNote {
			return registry.Errorf(prompt.ErrInvalid, "the evidence of commit %.12s would be larger than %d bytes", c.ID, maxNote)
		}
		return repo.SetNote(ctx, EvidenceNotes, c.ID, text)
	})
}
