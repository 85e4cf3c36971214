package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func auditCommand(e *env) *cobra.Command {
	var after int64
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Show who did what on the server, and prove that nothing was taken out",
		Example: examples("incipit audit", "incipit audit verify --data /var/lib/incipit"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runAudit(cmd.Context(), e, after) },
	}
	cmd.Flags().Int64Var(&after, "after", 0, "show what came after this `NUMBER`")
	var f storeFlags
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Hold every event of the audit log against the one before it",
		Long: "verify asks the server, or reads the database itself with --data or --database.\n" +
			"The first event that was changed, taken out or moved is named; the exit status\n" +
			"is then 5. Compare the number and hash that it prints with those of last time:\n" +
			"a log that was cut off at its end is whole in itself.",
		Example: examples("incipit audit verify", "incipit audit verify --data /var/lib/incipit"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runAuditVerify(cmd.Context(), e, &f) },
	}
	f.add(verify, e)
	cmd.AddCommand(verify)
	return cmd
}

func runAudit(ctx context.Context, e *env, after int64) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	events := []registry.Event{}
	for next := after; ; {
		var page api.Events
		if err := c.Get(ctx, "/v1/audit", url.Values{"after": {strconv.FormatInt(next, 10)}, "limit": {"500"}}, &page); err != nil {
			return err
		}
		events = append(events, page.Items...)
		if next = page.NextAfter; next == 0 {
			break
		}
	}
	return e.emit(events, func(w io.Writer) {
		out := [][]string{{"#", "WHEN", "WHO", "FROM", "WHAT", "WHERE", "WHY"}}
		for _, ev := range events {
			what := ev.Action
			if ev.Prompt != "" {
				what += " " + string(ev.Prompt)
			}
			if ev.Version != "" {
				what += " " + ev.Version
			}
			out = append(out, []string{strconv.FormatInt(ev.Seq, 10), words.Minute(ev.At), words.Name(ev.Actor), ev.Source, what, orDash(ev.Environment), ev.Reason})
		}
		table(w, out)
	})
}

// An auditVerdict is what verify found: as many events, the last with this hash.
type auditVerdict struct {
	Events int64  `json:"events"`
	Hash   string `json:"hash,omitempty"`
}

func runAuditVerify(ctx context.Context, e *env, f *storeFlags) (err error) {
	var v auditVerdict
	if _, none := f.config(e); none == nil && (e.server == "" || f.data != "" || f.database != "") {
		svc, store, err := e.local(ctx, f)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		if v.Events, err = svc.VerifyAudit(ctx); err != nil {
			return err
		}
		last, err := svc.Events(ctx, v.Events-1, 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			v.Hash = last[0].Hash
		}
	} else {
		c, err := e.remoteOnly(ctx)
		if err != nil {
			return err
		}
		if err := c.Get(ctx, "/v1/audit/verify", nil, &v); err != nil {
			return err
		}
	}
	return e.emit(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s, each follows on the one before; the last is %s\n", words.Count(int(v.Events), "event"), orDash(v.Hash))
	})
}

func syncCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Have the server read Git now",
		Long: "sync has the server fetch and index the releases that are new. It reads by itself\n" +
			"every minute, and when a webhook tells of a push.",
		Example: examples("incipit sync", "incipit sync --json=new,problems"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSync(cmd.Context(), e) },
	}
}

func runSync(ctx context.Context, e *env) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	var r registry.SyncReport
	if err := c.Send(ctx, http.MethodPost, "/v1/sync", nil, &r); err != nil {
		return err
	}
	return e.emit(r, func(w io.Writer) {
		for _, tag := range r.New {
			fmt.Fprintf(w, "new %s\n", prompt.Visible(tag))
		}
		for _, p := range r.Problems {
			fmt.Fprintf(w, "%s: %s: %s\n", prompt.Visible(p.Tag), red(p.Code), prompt.Visible(p.Detail))
		}
		fmt.Fprintf(w, "%s known, %s new, %s\n", words.Count(r.Releases, "release"), strconv.Itoa(len(r.New)), words.Count(len(r.Problems), "problem"))
		if r.Backlog > 0 {
			fmt.Fprintf(w, "registry.json in Git is behind by %s: %s\n", words.Count(r.Backlog, "change"), orText(prompt.Visible(r.Deferred), "being pushed"))
		}
	})
}
