package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Sync fetches from Git and indexes the releases that are new. What was indexed
// before does not change by it: a tag that moved or vanished is a problem that
// the report names. One Sync runs at a time; a second waits for it.
func (s *Shared) Sync(ctx context.Context) (*registry.SyncReport, error) {
	if s.config.Remote == nil {
		return nil, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "this server has no Git repository"), "start it with --repo")
	}
	s.syncing.Lock()
	defer s.syncing.Unlock()
	added, err := s.sync(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.status.Error = prompt.Visible(err.Error())
		return nil, err
	}
	s.status.At, s.status.New, s.status.Error = s.config.Now().UTC(), added, ""
	return s.report(ctx, s.status)
}

// SyncStatus is what the last Sync came to.
func (s *Shared) SyncStatus(ctx context.Context) (*registry.SyncReport, error) {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	return s.report(ctx, status)
}

func (s *Shared) report(ctx context.Context, r registry.SyncReport) (*registry.SyncReport, error) {
	known, err := s.db.TagObjects(ctx)
	if err != nil {
		return nil, err
	}
	problems, err := s.db.Problems(ctx)
	if err != nil {
		return nil, err
	}
	r.Releases, r.Problems = len(known), make([]registry.Problem, len(problems))
	for i, p := range problems {
		r.Problems[i] = registry.Problem{Tag: p.Tag, Code: p.Code, Detail: p.Detail, Fix: fixOf(p)}
	}
	if r.New == nil {
		r.New = []string{}
	}
	r.Backlog, err = s.db.MirrorSize(ctx)
	return &r, err
}

// fixOf is what to do about a tag.
func fixOf(p sqlstore.Problem) string {
	switch p.Code {
	case sqlstore.TagMoved:
		return "put the tag back to what it named, then incipit sync; release what is new as a new version"
	case sqlstore.TagVanished:
		return "push it again from a clone that still has it: git push origin refs/tags/" + p.Tag
	}
	return "if it is a release of yours, delete the tag and release the prompt again with incipit release"
}

func (s *Shared) sync(ctx context.Context) (added []string, err error) {
	if err := s.config.Remote.Fetch(ctx); err != nil {
		return nil, err
	}
	ws, err := s.config.Remote.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ws.Close()) }()
	known, err := s.db.TagObjects(ctx)
	if err != nil {
		return nil, err
	}
	added, problems, tags, err := s.index(ctx, ws, known)
	if err != nil {
		return nil, err
	}
	for _, p := range tags {
		problems = append(problems, sqlstore.Problem{Tag: p.Tag, Code: p.Code, Detail: p.Detail})
	}
	if err := s.db.SetProblems(ctx, problems); err != nil {
		return nil, err
	}
	for _, p := range problems {
		s.config.Log.Warn("a tag is not what was released", "tag", p.Tag, "code", p.Code, "detail", p.Detail)
	}
	return added, s.adopt(ctx, ws)
}

// index reads what is new and writes it, both at once: git works while the
// database does. It returns the tags that were added, what the database refused
// and what is wrong with tags.
func (s *Shared) index(ctx context.Context, ws *source.Workspace, known map[string]string) (added []string, refused []sqlstore.Problem, tags []source.TagProblem, err error) {
	batches := make(chan []source.Indexed, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		result, err := ws.IndexEach(ctx, known, func(batch []source.Indexed) error {
			select {
			case batches <- batch:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		tags = result.Problems
		return err
	})
	g.Go(func() error {
		for batch := range batches {
			rows := make([]sqlstore.IndexedRelease, len(batch))
			for i, r := range batch {
				rows[i] = sqlstore.IndexedRelease{Release: r.Release, TagObject: r.Object, Draft: r.Draft}
				added = append(added, r.Tag)
			}
			_, more, err := s.db.AddReleases(ctx, rows)
			refused = append(refused, more...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	err = g.Wait()
	return added, refused, tags, err
}

// adopt takes in, the first time, what incipit.yaml says of environments and
// what registry.json says runs where. From then on the database is the truth of
// both: who may push to Git must not be able to lift a protection.
func (s *Shared) adopt(ctx context.Context, ws *source.Workspace) error {
	envs, err := s.db.Environments(ctx)
	if err != nil || len(envs) > 0 {
		return err
	}
	environments := slices.Clone(ws.Config.Environments)
	for i, e := range environments {
		environments[i].Reason = e.Reason || e.Protected
		if err := checkGuard(e); err != nil {
			return fmt.Errorf("environment %s: %w", e.Name, err)
		}
	}
	tracks, err := ws.Deployments(ctx)
	if err != nil {
		return err
	}
	for id, byEnv := range tracks {
		maps.DeleteFunc(byEnv, func(env string, track registry.Track) bool {
			why := s.unfit(ctx, id, track)
			if !slices.ContainsFunc(environments, func(e registry.Environment) bool { return e.Name == env }) {
				why = registry.Errorf(registry.ErrNotFound, "incipit.yaml has no such environment")
			}
			if why != nil {
				s.config.Log.Warn("what registry.json says is not taken in", "prompt", id, "environment", env, "error", why)
			}
			return why != nil
		})
	}
	e := event(registry.WithCaller(ctx, registry.Caller{Name: "incipit", Source: "sync"}), "import")
	e.Reason = "first start, from " + placeless(s.config.Remote.URL())
	n, adopted, err := s.db.Adopt(ctx, environments, tracks, e)
	if adopted {
		s.config.Log.Info("took in what the repository says", "environments", len(environments), "deployments", n)
	}
	return err
}

// placeless is where a repository is, without the place of a directory on the
// server's machine: whoever may read the audit log need not know that.
func placeless(url string) string {
	if filepath.IsAbs(url) {
		return filepath.Base(url)
	}
	return url
}

// unfit reports why what runs at the end of a track could not be served.
func (s *Shared) unfit(ctx context.Context, id prompt.ID, track registry.Track) error {
	now, ok := track.Current()
	if !ok {
		return nil
	}
	_, err := s.Entry(ctx, id, now)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return nil
}
