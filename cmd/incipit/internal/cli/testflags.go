package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// testFlags are shared by the commands that ask models.
type testFlags struct {
	mode        string
	fresh       bool
	share       float64
	maxCost     float64
	concurrency int
	timeout     string
	repeats     int
	allow       []string
	env         []string
	outputs     []string
	dir         string
	verbose     bool

	evidence bool
}

// mayAllow is what a suite may do only if the command line says so: what a pull
// request brings must not be able to allow it to itself.
func mayAllow() []string { return []string{"exec", "python", "webhook"} }

func (f *testFlags) add(cmd *cobra.Command, mode string) {
	fl := cmd.Flags()
	fl.StringVar(&f.mode, "mode", mode, "where answers come from, a `MODE`: replay (recorded ones alone), record (asks for what is not recorded), live, sample")
	fl.BoolVar(&f.fresh, "fresh", false, "with --mode record, ask also for what is recorded already")
	fl.Float64Var(&f.share, "sample", 0.05, "with --mode sample, the `SHARE` of the answers that is asked again")
	fl.Float64Var(&f.maxCost, "max-cost", 0, "stop before the call that could pass this many `DOLLARS`, judges included")
	fl.IntVar(&f.concurrency, "concurrency", 4, "ask `N` at a time")
	fl.StringVar(&f.timeout, "timeout", "5m", "the `TIME` that one case may take")
	fl.IntVar(&f.repeats, "repeats", 3, "ask the cases on which two releases differ up to `N` times")
	fl.StringSliceVar(&f.allow, "allow", nil, "let suites do what is dangerous: `WHAT` is exec, python or webhook")
	fl.StringSliceVar(&f.env, "allow-env", nil, "let suites read these `VARIABLES` of the environment")
	fl.StringArrayVarP(&f.outputs, "out", "o", nil, "write the report to `FILE`: .json, .md, .xml (JUnit), .sarif or .html; may be repeated")
	fl.StringVar(&f.dir, "report-dir", "", "write the report in every form into `DIR`")
	fl.BoolVar(&f.verbose, "verbose", false, "print every case with its output")
	fl.BoolVar(&f.evidence, "evidence", false, "sign what came out and keep it as evidence")
	complete(cmd, "mode", modes()...)
	complete(cmd, "allow", mayAllow()...)
}

func modes() []string {
	return []string{string(provider.Replay), string(provider.Record), string(provider.Live), string(provider.Sample)}
}

// asks reports whether the mode may cost something.
func (f *testFlags) asks() bool { return f.mode != string(provider.Replay) }

// check refuses values that no flag has.
func (f *testFlags) check() error {
	if !slices.Contains(modes(), f.mode) {
		return registry.Errorf(prompt.ErrInvalid, "mode %q is none of %s", prompt.Clip(f.mode, 40), strings.Join(modes(), ", "))
	}
	for _, a := range f.allow {
		if !slices.Contains(mayAllow(), a) {
			return registry.Errorf(prompt.ErrInvalid, "--allow %q is none of %s", prompt.Clip(a, 40), strings.Join(mayAllow(), ", "))
		}
	}
	switch {
	case f.fresh && f.mode != string(provider.Record):
		return registry.Errorf(prompt.ErrInvalid, "--fresh goes with --mode record")
	case !(f.share > 0 && f.share <= 1):
		return registry.Errorf(prompt.ErrInvalid, "--sample must be a share such as 0.05")
	case !(f.maxCost >= 0 && f.maxCost <= 1e9):
		return registry.Errorf(prompt.ErrInvalid, "--max-cost must be US dollars, from 0 (no limit)")
	case f.concurrency < 1 || f.concurrency > 256:
		return registry.Errorf(prompt.ErrInvalid, "--concurrency must be from 1 to 256")
	case f.repeats < 1 || f.repeats > 100:
		return registry.Errorf(prompt.ErrInvalid, "--repeats must be from 1 to 100")
	}
	for _, name := range f.outputs {
		if _, err := formOf(name); err != nil {
			return err
		}
	}
	return nil
}
