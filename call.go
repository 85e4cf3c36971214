package incipit

import (
	"maps"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Call is one model call. Prompt.Call fills in the first part; Latency and
// Outcome are needed too. What is left at zero was not measured, except that
// one count of tokens makes measurements of the other two, and Free one of the
// cost.
type Call struct {
	ID          string // a UUIDv7; Client.Record makes one up if it is empty. An id counts once
	Prompt      string
	Version     string // or the digest
	Environment string
	Arm         string
	Rollout     string
	Share       float64 // of the arm at that moment, in percent
	Subject     string
	Model       string

	StartedAt    time.Time // if it is zero, Latency before now
	Latency      time.Duration
	FirstToken   time.Duration // from the start until the first token came
	Outcome      string        // ok, error or cancelled
	ErrorClass   string        // provider, prompt or timeout
	FinishReason string
	ResponseID   string // the provider's
	InputTokens  int64  // cached ones included
	OutputTokens int64
	CachedTokens int64
	CostUSD      float64
	Free         bool    // CostUSD is 0 because it cost nothing
	Satisfaction float64 // from 1 to 5
	Tags         map[string]string
	Input        string // content: sent only with Options.Redact, kept only where the server is told to
	Output       string

	variables string // Input as Prompt.Call made it
}

// Record notes a model call. It never waits: the call is put in a queue, which
// is brought to the server within seconds. Where the queue is full, with
// 10,000 calls or 16 MiB, the oldest is dropped and counted. A call that the
// server refuses is counted too, and the log says why: see Status.
//
// A client without Options.Server has nowhere to bring calls: it counts them
// as dropped, and that is all.
func (c *Client) Record(call Call) {
	if call.ID == "" {
		call.ID = registry.NewCallID(c.clock.now(), c.clock.random())
	}
	if call.StartedAt.IsZero() {
		call.StartedAt = c.clock.now().Add(-call.Latency)
	}
	if call.Environment == "" {
		call.Environment = c.view.Load().snapshot.Environment
	}
	if !c.content {
		call.Input, call.Output, call.variables = "", "", ""
	}
	call.Tags = maps.Clone(call.Tags)
	c.calls.put(&call)
}

// size is about how many bytes a call holds.
func (c *Call) size() int {
	n := 512
	for _, s := range [...]string{
		c.ID, c.Prompt, c.Version, c.Environment, c.Arm, c.Rollout, c.Subject, c.Model,
		c.Outcome, c.ErrorClass, c.FinishReason, c.ResponseID, c.Input, c.Output,
	} {
		n += len(s)
	}
	for k, v := range c.Tags {
		n += len(k) + len(v) + 64
	}
	return n
}

// wire is the call as the server takes it, without its content.
func (c *Call) wire() registry.WireCall {
	w := registry.WireCall{
		ID: c.ID, Prompt: prompt.ID(c.Prompt), Version: c.Version, Environment: c.Environment, Arm: c.Arm, Rollout: c.Rollout, Subject: c.Subject,
		StartedAt: c.StartedAt.UTC(), LatencyMS: milliseconds(c.Latency),
		Outcome: registry.Outcome(c.Outcome), ErrorClass: registry.ErrorClass(c.ErrorClass),
		FinishReason: c.FinishReason, Model: c.Model, ResponseID: c.ResponseID, Tags: c.Tags,
	}
	if c.Share != 0 || c.Rollout != "" {
		w.Share = &c.Share
	}
	if c.FirstToken != 0 {
		w.FirstTokenMS = new(milliseconds(c.FirstToken))
	}
	if c.InputTokens != 0 || c.OutputTokens != 0 || c.CachedTokens != 0 {
		w.InputTokens, w.OutputTokens, w.CachedTokens = &c.InputTokens, &c.OutputTokens, &c.CachedTokens
	}
	if c.CostUSD != 0 || c.Free {
		w.CostUSD = &c.CostUSD
	}
	if c.Satisfaction != 0 {
		w.Satisfaction = &c.Satisfaction
	}
	return w
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
