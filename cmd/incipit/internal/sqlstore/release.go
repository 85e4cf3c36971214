package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A releaseRow is a release as the table has it.
type releaseRow struct {
	prompt, version, tag, commit, object, digest, author, notes string
	at                                                          int64
	text, metadata, pins                                        string
	seal                                                        []byte
}

const releaseColumns = `prompt, version, tag, commit_id, tag_object, digest, author, at_us, notes, prompt_json, metadata_json, pins_json, seal`

func (r *releaseRow) columns() []string {
	return []string{r.prompt, r.version, r.tag, r.commit, r.object, r.digest, r.author, itoa(r.at), r.notes, r.text, r.metadata, r.pins}
}

func (r *releaseRow) scan(rs *sql.Rows) error {
	err := rs.Scan(&r.prompt, &r.version, &r.tag, &r.commit, &r.object, &r.digest, &r.author, &r.at, &r.notes, &r.text, &r.metadata, &r.pins, &r.seal)
	if err != nil {
		return err
	}
	return sealed("release "+prompt.Clip(r.prompt+"@"+r.version, 400), r.seal, r.columns()...)
}

func (r *releaseRow) release() (registry.Release, error) {
	v, err := prompt.ParseVersion(r.version)
	return registry.Release{
		Prompt: prompt.ID(r.prompt), Version: v, Tag: r.tag, Commit: r.commit, Digest: r.digest, Author: r.author, At: fromMicros(r.at), Notes: r.notes,
	}, err
}

// Release finds a release. It reports ErrNotFound, and what may be meant.
func (s *Store) Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error) {
	row, err := s.releaseRow(ctx, id, v)
	if err != nil {
		return registry.Release{}, err
	}
	return row.release()
}

func (s *Store) releaseRow(ctx context.Context, id prompt.ID, v prompt.Version) (releaseRow, error) {
	return get(ctx, s, func(q querier) (releaseRow, error) {
		var found []releaseRow
		err := rows(ctx, q, func(rs *sql.Rows) error {
			var r releaseRow
			err := r.scan(rs)
			found = append(found, r)
			return err
		}, `SELECT `+releaseColumns+` FROM release WHERE prompt = $1 AND version = $2`, string(id), v.String())
		if err == nil && len(found) == 0 {
			err = unknownRelease(ctx, q, id, v)
		}
		if err != nil {
			return releaseRow{}, err
		}
		return found[0], nil
	})
}

// Releases lists those of a prompt, the newest version last. A prompt without
// a release has none.
func (s *Store) Releases(ctx context.Context, id prompt.ID) ([]registry.Release, error) {
	return get(ctx, s, func(q querier) (out []registry.Release, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var row releaseRow
			if err := row.scan(rs); err != nil {
				return err
			}
			r, err := row.release()
			out = append(out, r)
			return err
		}, `SELECT `+releaseColumns+` FROM release WHERE prompt = $1`, string(id))
		slices.SortFunc(out, func(a, b registry.Release) int { return a.Version.Compare(b.Version) })
		return out, err
	})
}

// Released reads the prompt of a release, and holds its digest against the one
// that was released: what does not have it is never returned.
func (s *Store) Released(ctx context.Context, r registry.Release) (prompt.Draft, error) {
	row, err := s.releaseRow(ctx, r.Prompt, r.Version)
	if err != nil {
		return prompt.Draft{}, err
	}
	return s.draft(row, r)
}

// Read is Release and Released at once.
func (s *Store) Read(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, prompt.Draft, error) {
	row, err := s.releaseRow(ctx, id, v)
	if err != nil {
		return registry.Release{}, prompt.Draft{}, err
	}
	r, err := row.release()
	if err != nil {
		return r, prompt.Draft{}, err
	}
	d, err := s.draft(row, r)
	return r, d, err
}

// draft is the prompt of a row, which must have the digest of r.
func (s *Store) draft(row releaseRow, r registry.Release) (prompt.Draft, error) {
	var d prompt.Draft
	for _, part := range []struct {
		from string
		to   any
	}{{row.text, &d.Prompt}, {row.metadata, &d.Metadata}, {row.pins, &d.Pins}} {
		if err := json.Unmarshal([]byte(part.from), part.to); err != nil {
			return prompt.Draft{}, s.d.explain(fmt.Errorf("%w: %w", &corruptError{"release " + r.Tag}, err))
		}
	}
	digest, err := d.Prompt.Digest()
	if err == nil && (digest != row.digest || digest != r.Digest) {
		err = registry.WithFix(registry.Errorf(registry.ErrConflict, "release %s has the digest %s here, and %s was asked for", row.tag, digest, prompt.Clip(r.Digest, 80)),
			"compare it with its tag: incipit verify %s", row.tag)
	}
	if err != nil {
		return prompt.Draft{}, err
	}
	return d, nil
}

// unknownRelease says which releases there are instead.
func unknownRelease(ctx context.Context, q querier, id prompt.ID, v prompt.Version) error {
	var versions []prompt.Version
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var text string
		if err := rs.Scan(&text); err != nil {
			return err
		}
		v, err := prompt.ParseVersion(text)
		versions = append(versions, v)
		return err
	}, `SELECT version FROM release WHERE prompt = $1`, string(id))
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return unknownPrompt(ctx, q, id)
	}
	slices.SortFunc(versions, func(a, b prompt.Version) int { return b.Compare(a) })
	names := make([]string, 0, len(versions))
	for _, v := range versions {
		names = append(names, v.String())
	}
	return registry.WithFix(fmt.Errorf("release %s is %w", id.Tag(v), registry.ErrNotFound), "%s; if it was just released, incipit sync", among("releases of "+string(id)+" are ", names))
}

func unknownPrompt(ctx context.Context, q querier, id prompt.ID) error {
	var names []string
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var n string
		err := rs.Scan(&n)
		names = append(names, n)
		return err
	}, `SELECT id FROM prompt WHERE version <> ''`)
	if err != nil {
		return err
	}
	slices.Sort(names)
	return registry.WithFix(fmt.Errorf("prompt %s is %w: it has no release here", prompt.Clip(string(id), 300), registry.ErrNotFound),
		"%s; if it was just released, incipit sync", among("prompts are ", names))
}

// mustHaveRelease reports ErrNotFound for a prompt that has none.
func mustHaveRelease(ctx context.Context, q querier, id prompt.ID) error {
	var n int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM prompt WHERE id = $1 AND version <> ''`, string(id)).Scan(&n)
	if err == nil && n == 0 {
		err = unknownPrompt(ctx, q, id)
	}
	return err
}

// allReleases reads every release, and reports one that is not what was
// written.
func allReleases(ctx context.Context, q querier) error {
	return rows(ctx, q, func(rs *sql.Rows) error {
		var r releaseRow
		return r.scan(rs)
	}, `SELECT `+releaseColumns+` FROM release`)
}
