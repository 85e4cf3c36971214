package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An IndexedRelease is a release as it was read from Git, with its prompt.
type IndexedRelease struct {
	registry.Release
	TagObject string // the id of the tag's own object: another one is another tag
	Draft     prompt.Draft
}

// AddReleases adds those that are not known yet, in one transaction, and
// returns how many. A release is never changed: one that is known with another
// digest, commit or tag is reported as a problem, and what is known stays.
func (s *Store) AddReleases(ctx context.Context, releases []IndexedRelease) (added int, problems []Problem, err error) {
	var fresh []releaseRow
	heads := make(map[prompt.ID]head)
	for i := range releases {
		row, problem := encodeRelease(&releases[i])
		if problem != "" {
			problems = append(problems, Problem{Tag: releases[i].Tag, Code: Invalid, Detail: problem, Seen: s.now()})
			continue
		}
		fresh = append(fresh, row)
		r := &releases[i]
		if h, ok := heads[r.Prompt]; !ok || r.Version.Compare(h.version) > 0 {
			heads[r.Prompt] = head{r.Version, r.Draft.Prompt.Model, r.Draft.Metadata.Maintainer}
		}
	}
	invalid := problems
	err = s.write(ctx, func(tx *tx) error {
		added, problems = 0, slices.Clone(invalid)
		// One at a time: replicas may index the same tags.
		if _, err := tx.ExecContext(ctx, `UPDATE meta SET number = number + 1 WHERE name = 'releases'`); err != nil {
			return err
		}
		if err := raise(ctx, tx, heads); err != nil {
			return err
		}
		for rows := range slices.Chunk(fresh, insertBatch) {
			known, err := insertReleases(ctx, tx, rows)
			if err != nil {
				return err
			}
			added += len(rows) - len(known)
			for _, r := range known {
				diff, err := identity(ctx, tx, r)
				if err != nil {
					return err
				}
				if diff != "" {
					problems = append(problems, Problem{Tag: r.tag, Code: TagMoved, Detail: diff, Seen: s.now()})
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return added, problems, nil
}

// insertBatch is how many releases go into a statement.
const insertBatch = 50

// insertReleases adds those that are not known, and returns the others.
func insertReleases(ctx context.Context, tx *tx, releases []releaseRow) (known []releaseRow, err error) {
	values := make([]any, 0, len(releases)*13)
	for _, r := range releases {
		values = append(values, r.prompt, r.version, r.tag, r.commit, r.object, r.digest, r.author, r.at, r.notes, r.text, r.metadata, r.pins, r.seal)
	}
	inserted := make(map[string]bool)
	err = rows(ctx, tx, func(rs *sql.Rows) error {
		var tag string
		err := rs.Scan(&tag)
		inserted[tag] = true
		return err
	}, insertRows("release", strings.Split(releaseColumns, ", "), len(releases))+` ON CONFLICT (prompt, version) DO NOTHING RETURNING tag`, values...)
	for _, r := range releases {
		if !inserted[r.tag] {
			known = append(known, r)
		}
		delete(inserted, r.tag) // one that is in the list twice was added once
	}
	return known, err
}

// encodeRelease makes the row of a release. It refuses a prompt that does not
// have the digest it was released with.
func encodeRelease(r *IndexedRelease) (releaseRow, string) {
	digest, err := r.Draft.Prompt.Digest()
	if err != nil {
		return releaseRow{}, err.Error()
	}
	if digest != r.Digest {
		return releaseRow{}, fmt.Sprintf("its files have the digest %s, and its tag says %s", digest, prompt.Clip(r.Digest, 80))
	}
	row := releaseRow{
		prompt: string(r.Prompt), version: r.Version.String(), tag: r.Tag, commit: r.Commit, object: r.TagObject,
		digest: r.Digest, author: r.Author, at: toMicros(r.At), notes: r.Notes,
	}
	for _, part := range []struct {
		from any
		to   *string
	}{{r.Draft.Prompt, &row.text}, {r.Draft.Metadata, &row.metadata}, {r.Draft.Pins, &row.pins}} {
		raw, err := json.Marshal(part.from)
		if err != nil {
			return releaseRow{}, err.Error()
		}
		*part.to = string(raw)
	}
	if err := storable(row.columns()...); err != nil {
		return releaseRow{}, err.Error()
	}
	row.seal = seal(row.columns()...)
	return row, ""
}

// identity says how a release that is known differs from r, "" if it does not.
func identity(ctx context.Context, q querier, r releaseRow) (string, error) {
	var commit, object, digest string
	err := q.QueryRowContext(ctx, `SELECT commit_id, tag_object, digest FROM release WHERE prompt = $1 AND version = $2`, r.prompt, r.version).Scan(&commit, &object, &digest)
	if err != nil {
		return "", err
	}
	var diff []string
	for _, d := range []struct{ what, was, is string }{{"commit", commit, r.commit}, {"digest", digest, r.digest}, {"tag object", object, r.object}} {
		if d.was != d.is {
			diff = append(diff, fmt.Sprintf("%s %s, and was %s", d.what, prompt.Clip(d.is, 80), prompt.Clip(d.was, 80)))
		}
	}
	if len(diff) == 0 {
		return "", nil
	}
	return "the tag has now the " + strings.Join(diff, "; "), nil
}

// A head is the last release of a prompt.
type head struct {
	version           prompt.Version
	model, maintainer string
}

// raise makes heads the last releases of their prompts, where they are newer
// than what is known.
func raise(ctx context.Context, tx *tx, heads map[prompt.ID]head) error {
	known := make(map[prompt.ID]prompt.Version)
	err := rows(ctx, tx, func(rs *sql.Rows) error {
		var id, text string
		err := rs.Scan(&id, &text)
		if v, bad := prompt.ParseVersion(text); bad == nil {
			known[prompt.ID(id)] = v
		}
		return err
	}, `SELECT id, version FROM prompt`)
	if err != nil {
		return err
	}
	var values []any
	for _, id := range slices.Sorted(maps.Keys(heads)) {
		h := heads[id]
		if v, ok := known[id]; !ok || v.Compare(h.version) < 0 {
			values = append(values, string(id), h.version.String(), h.model, h.maintainer)
		}
	}
	for part := range slices.Chunk(values, 4*batch) {
		_, err := tx.ExecContext(ctx, insertRows("prompt", []string{"id", "version", "model", "maintainer"}, len(part)/4)+`
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, model = excluded.model, maintainer = excluded.maintainer`, part...)
		if err != nil {
			return err
		}
	}
	return nil
}

// ReleasesVersion grows when releases are added: a replica that did not add
// them itself asks for it.
func (s *Store) ReleasesVersion(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q querier) (n int64, err error) {
		err = q.QueryRowContext(ctx, `SELECT number FROM meta WHERE name = 'releases'`).Scan(&n)
		return n, err
	})
}

// TagObjects is the id of the tag object of each release that is indexed, by
// tag: what a sync compares the repository with.
func (s *Store) TagObjects(ctx context.Context) (map[string]string, error) {
	return get(ctx, s, func(q querier) (map[string]string, error) {
		out := make(map[string]string)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var tag, object string
			err := rs.Scan(&tag, &object)
			out[tag] = object
			return err
		}, `SELECT tag, tag_object FROM release`)
	})
}
