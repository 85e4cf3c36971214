package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

type resolveFlags struct {
	environment, subject, subjects string
	vars                           []string
	explain                        bool
}

func resolveCommand(e *env) *cobra.Command {
	var f resolveFlags
	cmd := &cobra.Command{
		Use:   "resolve ID --env ENV (--subject S | --subjects FILE) [--var k=v…]",
		Short: "Show which version a subject gets, and the messages it makes",
		Long: "resolve answers what an application would get for a subject: a user, else a\n" +
			"conversation, else a request. Without --var the messages are shown as templates.\n" +
			"--explain says why the subject gets this version. --subjects reads one subject\n" +
			"a line from FILE (- is standard input) and answers one line each: subject,\n" +
			"version and arm, separated by tabs.",
		Example: examples("incipit resolve data-extraction --env staging --subject u42 --explain",
			"seq 1000 | incipit resolve customer-support --env production --subjects -"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			if f.subjects != "" {
				return runResolveAll(ctx, e, id, f)
			}
			return runResolve(ctx, e, id, f)
		}),
	}
	envFlag(cmd, e, &f.environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	fl := cmd.Flags()
	fl.StringVar(&f.subject, "subject", "", "the sticky `ID`: user, else conversation, else request")
	fl.StringVar(&f.subjects, "subjects", "", "read subjects from `FILE`")
	fl.StringArrayVar(&f.vars, "var", nil, "the value of a variable, as `NAME=VALUE`")
	fl.BoolVar(&f.explain, "explain", false, "say why the subject gets this version")
	cmd.MarkFlagsMutuallyExclusive("subject", "subjects")
	cmd.MarkFlagsOneRequired("subject", "subjects")
	return cmd
}

// A resolution is what a subject gets, and why.
type resolution struct {
	Prompt      prompt.ID          `json:"prompt"`
	Environment string             `json:"environment"`
	Revision    int64              `json:"revision"`
	Subject     string             `json:"subject"`
	Version     prompt.Version     `json:"version"`
	Digest      string             `json:"digest,omitempty"`
	Arm         string             `json:"arm"`
	Strategy    registry.Strategy  `json:"strategy"`
	Bucketing   registry.Bucketing `json:"bucketing"`
	Salt        string             `json:"salt,omitempty"`
	Slot        uint32             `json:"slot"`
	Ranges      []registry.Range   `json:"ranges"`
	Messages    []prompt.Message   `json:"messages,omitempty"`
	Rendered    bool               `json:"rendered"` // else the messages are templates
}

func runResolve(ctx context.Context, e *env, id prompt.ID, f resolveFlags) error {
	if f.subject == "" {
		return registry.Errorf(prompt.ErrInvalid, "the subject is empty: all requests without one would get the same answer")
	}
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	snap, err := svc.Snapshot(ctx, f.environment, id)
	if err != nil {
		return err
	}
	entry, arm, err := registry.Resolve(snap, id, f.subject)
	if err != nil {
		return err
	}
	r := resolution{
		Prompt: id, Environment: f.environment, Revision: snap.Revision, Subject: f.subject,
		Version: arm.Version, Digest: arm.Digest, Arm: arm.Name, Strategy: entry.Rollout.Strategy,
		Bucketing: entry.Rollout.Bucketing, Salt: entry.Rollout.Salt, Ranges: arm.Ranges,
		Slot: entry.Rollout.Bucketing.Slot(entry.Rollout.Salt, f.subject),
	}
	if p := entry.Releases[arm.Name]; !f.explain || len(f.vars) > 0 {
		if r.Rendered = len(f.vars) > 0 || !asksForValues(p); r.Rendered {
			r.Messages, err = render(p, f.vars)
		} else {
			r.Messages = p.Messages
			e.talk("the variables stand as they are; --var NAME=VALUE fills them in")
		}
		if err != nil {
			return err
		}
	}
	return e.emit(r, func(w io.Writer) { printResolution(w, e, r, f.explain) })
}

func asksForValues(p prompt.Prompt) bool {
	for _, v := range p.Variables {
		if v.IsRequired() {
			return true
		}
	}
	return false
}

func render(p prompt.Prompt, pairs []string) ([]prompt.Message, error) {
	vars := make(prompt.Vars, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--var %q is %w: write NAME=VALUE", prompt.Clip(pair, 60), prompt.ErrInvalid)
		}
		if _, twice := vars[name]; twice {
			return nil, registry.Errorf(prompt.ErrInvalid, "--var %s is given twice", prompt.Clip(name, 60))
		}
		vars[name] = value
	}
	t, err := prompt.Compile(p)
	if err != nil {
		return nil, err
	}
	ms, err := t.Render(vars)
	if err != nil {
		err = registry.WithFix(err, "give each variable with --var NAME=VALUE, or ask for the version alone with --explain")
	}
	return ms, err
}

func printResolution(w io.Writer, e *env, r resolution, explain bool) {
	if explain {
		fmt.Fprintf(w, "%s gets %s@%s in %s (%s)\n", prompt.Visible(r.Subject), r.Prompt, r.Version, r.Environment, prompt.Visible(r.Arm))
		if r.Strategy == registry.Full {
			fmt.Fprintln(w, "  no rollout is open: everybody gets this release")
		} else {
			salt := ""
			if r.Salt != "" {
				salt = ", salt " + prompt.Visible(r.Salt)
			}
			fmt.Fprintf(w, "  %s rollout, %s%s: slot %d of %d\n", r.Strategy, r.Bucketing, salt, r.Slot, registry.Scale)
			for _, g := range r.Ranges {
				fmt.Fprintf(w, "  the %s owns slots %d to %d\n", prompt.Visible(r.Arm), g.From, g.To-1)
			}
		}
		fmt.Fprintf(w, "  digest %s, revision %d\n", prompt.Visible(r.Digest), r.Revision)
	} else {
		fmt.Fprintf(w, "%s\n", bold(fmt.Sprintf("%s@%s (%s)", r.Prompt, r.Version, r.Arm)))
	}
	for _, m := range r.Messages {
		content := m.Content
		if e.outTTY {
			content = prompt.Visible(content)
		}
		fmt.Fprintf(w, "%s\n%s", faint("── "+m.Role+" ──"), content)
		if !strings.HasSuffix(content, "\n") {
			fmt.Fprintln(w)
		}
	}
}

func runResolveAll(ctx context.Context, e *env, id prompt.ID, f resolveFlags) error {
	if len(f.vars) > 0 || f.explain {
		return registry.Errorf(prompt.ErrInvalid, "--var and --explain go with one --subject, not with --subjects")
	}
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	snap, err := svc.Snapshot(ctx, f.environment, id)
	if err != nil {
		return err
	}
	in := e.in
	if f.subjects != "-" {
		file, err := os.Open(f.subjects)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	out := bufio.NewWriter(e.rawOut)
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		subject := strings.TrimSuffix(lines.Text(), "\r")
		if subject == "" || strings.Contains(subject, "\t") {
			return errors.Join(out.Flush(), registry.Errorf(prompt.ErrInvalid, "line %d: a subject must not be empty nor hold a tab", n))
		}
		_, arm, err := registry.Resolve(snap, id, subject)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\t%s\n", subject, arm.Version, arm.Name); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return registry.Errorf(prompt.ErrInvalid, "a subject is longer than %d bytes", bufio.MaxScanTokenSize)
	}
	return errors.Join(lines.Err(), out.Flush())
}
