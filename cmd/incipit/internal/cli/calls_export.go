package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/callfile"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// exportPage is how many calls are asked for at once: with their contents they
// may be a hundred megabytes.
const exportPage = 1000

// An exportRequest is what export was asked for.
type exportRequest struct {
	registry.CallQuery
	Format callfile.Format
	Out    string // "" is standard output
}

func callsExportCommand(e *env) *cobra.Command {
	var (
		req                     exportRequest
		since, from, to, format string
		outcome, score          string
	)
	cmd := &cobra.Command{
		Use:   "export [ID] [--env ENV] [--version VERSION] [--since 7d | --from TIME] [--to TIME] [--outcome error] [--score 'relevance>=0.5'] [--newest] [--format parquet --out FILE]",
		Short: "Write recorded calls as NDJSON or Parquet",
		Long: "export writes the calls that the server has kept, in the order in which they were\n" +
			"taken, or with --newest backwards: NDJSON has a line for each, Parquet a column for each field, of the same\n" +
			"name. A file is there whole or not at all. Without --to, calls count that started\n" +
			"before now.",
		Example: examples("incipit calls export customer-support --env production --since 7d > calls.ndjson",
			"incipit calls export customer-support --outcome error --newest --since 24h",
			"incipit calls export customer-support --score 'satisfaction<=2'",
			"incipit calls export --format parquet --out calls.parquet"),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				if req.Prompt, err = prompt.ParseID(args[0]); err != nil {
					return err
				}
			}
			req.Format, req.Outcome = callfile.Format(format), registry.Outcome(outcome)
			if req.Score, err = registry.ParseScoreBounds(score); err != nil {
				return err
			}
			if err := req.Check(); err != nil {
				return err
			}
			if err := req.period(since, from, to, e.now()); err != nil {
				return err
			}
			return runCallsExport(cmd.Context(), e, req)
		},
	}
	envFlag(cmd, e, &req.Environment, "only calls in this `ENV`ironment")
	fl := cmd.Flags()
	fl.StringVar(&req.Version, "version", "", "only calls of this `VERSION`")
	fl.StringVar(&req.Arm, "arm", "", "only calls of this `ARM`: stable, candidate, or one of an experiment")
	fl.StringVar(&outcome, "outcome", "", "only calls that ended so: ok, error or cancelled")
	fl.StringVar(&req.ErrorClass, "error-class", "", "only errors of this `CLASS`: provider, prompt, timeout or unknown")
	fl.StringVar(&score, "score", "", "only calls with this `SCORE`, such as satisfaction, \"satisfaction<=2\" or \"relevance>=0.5\"")
	fl.BoolVar(&req.Newest, "newest", false, "the calls that were taken last come first")
	fl.StringVar(&since, "since", "", "only calls that started in the last `TIME`, such as 24h or 7d")
	fl.StringVar(&from, "from", "", "only calls that started at this `TIME` or later, such as \"2026-11-22 14:00\", in UTC")
	fl.StringVar(&to, "to", "", "only calls that started before this `TIME`")
	fl.StringVar(&format, "format", string(callfile.NDJSON), "write this `FORMAT`: ndjson or parquet")
	fl.StringVarP(&req.Out, "out", "o", "", "write to `FILE`; without it, to standard output")
	cmd.MarkFlagsMutuallyExclusive("since", "from")
	complete(cmd, "outcome", string(registry.OK), string(registry.Failed), string(registry.Cancelled))
	complete(cmd, "error-class", string(registry.ProviderError), string(registry.PromptError), string(registry.TimeoutError), registry.UnknownError)
	complete(cmd, "format", string(callfile.NDJSON), string(callfile.Parquet))
	if err := cmd.RegisterFlagCompletionFunc("version", completeVersions(e)); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

// period reads when the calls started. It always ends, so that an export ends
// while applications go on recording.
func (req *exportRequest) period(since, from, to string, now time.Time) error {
	back, err := parseDays(since)
	if err != nil {
		return err
	}
	if req.From, err = parseWhen(from, now); err != nil {
		return err
	}
	if req.To, err = parseWhen(to, now); err != nil {
		return err
	}
	if req.To.IsZero() {
		req.To = now
	}
	if back > 0 {
		req.From = now.Add(-back)
	}
	if !req.From.Before(req.To) {
		return registry.Errorf(prompt.ErrInvalid, "the period ends at %s, before it begins at %s", words.Second(req.To), words.Second(req.From))
	}
	return nil
}

// An exported is what was written to a file.
type exported struct {
	File   string          `json:"file"`
	Format callfile.Format `json:"format"`
	Calls  int             `json:"calls"`
	Bytes  int64           `json:"bytes"`
}

func runCallsExport(ctx context.Context, e *env, req exportRequest) error {
	if _, err := callfile.New(io.Discard, req.Format); err != nil {
		return err
	}
	switch {
	case req.Out == "" && req.Format == callfile.Parquet:
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "where to? A Parquet file is nothing for standard output"), "add --out FILE")
	case req.Out == "" && e.json != "":
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "--json tells of a file that was written, and there is none"), "add --out FILE, or leave out --json: the calls themselves are JSON")
	}
	c, err := e.recorder(ctx)
	if err != nil {
		return err
	}
	// This one may take minutes and many megabytes: here garbage is collected.
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
	if req.Out == "" {
		n, err := export(ctx, c, req, documents{e})
		if err == nil {
			e.talk("%s", words.Count(n, "call"))
		}
		return err
	}
	done := exported{File: req.Out, Format: req.Format}
	done.Bytes, err = intoFile(req.Out, func(w io.Writer) error {
		done.Calls, err = export(ctx, c, req, w)
		return err
	})
	if err != nil {
		return err
	}
	return e.emit(done, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s, %d bytes of %s\n", prompt.Visible(done.File), words.Count(done.Calls, "call"), done.Bytes, done.Format)
	})
}

// documents makes writeJSON an io.Writer: of whole documents at a time.
type documents struct{ e *env }

func (d documents) Write(p []byte) (int, error) { return len(p), d.e.writeJSON(p) }

// export writes page after page, and reports how many calls there were.
func export(ctx context.Context, c *api.Client, req exportRequest, w io.Writer) (n int, err error) {
	out, err := callfile.New(w, req.Format)
	if err != nil {
		return 0, err
	}
	for cursor := ""; ; {
		calls, next, err := c.Calls(ctx, req.CallQuery, cursor, exportPage)
		if err != nil {
			return n, err
		}
		if err := out.Write(calls); err != nil {
			return n, err
		}
		n += len(calls)
		if cursor = next; cursor == "" {
			return n, out.Close()
		}
	}
}

// intoFile writes a file so that it is there whole or not at all, for its owner
// alone, since calls may hold what people wrote. It reports how many bytes it has.
func intoFile(name string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".incipit-*")
	if err != nil {
		return 0, noPlace(name, err)
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		size, err = f.Seek(0, io.SeekEnd)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return 0, noPlace(name, err)
	}
	return size, nil
}

// noPlace says that a file cannot be made, by the name that the person gave.
func noPlace(name string, err error) error {
	switch named := err.(type) { //nolint:errorlint // CreateTemp and Rename wrap nothing around it
	case *os.PathError:
		err = named.Err
	case *os.LinkError:
		err = named.Err
	}
	return fmt.Errorf("%s cannot be written: %s", prompt.Visible(name), strings.TrimSpace(err.Error()))
}
