package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

func planCommand(e *env) *cobra.Command {
	var (
		c   changeFlags
		d   deployFlags
		out string
	)
	cmd := &cobra.Command{
		Use:   "plan ID@VERSION --env ENV [--canary [STEPS] | --blue-green]",
		Short: "Show what a deploy would do: versions, words, checks, who moves",
		Long: "plan works out a deploy without making it. With --out the plan is written to a\n" +
			"file that apply carries out, if nothing has moved until then. Of a rollout that a\n" +
			"server would watch it says how long each step takes by the traffic of the last\n" +
			"day, and the smallest regression that is found by then.",
		Example: examples("incipit plan customer-support@1.0.0 --env staging",
			"incipit plan customer-support@1.1.0 --env production --canary 5,25,50,100 --out plan.json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := deployRequest(cmd.Context(), e, args[0], &c, &d)
			if err != nil {
				return err
			}
			return runPlan(cmd.Context(), e, req, out)
		},
	}
	c.add(cmd, e)
	d.add(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", "", "write the plan to `FILE`, for apply")
	if err := cmd.Flags().MarkHidden("dry-run"); err != nil {
		panic(err) // a plan is one
	}
	return cmd
}

// A deployPlan is a plan with what changes in words.
type deployPlan struct {
	*registry.Plan
	Diff     *comparison        `json:"diff,omitempty"`
	Forecast *registry.Forecast `json:"forecast,omitempty"`
}

func runPlan(ctx context.Context, e *env, req registry.Request, out string) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	p := deployPlan{}
	if p.Plan, err = svc.Plan(ctx, req); err != nil {
		return err
	}
	if p.From != "" && p.From != p.To.String() {
		a, err := e.read(ctx, p.Prompt, p.From)
		if err != nil {
			return err
		}
		b, err := e.read(ctx, p.Prompt, p.To.String())
		if err != nil {
			return err
		}
		c := compare(a, b)
		p.Diff = &c
	}
	var unknown string
	if p.Forecast, unknown, err = e.forecastOf(ctx, svc, p.Plan); err != nil {
		return err
	}
	if out != "" {
		data, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(data, '\n'), 0o600); err != nil {
			return err
		}
	}
	return e.emit(p, func(w io.Writer) {
		printPlan(w, p.Plan)
		if p.Forecast != nil {
			printForecast(w, p.Forecast)
		}
		if unknown != "" {
			fmt.Fprintf(w, "  forecast: %s\n", words.Plain(unknown))
		}
		if p.Diff != nil {
			fmt.Fprintln(w)
			printComparison(w, *p.Diff, false)
		}
		switch {
		case p.Already != "":
		case words.Held(p.Plan):
			e.talk("\nNot yet: deploy would end with status 3 until every check holds.")
		case out != "":
			e.talk("\nApply it: incipit apply %s%s", prompt.Visible(out), words.Confirm(p.Plan))
		default:
			e.talk("\nDo it: %s", words.Command(p.Plan))
		}
	})
}

func printPlan(w io.Writer, p *registry.Plan) {
	fmt.Fprintln(w, words.PlanTitle(p))
	if already := words.PlanAlready(p); already != "" {
		fmt.Fprintf(w, "  %s\n", already)
		return
	}
	for _, c := range p.Checks {
		mark := green("ok  ")
		if !c.OK {
			mark = red("fail")
		}
		fmt.Fprintf(w, "  %s %s\n", mark, prompt.Visible(c.Name))
		if c.Fix != "" {
			fmt.Fprintf(w, "       %s\n", faint("try: "+prompt.Visible(c.Fix)))
		}
	}
	for _, f := range words.PlanFacts(p) {
		fmt.Fprintf(w, "  %s: %s\n", f.Name, f.Text)
	}
}

func applyCommand(e *env) *cobra.Command {
	var (
		confirm string
		dryRun  bool
	)
	cmd := &cobra.Command{
		Use:     "apply PLAN",
		Short:   "Carry out a plan, if nothing has moved since it was made",
		Example: examples("incipit apply plan.json", "incipit apply plan.json --confirm production"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runApply(cmd.Context(), e, args[0], confirm, dryRun)
		},
	}
	cmd.Flags().StringVar(&confirm, "confirm", "", "confirm a protected environment by its `NAME`")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check that the plan still holds")
	return cmd
}

func runApply(ctx context.Context, e *env, file, confirm string, dryRun bool) error {
	plan, err := readPlan(file)
	if err != nil {
		return err
	}
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	if dryRun {
		now, err := svc.Replan(ctx, plan)
		if err != nil {
			return err
		}
		return e.emit(now, func(w io.Writer) { printPlan(w, now) })
	}
	plan.Confirm = confirm
	return applyPlan(ctx, e, svc, plan)
}

// applyPlan makes a change that was planned, if nothing has moved since.
func applyPlan(ctx context.Context, e *env, svc backend, plan *registry.Plan) error {
	if err := e.confirm(ctx, svc, &plan.Request); err != nil {
		return err
	}
	r, err := svc.Apply(ctx, plan)
	if err != nil {
		return err
	}
	return e.emitReceipt(ctx, svc, r)
}

// readPlan reads what plan --out wrote, at most a few megabytes of it.
func readPlan(file string) (*registry.Plan, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 8 << 20
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	bad := func(err error) (*registry.Plan, error) {
		return nil, registry.WithFix(fmt.Errorf("%s is %w as a plan: %w", prompt.Visible(file), prompt.ErrInvalid, err), "make it with incipit plan … --out %s", prompt.Visible(file))
	}
	if len(data) > limit {
		return bad(errors.New("it is too large"))
	}
	if err := strictjson.Check(data); err != nil {
		return bad(err)
	}
	var p registry.Plan
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&p); err != nil {
		return bad(err)
	}
	if _, err := prompt.ParseID(string(p.Prompt)); err != nil {
		return bad(err)
	}
	if p.Action != registry.Deploy || p.Environment == "" || p.Version == "" {
		return bad(errors.New("action, environment or version is missing"))
	}
	return &p, nil
}
