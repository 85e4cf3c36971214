package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/pullrequest"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

func commentCommand(e *env) *cobra.Command {
	var (
		file   string
		number int
	)
	cmd := &cobra.Command{
		Use:   "comment --report FILE",
		Short: "Put a report under its pull request, in one comment that is edited",
		Long: "comment reads a report that ci wrote as JSON and makes it the one comment of ours\n" +
			"under the pull request. It takes GITHUB_TOKEN, GITHUB_REPOSITORY and GITHUB_REF\n" +
			"from a workflow of GitHub Actions. A pull request from a fork has no token that\n" +
			"may comment: there the summary of the job has the report.",
		Example: examples("incipit ci comment --report out/report.json", "incipit ci comment --report out/report.json --number 17"),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runComment(cmd.Context(), e, file, number)
		},
	}
	cmd.Flags().StringVar(&file, "report", "", "the `FILE` that ci wrote with --out or --report-dir")
	cmd.Flags().IntVar(&number, "number", 0, "the pull request's `NUMBER`, where GITHUB_REF does not name it")
	if err := cmd.MarkFlagRequired("report"); err != nil {
		panic(err) // it was added above
	}
	return cmd
}

func runComment(ctx context.Context, e *env, file string, number int) error {
	place, err := pullrequest.PlaceOf(e.getenv, number)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	r, err := report.Read(data)
	if err != nil {
		return err
	}
	place.Client = &http.Client{Timeout: 30 * time.Second}
	url, err := place.Comment(ctx, report.Marker, string(r.Markdown()))
	if err != nil {
		return err
	}
	return e.emit(map[string]string{"url": url}, func(w io.Writer) { fmt.Fprintln(w, url) })
}
