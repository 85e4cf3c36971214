package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	paired "github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxReport is how large a report may be that is read again, in bytes.
const maxReport = 64 << 20

// A filedEvidence is what was filed of one prompt of a report.
type filedEvidence struct {
	Prompt   prompt.ID `json:"prompt"`
	Digest   string    `json:"digest"`
	Tests    string    `json:"tests"`
	Compared string    `json:"comparison"`
	SignedBy string    `json:"signed_by,omitempty"` // "" if it is not signed
	Commit   string    `json:"commit,omitempty"`    // that the note hangs on; "" on a server

	line string
}

func readReport(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err == nil && len(data) > maxReport {
		err = registry.Errorf(prompt.ErrInvalid, "%s is larger than %d MiB", prompt.Visible(name), maxReport>>20)
	}
	return data, err
}

// submitReport files what the report in data, which is JSON, says of each
// prompt that was tested, and reports ErrInvalid if that is nothing. keyFile is
// as in fileStatements.
func submitReport(ctx context.Context, e *env, data []byte, keyFile string) ([]filedEvidence, error) {
	r, err := report.Read(data)
	if err != nil {
		return nil, err
	}
	filed, err := e.fileStatements(ctx, r, reportHash(data), keyFile)
	if err == nil && len(filed) == 0 {
		err = registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the report holds no prompt that was tested to the end"), "run incipit ci, and look at what its report says")
	}
	return filed, err
}

// fileReport files what a report says that was just made, signed by the key in
// INCIPIT_EVIDENCE_KEY, and tells the person what.
func (e *env) fileReport(ctx context.Context, r report.Report) error {
	data, err := r.JSON()
	if err != nil {
		return err
	}
	filed, err := e.fileStatements(ctx, r, reportHash(data), "")
	for _, f := range filed {
		e.talk("evidence of %s: %s, filed for %.19s", f.Prompt, f.line, f.Digest)
	}
	return err
}

// fileStatements files what a report says of each prompt that was tested: on
// the server, or without one as Git notes. keyFile is whose key signs; "" is
// INCIPIT_EVIDENCE_KEY, and without one nothing is signed. Of what was not
// tested to the end nothing is filed, which is no error.
func (e *env) fileStatements(ctx context.Context, r report.Report, hash, keyFile string) ([]filedEvidence, error) {
	keys, err := e.evidenceKey(keyFile)
	if err != nil {
		return nil, err
	}
	statements, untold := statementsOf(r, hash, e.now())
	for _, why := range untold {
		e.talk("no evidence of %s", why)
	}
	if len(statements) == 0 {
		return nil, nil
	}
	if len(keys) == 0 {
		e.talk("The evidence is not signed: where keys are trusted, no gate believes it. incipit evidence key makes a key.")
	}
	var filed []filedEvidence
	var envelopes []evidence.Envelope
	for _, s := range statements {
		envelope, err := evidence.Seal(s, keys...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Prompt, err)
		}
		f := filedEvidence{Prompt: s.Prompt, Digest: s.Digest, Tests: s.Kinds.Tests, Compared: s.Kinds.Comparison, line: s.String()}
		if len(keys) > 0 {
			f.SignedBy = keys[0].Public().ID()
		}
		filed, envelopes = append(filed, f), append(envelopes, envelope)
	}
	if err := e.fileAll(ctx, r.Commit, statements, envelopes, filed); err != nil {
		return nil, err
	}
	return filed, nil
}

// fileAll files the envelopes of statements where the registry is.
func (e *env) fileAll(ctx context.Context, commit string, statements []evidence.Statement, envelopes []evidence.Envelope, filed []filedEvidence) error {
	far, err := e.remote(ctx)
	if err != nil {
		return err
	}
	if far == nil {
		ws, err := e.workspace(ctx)
		if err != nil {
			return err
		}
		if commit == "" {
			commit = "HEAD"
		}
		for i := range filed {
			filed[i].Commit = commit
		}
		return ws.NoteEvidence(ctx, commit, envelopes)
	}
	for i, s := range statements {
		raw, err := envelopes[i].Bytes()
		if err != nil {
			return err
		}
		body := api.EvidenceRequest{Prompt: s.Prompt, Digest: s.Digest, Kind: registry.KindTests, Passed: s.Kinds.Tests == evidence.TestsPassed, Statement: raw}
		if err := far.Send(ctx, http.MethodPost, "/v1/evidence", body, nil); err != nil {
			return fmt.Errorf("%s: %w", s.Prompt, err)
		}
	}
	return nil
}

// statementsOf makes a statement of each prompt that was tested to the end.
// untold says of the others why nothing can be said.
func statementsOf(r report.Report, hash string, at time.Time) (out []evidence.Statement, untold []string) {
	for _, p := range r.Prompts {
		switch {
		case p.Run == nil || p.Run.Passed+p.Run.Failed+p.Run.Errors == 0:
			untold = append(untold, fmt.Sprintf("%s: it was not tested", p.ID))
			continue
		case p.Run.Errors > 0 || r.Verdict == report.Unavailable:
			untold = append(untold, fmt.Sprintf("%s: %s could not be judged", p.ID, words.Count(p.Run.Errors, "case")))
			continue
		}
		s := evidence.Statement{
			Format: evidence.Format, Prompt: p.ID, Version: p.Version, Digest: p.Digest,
			Kinds:     evidence.Kinds{Tests: evidence.TestsPassed, Comparison: comparisonOf(p)},
			SuiteHash: p.Run.SuiteHash, CassetteHash: p.Run.CassetteHash, ReportHash: hash,
			Commit: r.Commit, Mode: r.Mode, Tool: prompt.Clip(programVersion(), 100), At: at.UTC().Truncate(time.Second),
		}
		if p.Run.Failed > 0 || prompt.Failed(p.Findings) {
			s.Kinds.Tests = evidence.TestsFailed
		}
		if s.Kinds.Comparison != evidence.NotCompared {
			s.Base = &evidence.Base{Version: p.Base.Version, Digest: p.Base.Digest, Environment: p.Base.Environment}
		}
		out = append(out, s)
	}
	return out, untold
}

// comparisonOf is what a statement says of the comparison. A verdict that is
// not known opens nothing.
func comparisonOf(p report.Prompt) string {
	if p.Compared == nil || p.Base == nil {
		return evidence.NotCompared
	}
	switch p.Compared.Verdict {
	case paired.NotRegressed:
		return evidence.NotRegressed
	case paired.Regressed:
		return evidence.Regressed
	default:
		return evidence.Inconclusive
	}
}

func reportHash(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func printFiled(e *env, filed []filedEvidence) error {
	return e.emit(nonNil(filed), func(w io.Writer) {
		for _, f := range filed {
			fmt.Fprintf(w, "%s: %s, filed for %.19s\n", f.Prompt, f.line, f.Digest)
		}
		if len(filed) > 0 && filed[0].Commit != "" {
			e.talk("Next: git push origin %s", source.EvidenceNotes)
		}
	})
}

// serverPatience is how long a release waits for a server to say what it knows
// of the tests: it works without, too.
const serverPatience = 5 * time.Second
