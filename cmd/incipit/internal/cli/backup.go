package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func backupCommand(e *env) *cobra.Command {
	var f storeFlags
	cmd := &cobra.Command{
		Use:   "backup FILE (--data DIR | --database URL)",
		Short: "Copy the server's database into one file, while it runs",
		Long: "backup writes all of the server's database, of one moment, into FILE and reads it\n" +
			"again to make sure. The file is the same for both databases: what was SQLite can\n" +
			"be restored into PostgreSQL. Texts of released prompts are in it; keys are not,\n" +
			"but digests of them.",
		Example: examples("incipit backup incipit.backup --data /var/lib/incipit", "INCIPIT_DATABASE=postgres://incipit@db/incipit incipit backup incipit.backup"),
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runBackup(cmd.Context(), e, &f, args[0]) },
	}
	f.add(cmd, e)
	return cmd
}

func runBackup(ctx context.Context, e *env, f *storeFlags, file string) (err error) {
	c, err := f.config(e)
	if err != nil {
		return err
	}
	store, err := sqlstore.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m, err := sqlstore.Backup(ctx, store, file)
	if err != nil {
		return err
	}
	return e.emit(m, func(w io.Writer) { printManifest(w, file, m) })
}

func restoreCommand(e *env) *cobra.Command {
	var f storeFlags
	cmd := &cobra.Command{
		Use:   "restore FILE (--data DIR | --database URL)",
		Short: "Put a backup in the place of the server's database",
		Long: "restore checks FILE first, and then puts it in the place of what is there, whole or\n" +
			"not at all. Stop the server before. The generation grows by one, so that every\n" +
			"application takes what the backup says although its revisions are older.",
		Example: examples("incipit restore incipit.backup --data /var/lib/incipit", "INCIPIT_DATABASE=postgres://incipit@db/incipit incipit restore incipit.backup"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestore(cmd.Context(), e, &f, args[0])
		},
	}
	f.add(cmd, e)
	return cmd
}

func runRestore(ctx context.Context, e *env, f *storeFlags, file string) error {
	c, err := f.config(e)
	if err != nil {
		return err
	}
	m, err := sqlstore.Restore(ctx, file, c)
	if err != nil {
		return err
	}
	return e.emit(m, func(w io.Writer) { printManifest(w, file, m) })
}

func printManifest(w io.Writer, file string, m sqlstore.Manifest) {
	fmt.Fprintf(w, "%s  generation %d, %s, %s\n", bold(prompt.Visible(file)), m.Generation, words.Count(int(m.Rows["release"]), "release"), words.Count(int(m.Rows["deployment"]), "deployment"))
	fmt.Fprintf(w, "  audit log  %s, verified\n", words.Count(int(m.AuditEvents), "event"))
	for _, env := range slices.Sorted(maps.Keys(m.Revisions)) {
		was := ""
		if old, ok := m.Replaced[env]; ok && old != m.Revisions[env] {
			was = fmt.Sprintf(", was %d", old)
		}
		fmt.Fprintf(w, "  %-10s revision %d%s\n", env, m.Revisions[env], was)
	}
	if m.Digest != "" {
		fmt.Fprintf(w, "  %s\n", m.Digest)
	}
	if m.Kept != "" {
		fmt.Fprintf(w, "  what was there before is kept in %s\n", prompt.Visible(m.Kept))
	}
}
