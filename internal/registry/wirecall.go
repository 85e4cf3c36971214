package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A WireCall is a Call as JSON. What was not measured is left out.
type WireCall struct {
	ID           string            `json:"id,omitempty"`
	Prompt       prompt.ID         `json:"prompt"`
	Version      string            `json:"version"`
	Environment  string            `json:"environment"`
	Arm          string            `json:"arm,omitempty"`
	Rollout      string            `json:"rollout,omitempty"`
	Share        *float64          `json:"share,omitempty"` // percent
	Subject      string            `json:"subject,omitempty"`
	StartedAt    time.Time         `json:"started_at"`
	LatencyMS    float64           `json:"latency_ms"`
	FirstTokenMS *float64          `json:"ttft_ms,omitempty"`
	InputTokens  *int64            `json:"input_tokens,omitempty"`
	OutputTokens *int64            `json:"output_tokens,omitempty"`
	CachedTokens *int64            `json:"cached_tokens,omitempty"`
	CostUSD      *float64          `json:"cost_usd,omitempty"`
	Outcome      Outcome           `json:"outcome"`
	ErrorClass   ErrorClass        `json:"error_class,omitempty"`
	FinishReason string            `json:"finish_reason,omitempty"`
	Model        string            `json:"model,omitempty"`
	ResponseID   string            `json:"response_id,omitempty"`
	Satisfaction *float64          `json:"satisfaction,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Input        string            `json:"input,omitempty"`
	Output       string            `json:"output,omitempty"`
}

// Wire is c as JSON is made of it.
func (c *Call) Wire() WireCall {
	w := WireCall{
		Prompt: c.Prompt, Version: c.Version, Environment: c.Environment, Arm: c.Arm, Rollout: c.Rollout, Subject: c.Subject,
		StartedAt: c.StartedAt, LatencyMS: milliseconds(c.Latency),
		Outcome: c.Outcome, ErrorClass: c.ErrorClass, FinishReason: c.FinishReason, Model: c.Model, ResponseID: c.ResponseID,
		Tags: c.Tags, Input: c.Input, Output: c.Output,
		InputTokens: c.InputTokens.pointer(), OutputTokens: c.OutputTokens.pointer(), CachedTokens: c.CachedTokens.pointer(),
		Satisfaction: c.Satisfaction.pointer(),
	}
	if !c.ID.IsZero() {
		w.ID = c.ID.String()
	}
	if c.Share.Known {
		w.Share = new(float64(c.Share.Value) / (Scale / 100))
	}
	if c.FirstToken.Known {
		w.FirstTokenMS = new(milliseconds(c.FirstToken.Value))
	}
	if c.Cost.Known {
		w.CostUSD = new(c.Cost.Value.USD())
	}
	return w
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (o Opt[T]) pointer() *T {
	if !o.Known {
		return nil
	}
	return &o.Value
}
