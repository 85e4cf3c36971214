package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const draftColumns = `prompt, owner, number, base, base_files, files, proposed, updated_us, seal`

// nextDraftSeq counts a change of a draft. It holds the row to the end of its
// transaction: numbers are committed in their order.
const nextDraftSeq = `UPDATE meta SET number = number + 1 WHERE name = 'drafts' RETURNING number`

// maxDrafts bounds how many drafts somebody has.
const maxDrafts = 200

// Draft finds what somebody is writing of a prompt. It reports ErrNotFound if
// they are not.
func (s *Store) Draft(ctx context.Context, id prompt.ID, owner string) (registry.Draft, error) {
	return get(ctx, s, func(q querier) (registry.Draft, error) {
		d, live, err := draft(ctx, q, id, owner)
		if err == nil && !live {
			err = registry.Errorf(registry.ErrNotFound, "%s writes no draft of %s", prompt.Clip(owner, 80), id)
		}
		return d, err
	})
}

// SaveDraft keeps a draft whose number is the one that was seen last, 0 for a
// new one, and returns it with the next. It reports ErrConflict if it was saved
// meanwhile, in another window perhaps: what is there is left alone. A save
// that is sent again counts once.
func (s *Store) SaveDraft(ctx context.Context, d registry.Draft) (registry.Draft, error) {
	if err := errors.Join(d.Files.Validate(), d.BaseFiles.Validate(), storable(string(d.Prompt), d.Owner)); err != nil {
		return d, err
	}
	out := d
	err := s.write(ctx, func(tx *tx) error {
		out = d
		was, live, err := draft(ctx, tx, d.Prompt, d.Owner)
		if err != nil {
			return err
		}
		if live && was.Number == d.Number+1 && maps.Equal(was.Files, d.Files) && was.Base == d.Base {
			out = was
			return nil
		}
		if live && was.Number != d.Number || !live && d.Number != 0 {
			return savedMeanwhile(was, live)
		}
		if !live {
			if err := roomForDraft(ctx, tx, d.Owner); err != nil {
				return err
			}
		}
		out.Number, out.UpdatedAt, out.Proposed = was.Number+1, s.now(), nil
		return putDraft(ctx, tx, out, was.Number, false)
	})
	return out, err
}

func savedMeanwhile(was registry.Draft, live bool) error {
	if !live {
		return finalError{registry.WithFix(registry.Errorf(registry.ErrConflict, "the draft of %s was discarded meanwhile", was.Prompt), "save it as a new one")}
	}
	return finalError{registry.WithFix(registry.Errorf(registry.ErrConflict, "the draft of %s was saved elsewhere meanwhile, as number %d", was.Prompt, was.Number),
		"read it again, put both together, and save that")}
}

func roomForDraft(ctx context.Context, tx *tx, owner string) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM draft WHERE owner = $1 AND files <> ''`, owner).Scan(&n)
	if err == nil && n >= maxDrafts {
		err = finalError{registry.WithFix(registry.Errorf(registry.ErrConflict, "%s has %d drafts, which is the most", prompt.Clip(owner, 80), n), "discard one that is not needed")}
	}
	return err
}

// DiscardDraft forgets a draft of the number that was seen. It reports
// ErrConflict if it was saved meanwhile, and ErrNotFound if there is none.
func (s *Store) DiscardDraft(ctx context.Context, id prompt.ID, owner string, number int64, event registry.Event) error {
	return s.write(ctx, func(tx *tx) error {
		was, live, err := draft(ctx, tx, id, owner)
		switch {
		case err != nil:
			return err
		case !live:
			return finalError{registry.Errorf(registry.ErrNotFound, "%s writes no draft of %s", prompt.Clip(owner, 80), id)}
		case was.Number != number:
			return savedMeanwhile(was, live)
		}
		was.Prompt, was.Owner, was.UpdatedAt, was.Proposed = id, owner, s.now(), nil
		was.Number++
		if err := putDraft(ctx, tx, was, number, true); err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

// DraftProposed notes what became of a draft of a number, with its event. A
// request that was answered before gets that answer. It reports ErrConflict if
// the draft was saved meanwhile.
func (s *Store) DraftProposed(ctx context.Context, id prompt.ID, owner string, number int64, p registry.Proposal, once registry.Once, event registry.Event) (registry.Proposal, error) {
	out := p
	err := s.write(ctx, func(tx *tx) error {
		out = p
		replayed, err := s.answered(ctx, tx, once)
		if err != nil {
			return err
		}
		if replayed != nil {
			return json.Unmarshal(replayed, &out)
		}
		was, live, err := draft(ctx, tx, id, owner)
		if err != nil {
			return err
		}
		if !live || was.Number != number {
			was.Prompt = id
			return savedMeanwhile(was, live)
		}
		if was.Proposed != nil { // by the same person at the same time
			out = *was.Proposed
			return s.answer(ctx, tx, once, out)
		}
		was.Proposed = &p
		if err := putDraft(ctx, tx, was, number, false); err != nil {
			return err
		}
		if err := s.answer(ctx, tx, once, p); err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
	return out, err
}

// Answered is the answer that was given to a request before, nil if there is
// none. It reports ErrInvalid for another request under the same key.
func (s *Store) Answered(ctx context.Context, once registry.Once) ([]byte, error) {
	var out []byte
	err := s.write(ctx, func(tx *tx) (err error) {
		out, err = s.answered(ctx, tx, once)
		return err
	})
	return out, err
}

// Drafts lists who is writing what, the latest first: of a prompt, or of a
// person, or both.
func (s *Store) Drafts(ctx context.Context, id prompt.ID, owner string) ([]registry.DraftNote, error) {
	return get(ctx, s, func(q querier) (out []registry.DraftNote, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var n registry.DraftNote
			var us int64
			err := rs.Scan(&n.Prompt, &n.Owner, &us, &n.Proposed)
			n.UpdatedAt = fromMicros(us)
			out = append(out, n)
			return err
		}, `SELECT prompt, owner, updated_us, proposed <> '' FROM draft
			WHERE files <> '' AND (prompt = $1 OR $1 = '') AND (owner = $2 OR $2 = '')
			ORDER BY updated_us DESC, prompt, owner LIMIT 1000`, string(id), owner)
		return out, err
	})
}

// LastDraftChange is the number of the last change of any draft, 0 if there was
// none. It goes back only when a backup is restored.
func (s *Store) LastDraftChange(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q querier) (int64, error) {
		var seq int64
		err := q.QueryRowContext(ctx, `SELECT number FROM meta WHERE name = 'drafts'`).Scan(&seq)
		return seq, err
	})
}

// DraftChanges lists the drafts that were changed after a number, in the order
// of the last change of each, at most limit of them.
func (s *Store) DraftChanges(ctx context.Context, after int64, limit int) ([]registry.DraftChange, error) {
	return get(ctx, s, func(q querier) (out []registry.DraftChange, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var c registry.DraftChange
			err := rs.Scan(&c.Seq, &c.Prompt, &c.Owner)
			out = append(out, c)
			return err
		}, `SELECT seq, prompt, owner FROM draft WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
		return out, err
	})
}

// draft reads a row. Where there is none, or one that was discarded, live is
// false; of the latter the number counts.
func draft(ctx context.Context, q querier, id prompt.ID, owner string) (d registry.Draft, live bool, err error) {
	var base, baseFiles, files, proposed string
	var us int64
	var sum []byte
	err = q.QueryRowContext(ctx, `SELECT `+draftColumns+` FROM draft WHERE prompt = $1 AND owner = $2`, string(id), owner).
		Scan(&d.Prompt, &d.Owner, &d.Number, &base, &baseFiles, &files, &proposed, &us, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Draft{Prompt: id, Owner: owner}, false, nil
	}
	if err != nil {
		return d, false, err
	}
	what := fmt.Sprintf("the draft of %s by %s", id, prompt.Clip(owner, 80))
	if err := sealed(what, sum, string(d.Prompt), d.Owner, itoa(d.Number), base, baseFiles, files, proposed, itoa(us)); err != nil {
		return registry.Draft{}, false, err
	}
	d.UpdatedAt = fromMicros(us)
	if files == "" {
		return d, false, nil
	}
	for _, column := range []struct {
		text string
		to   any
	}{{base, &d.Base}, {baseFiles, &d.BaseFiles}, {files, &d.Files}, {proposed, &d.Proposed}} {
		if column.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(column.text), column.to); err != nil {
			return d, false, fmt.Errorf("%w: %w", &corruptError{what}, err)
		}
	}
	return d, true, nil
}

// putDraft writes a row over the one that had the number before, 0 for none. A
// discarded one keeps its number alone.
func putDraft(ctx context.Context, tx *tx, d registry.Draft, before int64, discarded bool) error {
	base, baseFiles, files, proposed := "", "", "", ""
	if !discarded {
		if d.Files == nil {
			d.Files = registry.Texts{}
		}
		for to, v := range map[*string]any{&base: d.Base, &baseFiles: d.BaseFiles, &files: d.Files} {
			raw, err := json.Marshal(v)
			if err != nil {
				return err
			}
			*to = string(raw)
		}
		if d.Proposed != nil {
			raw, err := json.Marshal(d.Proposed)
			if err != nil {
				return err
			}
			proposed = string(raw)
		}
	}
	var seq int64
	if err := tx.QueryRowContext(ctx, nextDraftSeq).Scan(&seq); err != nil {
		return err
	}
	us := toMicros(d.UpdatedAt)
	sum := seal(string(d.Prompt), d.Owner, itoa(d.Number), base, baseFiles, files, proposed, itoa(us))
	res, err := tx.ExecContext(ctx, `
		INSERT INTO draft (`+draftColumns+`, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (prompt, owner) DO UPDATE SET number = excluded.number, base = excluded.base, base_files = excluded.base_files,
			files = excluded.files, proposed = excluded.proposed, updated_us = excluded.updated_us, seal = excluded.seal, seq = excluded.seq
		WHERE draft.number = $11`,
		string(d.Prompt), d.Owner, d.Number, base, baseFiles, files, proposed, us, sum, seq, before)
	return one(res, err, finalError{registry.WithFix(registry.Errorf(registry.ErrConflict, "the draft of %s was saved elsewhere meanwhile", d.Prompt), "read it again, put both together, and save that")})
}
