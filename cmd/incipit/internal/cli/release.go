package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// releaseFlags are shared by release and bump.
type releaseFlags struct {
	patch, minor, major bool
	version, pre        string
	message             string
	report              string
	dryRun, diverged    bool
}

func (f *releaseFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.patch, "patch", false, "a correction: 1.3.1 becomes 1.3.2")
	fl.BoolVar(&f.minor, "minor", false, "something new that callers may ignore: 1.3.2 becomes 1.4.0")
	fl.BoolVar(&f.major, "major", false, "a change that callers must adapt to: 1.4.0 becomes 2.0.0")
	fl.StringVar(&f.version, "version", "", "exactly this `VERSION`")
	fl.StringVar(&f.pre, "pre", "", "a pre-release with this `NAME`, such as rc: 1.4.0-rc.1, then rc.2")
	fl.StringVarP(&f.message, "message", "m", "", "what changed, and why, as `TEXT`")
	fl.StringVar(&f.report, "report", "", "say of the tests what the JSON report in this `FILE` says")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would happen")
	fl.BoolVar(&f.diverged, "diverged", false, "release from a branch that lacks the last release")
	cmd.MarkFlagsMutuallyExclusive("patch", "minor", "major", "version")
	cmd.MarkFlagsMutuallyExclusive("version", "pre")
}

func (f *releaseFlags) request(arg string) (source.ReleaseRequest, error) {
	id, err := prompt.ParseID(arg)
	req := source.ReleaseRequest{Prompt: id, Version: f.version, Pre: f.pre, Message: f.message, Diverged: f.diverged}
	switch {
	case f.major:
		req.Bump = prompt.Major
	case f.minor:
		req.Bump = prompt.Minor
	case f.patch:
		req.Bump = prompt.Patch
	}
	return req, err
}

func releaseCommand(e *env) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "release ID (--patch | --minor | --major | --version V | --pre rc) -m MESSAGE",
		Short: "Commit and tag the next version of a prompt",
		Long: "release validates the prompt, checks that the version is high enough for what\n" +
			"changed, and makes one commit of this prompt's files and the registry, and one\n" +
			"annotated tag. Other staged changes stay staged. Interrupted at any moment it\n" +
			"leaves a whole release or none.",
		Example:           examples("incipit release customer-support --patch -m \"correct tone in escalation messages\"", "incipit release customer-support --minor --pre rc -m \"try a shorter greeting\" --dry-run"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request(args[0])
			if err != nil {
				return err
			}
			req.Tested = e.tested(f.report)
			return runRelease(cmd.Context(), e, req, f.dryRun)
		},
	}
	f.add(cmd)
	return cmd
}

func bumpCommand(e *env) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "bump ID (--patch | --minor | --major | --version V | --pre rc) -m MESSAGE",
		Short: "Commit the next version on a branch, to be tagged by publish once merged",
		Long: "bump does what release does, without the tag: for teams that work by pull\n" +
			"request. After the merge, publish on the main branch makes the tag.",
		Example:           examples("incipit bump customer-support --minor -m \"answer in the customer's language\"", "incipit bump data-extraction --patch -m \"stricter dates\" --dry-run"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request(args[0])
			if err != nil {
				return err
			}
			req.Tested = e.tested(f.report)
			req.NoTag = true
			return runRelease(cmd.Context(), e, req, f.dryRun)
		},
	}
	f.add(cmd)
	return cmd
}

// A releaseResult is what release and bump print.
type releaseResult struct {
	*source.ReleasePlan
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	DryRun  bool   `json:"dry_run,omitempty"`
}

func runRelease(ctx context.Context, e *env, req source.ReleaseRequest, dryRun bool) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	out := releaseResult{DryRun: dryRun}
	if dryRun {
		out.ReleasePlan, err = ws.PlanRelease(ctx, req)
	} else {
		plan, r, makeErr := ws.Release(ctx, req)
		out.ReleasePlan, out.Commit, err = plan, r.Commit, makeErr
	}
	if err != nil {
		return err
	}
	out.Version = out.To.String()
	return e.emit(out, func(w io.Writer) { printRelease(w, e, out, req.NoTag) })
}

func printRelease(w io.Writer, e *env, r releaseResult, bumped bool) {
	if r.DryRun {
		for _, c := range r.Changes {
			fmt.Fprintf(w, "  %-6s %s\n", c.Bump, prompt.Visible(c.Detail))
		}
		fmt.Fprintf(w, "would commit %s\n\n", strings.Join(r.Files, ", "))
		for line := range strings.SplitSeq(strings.TrimSpace(r.Message), "\n") {
			fmt.Fprintf(w, "    %s\n", prompt.Visible(line))
		}
		if !bumped {
			fmt.Fprintf(w, "\nwould tag %s\n", r.Tag)
		}
		return
	}
	if bumped {
		fmt.Fprintf(w, "%s is committed as %.12s\n", r.Tag, r.Commit)
		e.talk("Next: push the branch; once it is merged, incipit publish on the main branch")
		return
	}
	fmt.Fprintf(w, "%s released, commit %.12s\n", r.Tag, r.Commit)
	if _, shared := r.Prompt.Shared(); shared {
		e.talk("Next: git push --follow-tags; the next release of a prompt that includes it takes it in")
		return
	}
	e.talk("Next: git push --follow-tags, then incipit deploy %s --env %s", r.Tag, firstEnvironment(e))
}

// firstEnvironment is where a release travels first.
func firstEnvironment(e *env) string {
	if envs := e.ws.Config.Environments; len(envs) > 0 {
		return envs[0].Name
	}
	return "ENV"
}

func publishCommand(e *env) *cobra.Command {
	var dryRun, anyBranch bool
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Tag every merged version that has no tag yet",
		Long: "publish looks at the checked-out branch and tags each prompt version that was\n" +
			"merged into it, squashed or not. Doing it again does nothing.",
		Example: examples("incipit publish", "incipit publish --dry-run"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPublish(cmd.Context(), e, dryRun, anyBranch) },
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be tagged")
	cmd.Flags().BoolVar(&anyBranch, "any-branch", false, "tag on a branch that is not the remote's own")
	return cmd
}

func runPublish(ctx context.Context, e *env, dryRun, anyBranch bool) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	done, err := ws.Publish(ctx, dryRun, anyBranch)
	if err != nil {
		return err
	}
	refused := 0
	for _, p := range done {
		if p.Problem != "" {
			refused++
			e.talk("%s is not tagged: %s", p.Tag, visibleLines(p.Problem))
		}
	}
	err = e.emit(nonNil(done), func(w io.Writer) {
		verb := "tagged"
		if dryRun {
			verb = "would tag"
		}
		for _, p := range done {
			if p.Problem == "" {
				fmt.Fprintf(w, "%s %s on commit %.12s\n", verb, p.Tag, p.Commit)
			}
		}
		if len(done) == 0 {
			e.talk("Every merged version has its tag already.")
		} else if !dryRun && refused < len(done) {
			e.talk("Next: git push --tags")
		}
	})
	if err == nil && refused > 0 {
		err = registry.Errorf(prompt.ErrInvalid, "%d merged versions could not be tagged", refused)
	}
	return err
}
