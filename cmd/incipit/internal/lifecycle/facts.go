package lifecycle

import (
	"context"
	"time"
)

// Facts are what a server is and keeps, for the people who use it. Where its
// database and its repository are is not among them.
type Facts struct {
	Database     string           // SQLite or PostgreSQL
	Generation   int64            // grows when a backup is restored
	Revisions    map[string]int64 // by environment
	Git          bool             // releases are read from a repository
	SyncEvery    time.Duration
	Mirror       bool     // registry.json is kept in Git
	EvidenceKeys []string // that evidence of tests must be signed with; none: whoever may file it is believed
	Calls        bool     // are taken
	KeepCalls    time.Duration
	KeepContent  bool
	KeepSubjects bool
	Webhooks     bool // can be added
}

// Facts says what the server is and keeps.
func (s *Shared) Facts(ctx context.Context) (Facts, error) {
	c := s.config
	f := Facts{
		Database: map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[s.db.Kind()],
		Git:      c.Remote != nil, SyncEvery: c.SyncEvery, Mirror: c.Mirror, Calls: c.Calls != nil,
		KeepCalls: c.KeepCalls, KeepContent: c.KeepContent, KeepSubjects: c.KeepSubjects, Webhooks: c.Notify != nil,
	}
	if f.SyncEvery == 0 {
		f.SyncEvery = time.Minute
	}
	if f.KeepCalls == 0 {
		f.KeepCalls = keepCalls
	}
	for _, k := range c.Keys {
		f.EvidenceKeys = append(f.EvidenceKeys, k.ID())
	}
	var err error
	f.Generation, f.Revisions, err = s.Revisions(ctx)
	return f, err
}

// CommitURL is where browsers find a commit, "" if that is not known.
func (s *Shared) CommitURL(commit string) string {
	if s.config.Remote == nil {
		return ""
	}
	return s.config.Remote.CommitURL(commit)
}
