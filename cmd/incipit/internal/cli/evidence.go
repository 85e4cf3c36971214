package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func evidenceCommand(e *env) *cobra.Command {
	var (
		kind, note     string
		passed, failed bool
	)
	cmd := &cobra.Command{
		Use:   "evidence ID@VERSION --kind KIND (--passed | --failed)",
		Short: "File what a test or a review says about a release",
		Long: "evidence is kept for the text of the release, by its digest. An environment may\n" +
			"require it: without, or where it says failed, nothing is deployed there. What\n" +
			"tests say is filed by incipit evidence submit, and can be signed; the server\n" +
			"keeps it, or without one Git notes on the commit that was tested.",
		Example: examples("incipit evidence customer-support@1.1.0 --kind tests --passed",
			"incipit evidence customer-support@1.1.0 --kind review --failed --note \"promises refunds\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEvidence(cmd.Context(), e, args[0], registry.Evidence{Kind: kind, Passed: passed && !failed, Note: strings.TrimSpace(note)})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&kind, "kind", "tests", "what an environment requires, as a `WORD`")
	fl.BoolVar(&passed, "passed", false, "it passed")
	fl.BoolVar(&failed, "failed", false, "it failed")
	fl.StringVar(&note, "note", "", "where the report is, or what it found, as `TEXT`")
	cmd.MarkFlagsMutuallyExclusive("passed", "failed")
	cmd.MarkFlagsOneRequired("passed", "failed")
	cmd.AddCommand(evidenceSubmitCommand(e), evidenceShowCommand(e), evidenceKeyCommand(e))
	return cmd
}

func runEvidence(ctx context.Context, e *env, ref string, ev registry.Evidence) error {
	id, version, err := parseRef(ref)
	if err != nil {
		return err
	}
	v, err := prompt.ParseVersion(version)
	if err != nil {
		return err
	}
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	body := api.EvidenceRequest{Prompt: id, Version: v.String(), Kind: ev.Kind, Passed: ev.Passed, Note: ev.Note}
	if err := c.Send(ctx, http.MethodPost, "/v1/evidence", body, &ev); err != nil {
		return err
	}
	return e.emit(ev, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s %s, filed by %s\n", id.Tag(v), prompt.Visible(ev.Kind), passedWord(ev.Passed), prompt.Visible(ev.By))
	})
}

func evidenceSubmitCommand(e *env) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "submit REPORT.json",
		Short: "File what a report says of each prompt it tested",
		Long: "submit takes the JSON report of a run of the tests, makes a statement of each\n" +
			"prompt that was tested, signs it, and files it by the digest of the text: on the\n" +
			"server, or without one as a Git note on the commit, to be pushed with\n" +
			"git push origin refs/notes/incipit-evidence. The text need not be released yet.\n\n" +
			"The key is that of --key, or the text of one in INCIPIT_EVIDENCE_KEY.",
		Example: examples("incipit evidence submit report.json", "incipit evidence submit report.json --key ~/.ssh/id_ed25519"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readReport(args[0])
			if err != nil {
				return err
			}
			filed, err := submitReport(cmd.Context(), e, data, key)
			if err != nil {
				return err
			}
			return printFiled(e, filed)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "sign with the private key in this `FILE`: of incipit evidence key, or an ed25519 SSH key without a passphrase")
	return cmd
}

func evidenceShowCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:               "show ID[@VERSION]",
		Short:             "Show what is known of a prompt's texts, and who vouches for it",
		Example:           examples("incipit evidence show customer-support@1.1.0", "incipit evidence show customer-support --json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return runEvidenceShow(cmd.Context(), e, args[0]) },
	}
}

func runEvidenceShow(ctx context.Context, e *env, ref string) error {
	id, version, err := parseRef(ref)
	if err != nil {
		return err
	}
	all, err := e.evidenceOf(ctx, id)
	if err != nil {
		return err
	}
	if version != "" {
		b, err := e.service(ctx)
		if err != nil {
			return err
		}
		v, err := prompt.ParseVersion(version)
		if err != nil {
			return err
		}
		r, err := b.Release(ctx, id, v)
		if err != nil {
			return err
		}
		all = ofDigest(all, r.Digest)
	}
	return e.emit(nonNil(all), func(w io.Writer) {
		out := [][]string{{"KIND", "RESULT", "DIGEST", "FILED", "SIGNED BY", "NOTE"}}
		for _, ev := range all {
			out = append(out, []string{ev.Kind, passedWord(ev.Passed), fmt.Sprintf("%.19s", ev.Digest), words.Minute(ev.At), orDash(ev.SignedBy), prompt.Clip(ev.Note, 80)})
		}
		if len(all) == 0 {
			e.talk("No evidence was filed for %s", prompt.Visible(ref))
			return
		}
		table(w, out)
	})
}

func ofDigest(all []registry.Evidence, digest string) []registry.Evidence {
	var out []registry.Evidence
	for _, ev := range all {
		if ev.Digest == digest {
			out = append(out, ev)
		}
	}
	return out
}

func passedWord(passed bool) string {
	if passed {
		return "passed"
	}
	return "failed"
}

func evidenceKeyCommand(e *env) *cobra.Command {
	var public bool
	cmd := &cobra.Command{
		Use:   "key FILE",
		Short: "Make a key to sign evidence with",
		Long: "key writes a new private key to FILE, which only you can read, and prints the\n" +
			"public line by which others trust it. Keep the private key where the tests run,\n" +
			"as a secret of your CI, and out of Git; give the public line to whoever decides\n" +
			"about a deploy: serve --evidence-keys, or evidence: keys: of incipit.yaml.",
		Example: examples("incipit evidence key evidence.pem", "incipit evidence key ~/.ssh/id_ed25519 --public"),
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if public {
				k, err := readEvidenceKey(args[0])
				if err != nil {
					return err
				}
				return printKey(e, "", k.Public())
			}
			return runEvidenceKey(e, args[0])
		},
	}
	cmd.Flags().BoolVar(&public, "public", false, "print the public line of the key that is in FILE, and make none")
	return cmd
}

func runEvidenceKey(e *env, name string) error {
	k, err := evidence.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	data, err := k.PEM()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists: a key that is written over is lost", prompt.Visible(name)), "name another file")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name)) // half a key is none
	}
	return printKey(e, name, k.Public())
}

// printKey prints the public line of a key; file is where the private one was
// written, "" if it was there.
func printKey(e *env, file string, k evidence.PublicKey) error {
	out := struct {
		Public string `json:"public"`
		ID     string `json:"id"`
		File   string `json:"file,omitempty"`
	}{k.String(), k.ID(), file}
	return e.emit(out, func(w io.Writer) {
		fmt.Fprintln(w, out.Public)
		if file != "" {
			e.talk("The private key is in %s. Keep it out of Git; this is the line that others trust it by.", prompt.Visible(file))
		}
	})
}
