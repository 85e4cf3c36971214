package calllog

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// recordColumns are what scanRecord reads, of a call c and its origin o.
const recordColumns = `c.seq, c.id, c.started_us, c.latency_us, c.ttft_us, c.input_tokens, c.output_tokens, c.cached_tokens, c.cost_nano, ` +
	`c.outcome, c.response_id, c.satisfaction, c.subject_hash, c.subject, c.tags, c.input, c.output, ` +
	`o.prompt, o.environment, o.version, o.arm, o.rollout, o.share, o.model, o.finish_reason`

func scanRecord(scan func(...any) error) (Record, error) {
	var (
		r                               Record
		c                               = &r.Call
		id, subject                     []byte
		promptID                        string
		started, latency, outcome       int64
		firstToken, in, out, cached     sql.Null[int64]
		cost, share                     sql.Null[int64]
		satisfaction                    sql.Null[float64]
		response, who, tags, input, txt sql.Null[string]
	)
	if err := scan(&r.Seq, &id, &started, &latency, &firstToken, &in, &out, &cached, &cost,
		&outcome, &response, &satisfaction, &subject, &who, &tags, &input, &txt,
		&promptID, &c.Environment, &c.Version, &c.Arm, &c.Rollout, &share, &c.Model, &c.FinishReason); err != nil {
		return Record{}, err
	}
	if len(id) != len(c.ID) || len(subject) != 0 && len(subject) != len(r.Subject) {
		return Record{}, notWritten(r.Seq, "an id of another length")
	}
	copy(c.ID[:], id)
	copy(r.Subject[:], subject)
	c.Prompt = prompt.ID(promptID)
	c.StartedAt, c.Latency = time.UnixMicro(started).UTC(), micros(latency)
	c.FirstToken = optional(firstToken, micros)
	c.InputTokens, c.OutputTokens, c.CachedTokens = optional(in, same), optional(out, same), optional(cached, same)
	c.Cost = optional(cost, func(n int64) registry.NanoUSD { return registry.NanoUSD(n) })
	c.Share = optional(share, func(n int64) registry.Share { return registry.Share(n) })
	c.Satisfaction = optional(satisfaction, same)
	c.ResponseID, c.Subject, c.Input, c.Output = response.V, who.V, input.V, txt.V
	if tags.Valid {
		if err := json.Unmarshal([]byte(tags.V), &c.Tags); err != nil {
			return Record{}, notWritten(r.Seq, err.Error())
		}
	}
	var known bool
	if c.Outcome, c.ErrorClass, known = outcomeNumbered(outcome); !known {
		return Record{}, notWritten(r.Seq, fmt.Sprintf("the outcome %d", outcome))
	}
	return r, nil
}

func notWritten(seq int64, what string) error {
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "call %d of the log is not what was written: %s", seq, what), "restore the last backup")
}

func outcomeNumbered(n int64) (registry.Outcome, registry.ErrorClass, bool) {
	switch n {
	case outcomeOK:
		return registry.OK, "", true
	case outcomeProvider:
		return registry.Failed, registry.ProviderError, true
	case outcomePrompt:
		return registry.Failed, registry.PromptError, true
	case outcomeTimeout:
		return registry.Failed, registry.TimeoutError, true
	case outcomeError:
		return registry.Failed, "", true
	case outcomeCancelled:
		return registry.Cancelled, "", true
	}
	return "", "", false
}

func optional[From, To any](v sql.Null[From], as func(From) To) registry.Opt[To] {
	if !v.Valid {
		return registry.Opt[To]{}
	}
	return registry.Some(as(v.V))
}

func same[T any](v T) T { return v }

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
