package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// deploymentColumns are those that scanDeployment reads.
const deploymentColumns = `d.environment, d.prompt, d.seq, d.revision, d.action, d.version, d.digest, d.from_version, d.rollout, d.at_us, d.actor, d.reason, d.seal`

// A deploymentRow is a deployment as the table has it.
type deploymentRow struct {
	environment, prompt, action, version, digest, from, rollout, actor, reason string
	seq, revision, at                                                          int64
	seal                                                                       []byte
}

func (r *deploymentRow) columns() []string {
	return []string{r.environment, r.prompt, itoa(r.seq), itoa(r.revision), r.action, r.version, r.digest, r.from, r.rollout, itoa(r.at), r.actor, r.reason}
}

// insertDeployment appends d. The primary key is the lock: a number that is
// taken fails.
func insertDeployment(ctx context.Context, tx *tx, env string, id prompt.ID, d registry.Deployment) error {
	r := deploymentRow{
		environment: env, prompt: string(id), seq: int64(d.Seq), revision: d.Revision, action: string(d.Action), version: d.Version.String(),
		digest: d.Digest, from: d.From, at: toMicros(d.At), actor: d.By, reason: d.Reason,
	}
	if d.Rollout != nil {
		raw, err := json.Marshal(d.Rollout)
		if err != nil {
			return err
		}
		r.rollout = string(raw)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO deployment (environment, prompt, seq, revision, action, version, digest, from_version, rollout, at_us, actor, reason, seal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.environment, r.prompt, r.seq, r.revision, r.action, r.version, r.digest, r.from, r.rollout, r.at, r.actor, r.reason, seal(r.columns()...))
	return err
}

func scanDeployment(rs *sql.Rows) (env string, rec registry.Record, err error) {
	var r deploymentRow
	if err := rs.Scan(&r.environment, &r.prompt, &r.seq, &r.revision, &r.action, &r.version, &r.digest, &r.from, &r.rollout, &r.at, &r.actor, &r.reason, &r.seal); err != nil {
		return "", rec, err
	}
	what := fmt.Sprintf("deployment %d of %s in %s", r.seq, prompt.Clip(r.prompt, 300), prompt.Clip(r.environment, 80))
	if err := sealed(what, r.seal, r.columns()...); err != nil {
		return "", rec, err
	}
	rec = registry.Record{Prompt: prompt.ID(r.prompt), Deployment: registry.Deployment{
		Seq: int(r.seq), Action: registry.Action(r.action), Digest: r.digest, From: r.from, At: fromMicros(r.at), By: r.actor, Reason: r.reason, Revision: r.revision,
	}}
	if rec.Version, err = parseStored(r.version); err != nil {
		return "", rec, fmt.Errorf("%s: %w", what, err)
	}
	if r.rollout != "" {
		rec.Rollout = new(registry.Rollout)
		if err := json.Unmarshal([]byte(r.rollout), rec.Rollout); err != nil {
			return "", rec, fmt.Errorf("%s: %w", what, err)
		}
	}
	return r.environment, rec, nil
}

// parseStored reads a version that we wrote: the zero version, too.
func parseStored(s string) (prompt.Version, error) {
	if s == (prompt.Version{}).String() {
		return prompt.Version{}, nil
	}
	return prompt.ParseVersion(s)
}

func deployments(ctx context.Context, q querier, add func(env string, r registry.Record), where string, args ...any) error {
	return rows(ctx, q, func(rs *sql.Rows) error {
		env, r, err := scanDeployment(rs)
		if err == nil {
			add(env, r)
		}
		return err
	}, `SELECT `+deploymentColumns+` FROM deployment d `+where, args...)
}

func track(ctx context.Context, q querier, id prompt.ID, env string) (registry.Track, error) {
	var t registry.Track
	err := deployments(ctx, q, func(_ string, r registry.Record) { t = append(t, r.Deployment) },
		`WHERE d.environment = $1 AND d.prompt = $2 ORDER BY d.seq`, env, string(id))
	return t, err
}

// Tracks is what was done to a prompt, by environment.
func (s *Store) Tracks(ctx context.Context, id prompt.ID) (map[string]registry.Track, error) {
	return getAll(ctx, s, func(q querier) (map[string]registry.Track, error) {
		out := make(map[string]registry.Track)
		if err := mustHaveRelease(ctx, q, id); err != nil {
			return nil, err
		}
		return out, deployments(ctx, q, func(env string, r registry.Record) { out[env] = append(out[env], r.Deployment) },
			`WHERE d.prompt = $1 ORDER BY d.environment, d.seq`, string(id))
	})
}

// TracksIn is what was done in an environment, by prompt. It reports
// ErrNotFound for an unknown environment.
func (s *Store) TracksIn(ctx context.Context, env string) (map[prompt.ID]registry.Track, error) {
	return getAll(ctx, s, func(q querier) (map[prompt.ID]registry.Track, error) {
		if _, _, err := environment(ctx, q, env); err != nil {
			return nil, err
		}
		out := make(map[prompt.ID]registry.Track)
		return out, deployments(ctx, q, func(_ string, r registry.Record) { out[r.Prompt] = append(out[r.Prompt], r.Deployment) },
			`WHERE d.environment = $1 ORDER BY d.prompt, d.seq`, env)
	})
}

// last finds the last record of each prompt in each environment, by one step
// down the primary key for each.
const last = `JOIN environment e ON e.name = d.environment JOIN prompt p ON p.id = d.prompt
	WHERE d.seq = (SELECT MAX(x.seq) FROM deployment x WHERE x.environment = e.name AND x.prompt = p.id)`

// Running is the last record of each prompt in an environment, the retired ones
// too, with the revision and the generation of the same moment.
func (s *Store) Running(ctx context.Context, env string) (registry.Current, error) {
	return getAll(ctx, s, func(q querier) (registry.Current, error) {
		c := registry.Current{Prompts: make(map[prompt.ID]registry.Deployment)}
		var err error
		if c.Generation, err = generation(ctx, q); err != nil {
			return c, err
		}
		if _, c.Revision, err = environment(ctx, q, env); err != nil {
			return c, err
		}
		return c, deployments(ctx, q, func(_ string, r registry.Record) { c.Prompts[r.Prompt] = r.Deployment }, last+` AND e.name = $1`, env)
	})
}

// Standings lists every prompt, in order.
func (s *Store) Standings(ctx context.Context) ([]registry.Standing, error) {
	return getAll(ctx, s, func(q querier) ([]registry.Standing, error) {
		var out []registry.Standing
		err := rows(ctx, q, func(rs *sql.Rows) error {
			st := registry.Standing{Running: make(map[string]registry.Deployment)}
			err := rs.Scan(&st.Prompt, &st.Version, &st.Model, &st.Maintainer)
			out = append(out, st)
			return err
		}, `SELECT id, version, model, maintainer FROM prompt`)
		if err != nil {
			return nil, err
		}
		// Not by the database: PostgreSQL orders texts as its locale says.
		slices.SortFunc(out, func(a, b registry.Standing) int { return cmp.Compare(a.Prompt, b.Prompt) })
		running := make(map[prompt.ID]map[string]registry.Deployment, len(out))
		for _, st := range out {
			running[st.Prompt] = st.Running
		}
		return out, deployments(ctx, q, func(env string, r registry.Record) { running[r.Prompt][env] = r.Deployment }, last)
	})
}

// Since lists the records after a revision of an environment, at most limit of
// them, the oldest first: each has a revision one higher than the one before.
func (s *Store) Since(ctx context.Context, env string, revision int64, limit int) ([]registry.Record, error) {
	return get(ctx, s, func(q querier) (out []registry.Record, err error) {
		err = deployments(ctx, q, func(_ string, r registry.Record) { out = append(out, r) },
			`WHERE d.environment = $1 AND d.revision > $2 ORDER BY d.revision LIMIT $3`, env, revision, limit)
		return out, err
	})
}
