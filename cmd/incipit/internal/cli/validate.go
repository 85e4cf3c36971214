package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func validateCommand(e *env) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "validate [ID…]",
		Short: "Check prompts, all of them without an ID",
		Long: "validate checks everything that can be checked in files: both files are there,\n" +
			"strict metadata, lengths, declared against used variables, includes, invisible\n" +
			"characters, secrets, and links to earlier versions. Every finding is printed as\n" +
			"path:line:col: code: message; the exit status is 2 if there is an error.",
		Example: examples("incipit validate", "incipit validate customer-support --format github"),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return ids(cmd.Context(), e), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]prompt.ID, len(args))
			for i, a := range args {
				var err error
				if ids[i], err = prompt.ParseID(a); err != nil {
					return err
				}
			}
			return runValidate(cmd.Context(), e, ids, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT` of the findings: text, json, sarif or github")
	return cmd
}

func runValidate(ctx context.Context, e *env, ids []prompt.ID, format string) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	checked, findings, err := ws.Validate(ctx, ids...)
	if err != nil {
		return err
	}
	if e.json != "" {
		format = "json"
	}
	switch format {
	case "text":
		err = e.emit(nil, func(w io.Writer) {
			for _, f := range findings {
				e.printFinding(w, f)
			}
		})
	case "github":
		err = e.emit(nil, func(w io.Writer) {
			for _, f := range findings {
				fmt.Fprintln(w, githubAnnotation(f))
			}
		})
	case "sarif":
		e.json = "*"
		err = e.emit(report.SARIFOf(findings, programVersion()), nil)
	case "json":
		if e.json == "" {
			e.json = "*"
		}
		err = e.emit(map[string]any{"checked": checked, "findings": nonNil(findings)}, nil)
	default:
		return fmt.Errorf("format %q is %w: choose text, json, sarif or github", prompt.Clip(format, 40), prompt.ErrInvalid)
	}
	if err != nil {
		return err
	}
	errs := 0
	for _, f := range findings {
		if f.Severity == prompt.SeverityError {
			errs++
		}
	}
	if errs > 0 {
		e.talk("%d checked, %s", checked, words.Count(errs, "error"))
		return exitError{api.Invalid}
	}
	e.talk("%d checked, no errors", checked)
	return nil
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// githubAnnotation is a workflow command. Its parts are escaped, so that a
// finding about hostile text cannot start a command of its own.
func githubAnnotation(f prompt.Finding) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := f.Message
	if f.Fix != "" {
		message += "\ntry: " + f.Fix
	}
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d,title=%s::%s", f.Severity, property.Replace(prompt.Visible(f.Path)), max(f.Line, 1), max(f.Col, 1), property.Replace(f.Code), data.Replace(prompt.Visible(message)))
}
