// Package sqlstore keeps the registry of a server in a database: SQLite, which
// is one file, or PostgreSQL, which several replicas share. All SQL stands
// here, and one text of it serves both; what truly differs is in sqlite.go and
// postgres.go, and in two files of a migration.
//
// Git is the truth of what a prompt is: the table release is an index that can
// be built again from tags. Deployments, decisions and audit events cannot be,
// so they are only ever appended, and triggers in both databases refuse
// anything else.
//
// # Who waits for whom
//
// A change locks its environment's row first and the head of the audit log
// last. So revisions of an environment, numbers of a prompt's deployments and
// numbers of audit events have no gaps, whoever else writes. SQLite has one
// writer at a time anyhow; other processes may write to the same file, as
// "incipit rollback --local" does, and its own locks keep them apart.
//
// # Upgrades
//
// The schema expands before it contracts. A release may add tables, and
// columns with a default, and may stop to use others; it never removes or
// renames what the release before reads or writes. What is unused is removed
// by the release after the next. Statements name their columns, so a server of
// the previous release works beside the new one for as long as it takes to
// replace all replicas, and one version can be taken back without a restore.
//
// Each migration that an older program can live with leaves meta.compatible_from
// as it is; one that it cannot raises it to its own number. A program opens a
// database with a newer schema only if compatible_from is not above the newest
// migration it knows. Before an existing SQLite file is migrated, a backup is
// put beside it.
package sqlstore
