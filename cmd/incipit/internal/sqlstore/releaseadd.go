package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An IndexedRelease is a release as it was read from Git, with its prompt.
type IndexedRelease struct {
	registry.Release
	TagObject string // the id of the tag's own object: another one is another tag
	Draft     prompt.Draft
}

// The codes of problems with a tag.
const (
	TagMoved    = "tag-moved"    // it names something else than what was indexed
	TagVanished = "tag-vanished" // it is gone
	Forged      = "forged"       // it does not say what a release's tag says
	Invalid     = "invalid"      // its prompt cannot be read
)

// A Problem is what is wrong with a tag. What was indexed before is served
// nevertheless: a tag in Git never changes what runs.
type Problem struct {
	Tag    string    `json:"tag"`
	Code   string    `json:"code"`
	Detail string    `json:"detail"`
	Seen   time.Time `json:"seen"` // the first time
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
		for _, id := range slices.Sorted(maps.Keys(heads)) { // in one order, for all replicas
			if err := heads[id].raise(ctx, tx, id); err != nil {
				return err
			}
		}
		insert, err := tx.PrepareContext(ctx, `
			INSERT INTO release (`+releaseColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (prompt, version) DO NOTHING`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range fresh {
			res, err := insert.ExecContext(ctx, r.prompt, r.version, r.tag, r.commit, r.object, r.digest, r.author, r.at, r.notes, r.text, r.metadata, r.pins, r.seal)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			added += int(n)
			if n == 1 {
				continue
			}
			known, err := identity(ctx, tx, r)
			if err != nil {
				return err
			}
			if known != "" {
				problems = append(problems, Problem{Tag: r.tag, Code: TagMoved, Detail: known, Seen: s.now()})
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return added, problems, nil
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

// raise makes h the last release of the prompt, if it is newer than the one
// that is known.
func (h head) raise(ctx context.Context, tx *tx, id prompt.ID) error {
	if err := knownPrompt(ctx, tx, id); err != nil {
		return err
	}
	var text string
	err := tx.QueryRowContext(ctx, `UPDATE prompt SET version = version WHERE id = $1 RETURNING version`, string(id)).Scan(&text)
	if err != nil {
		return err
	}
	if known, err := prompt.ParseVersion(text); err == nil && known.Compare(h.version) >= 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE prompt SET version = $1, model = $2, maintainer = $3 WHERE id = $4`, h.version.String(), h.model, h.maintainer, string(id))
	return err
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

// SetProblems replaces all problems with those that the last sync found. One
// that was known keeps the time it was first seen.
func (s *Store) SetProblems(ctx context.Context, problems []Problem) error {
	for _, p := range problems {
		if err := storable(p.Tag, p.Code, p.Detail); err != nil {
			return err
		}
	}
	return s.write(ctx, func(tx *tx) error {
		known, err := listProblems(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM release_problem`); err != nil {
			return err
		}
		for _, p := range problems {
			if p.Seen.IsZero() {
				p.Seen = s.now()
			}
			if i := slices.IndexFunc(known, func(k Problem) bool { return k.Tag == p.Tag && k.Code == p.Code }); i >= 0 {
				p.Seen = known[i].Seen
			}
			_, err := tx.ExecContext(ctx, `
				INSERT INTO release_problem (tag, code, detail, seen_us) VALUES ($1, $2, $3, $4)
				ON CONFLICT (tag) DO NOTHING`, p.Tag, p.Code, p.Detail, toMicros(p.Seen))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Problems lists what is wrong with tags, in their order.
func (s *Store) Problems(ctx context.Context) ([]Problem, error) {
	return get(ctx, s, func(q querier) ([]Problem, error) { return listProblems(ctx, q) })
}

func listProblems(ctx context.Context, q querier) ([]Problem, error) {
	var out []Problem
	err := rows(ctx, q, func(rs *sql.Rows) error {
		p, err := scanProblem(rs.Scan)
		out = append(out, p)
		return err
	}, `SELECT tag, code, detail, seen_us FROM release_problem`)
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Tag, b.Tag) })
	return out, err
}

func scanProblem(scan func(...any) error) (Problem, error) {
	var p Problem
	var seen int64
	err := scan(&p.Tag, &p.Code, &p.Detail, &seen)
	p.Seen = fromMicros(seen)
	return p, err
}

// Problem is what is wrong with the tag of a release, nil if nothing is. What
// runs goes on; whether something new may start with it is a rule of change.
func (s *Store) Problem(ctx context.Context, id prompt.ID, v prompt.Version) (*Problem, error) {
	return get(ctx, s, func(q querier) (*Problem, error) {
		p, err := scanProblem(q.QueryRowContext(ctx, `SELECT tag, code, detail, seen_us FROM release_problem WHERE tag = $1`, id.Tag(v)).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return &p, err
	})
}
