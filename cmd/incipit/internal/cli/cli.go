// Package cli is the command line: one file per command. A command parses its
// flags into a request and prints the answer; the rules stand in lifecycle and
// source. Results go to standard output, talk to standard error.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs one command line and returns its exit status.
func Main(args []string, std Streams, environ []string, now func() time.Time) int {
	if len(args) == 1 && args[0] == sandboxChild {
		return serveSandbox(std)
	}
	// A command lives for milliseconds: collecting garbage before there is much
	// of it would cost more than the command itself.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(64 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{
		in: std.In, now: now, environ: environ,
		stdout:  colorprofile.NewWriter(std.Out, environ),
		stderr:  colorprofile.NewWriter(std.Err, environ),
		rawOut:  std.Out,
		outTTY:  isTerminal(std.Out),
		talkTTY: isTerminal(std.Err) && isTerminal(std.In),
	}
	root := newRoot(e)
	root.SetArgs(joinSteps(args))
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !e.started {
		err = usageError{withUsage(cmd, err)}
	}
	if e.ws != nil {
		err = errors.Join(err, e.ws.Close())
	}
	if err != nil && ctx.Err() != nil {
		stopped := registry.Errorf(context.Canceled, "interrupted")
		if errors.Is(err, context.Canceled) {
			err = stopped
		} else {
			err = fmt.Errorf("%w: %w", stopped, err)
		}
	}
	return e.report(err)
}

func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(f.Fd())
}

// env is what a command works with.
type env struct {
	in      io.Reader
	stdout  io.Writer // colors are taken out where they are not wanted
	stderr  io.Writer
	rawOut  io.Writer    // for bytes that must arrive as they are
	page    bytes.Buffer // printed for people, and not written out yet
	outTTY  bool
	talkTTY bool // a person can be asked
	now     func() time.Time
	environ []string

	dir     string
	server  string // where the registry is; "" is the workspace, or what it says
	json    string // "" for people, "*" for all fields, else a list of them
	quiet   bool
	started bool // flags and arguments were in order

	ws  *source.Workspace
	far *api.Client // once it was found that the registry is a server's
}

// workspace opens the workspace, once.
func (e *env) workspace(ctx context.Context) (*source.Workspace, error) {
	if e.ws != nil {
		return e.ws, nil
	}
	ws, err := source.Open(ctx, e.dir, e.options())
	e.ws = ws
	return ws, err
}

func (e *env) options() source.Options {
	return source.Options{Now: e.now, Notify: func(s string) { e.talk("%s", s) }}
}

// talk tells the person something that is no result.
func (e *env) talk(format string, args ...any) {
	e.turn() //nolint:errcheck // the next result reports it
	if !e.quiet {
		fmt.Fprintf(e.stderr, format+"\n", args...)
	}
}

// A usageError is a command line that cannot be run.
type usageError struct{ err error }

func (u usageError) Error() string   { return u.err.Error() }
func (u usageError) Unwrap() []error { return []error{u.err, prompt.ErrInvalid} }

// newRoot is the whole command line. Help shows the groups in this order.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "incipit",
		Short: "Release engineering for prompts",
		Long: "Incipit keeps prompts in Git, releases them with semantic versions, and knows\n" +
			"which version runs in which environment and how to get back.",
		Example:       "  incipit init my-prompts\n  incipit status",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return runHome(cmd, e) },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&e.dir, "directory", "C", ".", "work in `DIR`")
	flags.StringVar(&e.json, "json", "", "print JSON, or only some `FIELDS` of it: --json=version,digest")
	flags.Lookup("json").NoOptDefVal = "*"
	flags.StringVar(&e.server, "server", e.getenv("INCIPIT_SERVER"), "use the registry of the server at `URL`")
	flags.BoolVarP(&e.quiet, "quiet", "q", false, "print results and errors alone")
	root.SetFlagErrorFunc(suggestFlag)
	root.Version = programVersion()
	root.SetVersionTemplate("incipit {{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true

	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"write", "Write prompts:", []*cobra.Command{initCommand(e), newCommand(e), validateCommand(e), statusCommand(e), diffCommand(e), showCommand(e), blameCommand(e), importCommand(e), exportCommand(e)}},
		{"test", "Test them:", []*cobra.Command{testCommand(e), ciCommand(e), hooksCommand(e), validateMessageCommand(e)}},
		{"release", "Release them:", []*cobra.Command{releaseCommand(e), bumpCommand(e), publishCommand(e), logCommand(e), verifyCommand(e)}},
		{"run", "Run them:", []*cobra.Command{listCommand(e), planCommand(e), applyCommand(e), deployCommand(e), rolloutCommand(e), shiftCommand(e), promoteCommand(e), rollbackCommand(e), experimentCommand(e), retireCommand(e), historyCommand(e), whatranCommand(e), resolveCommand(e)}},
		{"measure", "See how they fare:", []*cobra.Command{statsCommand(e), traceCommand(e), callsCommand(e), metricsCommand(e), guardCommand(e)}},
		{"serve", "Serve many:", []*cobra.Command{serveCommand(e), adminCommand(e), loginCommand(e), logoutCommand(e), approveCommand(e), evidenceCommand(e), syncCommand(e), auditCommand(e), backupCommand(e), restoreCommand(e), bundleCommand(e)}},
		{"keep", "Keep house:", []*cobra.Command{registryCommand(e), doctorCommand(e), completionCommand(e), versionCommand(e)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("keep")
	noteStart(root, e)
	return root
}

// noteStart lets an error before a command runs be told from one of its own:
// cobra judges required flags later than everything else.
func noteStart(cmd *cobra.Command, e *env) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			e.started = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		noteStart(sub, e)
	}
}

// withUsage adds how the command is written to an error about its arguments.
func withUsage(cmd *cobra.Command, err error) error {
	if _, ok := errors.AsType[*registry.FixError](err); ok || cmd == nil {
		return err
	}
	return registry.WithFix(err, "%s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
}

// knownCommand refuses an argument of incipit itself, which is a command that
// does not exist, and names the ones it may mean.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("there is no command %q", prompt.Clip(args[0], 40))
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return registry.WithFix(err, "did you mean incipit %s?", strings.Join(near, " or incipit "))
	}
	return registry.WithFix(err, "incipit help lists the commands")
}

// suggestFlag names the flag that an unknown one may mean: one that begins it,
// or that it begins, else the closest.
func suggestFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	slices.Sort(known)
	typed := unknown.GetSpecifiedName()
	for _, name := range known {
		if strings.HasPrefix(typed, name) || len(typed) > 1 && strings.HasPrefix(name, typed) {
			return registry.WithFix(err, "did you mean --%s?", name)
		}
	}
	if best, ok := source.Closest(typed, known); ok {
		return registry.WithFix(err, "did you mean --%s?", best)
	}
	return registry.WithFix(err, "%s --help lists the flags", cmd.CommandPath())
}

// examples joins command lines into the form that help prints.
func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }

// report prints an error and returns the exit status that belongs to it.
func (e *env) report(err error) int {
	if err == nil {
		return api.OK
	}
	if quietly, ok := errors.AsType[exitError](err); ok {
		return quietly.status
	}
	e.printError(err)
	return api.ExitStatus(err)
}

// An exitError ends a command whose output says all there is to say.
type exitError struct{ status int }

func (x exitError) Error() string { return fmt.Sprintf("exit status %d", x.status) }
