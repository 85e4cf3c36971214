package api

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Headers of requests and answers.
const (
	IdempotencyKey = "Idempotency-Key" // of a change: sent again with the same key, it is made once
	RequestID      = "X-Request-Id"    // taken over from the client, or made
)

// A Page is a part of a list. NextCursor asks for the next one; "" says that
// there is none.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// A Change is the body of a change, or of the question what it would do. Which
// fields count depends on the action; prompt and environment stand in the path.
type Change struct {
	Action      registry.Action           `json:"action,omitempty" enum:"deploy,shift,promote,rollback,retire" doc:"Of a plan; else it stands in the path"`
	Version     string                    `json:"version,omitempty" doc:"deploy; rollback, where none is the last good one"`
	Strategy    registry.Strategy         `json:"strategy,omitempty" enum:"full,canary,blue-green,experiment" doc:"deploy; none is full"`
	Steps       []registry.Share          `json:"steps,omitempty" doc:"deploy by canary: percentages, rising"`
	Bucketing   registry.Bucketing        `json:"bucketing,omitempty" enum:"fnv1a-fmix32,md5-100"`
	Share       registry.Share            `json:"share,omitempty" doc:"shift: the candidate's percentage"`
	Arms        []registry.ArmRequest     `json:"arms,omitempty" maxItems:"9" doc:"deploy of an experiment: its arms beside the stable release, which has the share that they leave"`
	Shares      map[string]registry.Share `json:"shares,omitempty" doc:"shift of an experiment: percentages by arm; an arm that is not named keeps its own"`
	Arm         string                    `json:"arm,omitempty" maxLength:"64" doc:"Of an experiment. promote: the winner, or stable; rollback: the one to take out, none ends the experiment"`
	Primary     string                    `json:"primary,omitempty" maxLength:"64" doc:"deploy of an experiment: the metric that decides: errors (if none is named), latency, first_token, tokens, cost or satisfaction"`
	Reason      string                    `json:"reason,omitempty"`
	Supersede   bool                      `json:"supersede,omitempty" doc:"deploy over an open rollout"`
	Quarantined bool                      `json:"quarantined,omitempty" doc:"deploy what was rolled back, and clear it by that"`
	Manual      bool                      `json:"manual,omitempty" doc:"deploy by canary or blue-green: people alone move the rollout"`
	Confirm     string                    `json:"confirm,omitempty" doc:"The environment's name, where it is protected"`
	Revision    *int64                    `json:"revision,omitempty" doc:"The environment's revision that the caller saw: at another one the answer is a conflict"`
	Seen        *Seen                     `json:"seen,omitempty" doc:"The plan that the caller saw: if it no longer holds the answer is a conflict"`
}

// Seen is what of a plan says whether it still holds.
type Seen struct {
	Seq    int            `json:"seen_seq"`
	To     prompt.Version `json:"to"`
	Digest string         `json:"digest,omitempty"`
}

// Request is the change that is asked for.
func (c Change) Request(action registry.Action, env string, id prompt.ID) registry.Request {
	return registry.Request{
		Action: action, Prompt: id, Environment: env, Version: c.Version, Strategy: c.Strategy, Steps: c.Steps, Bucketing: c.Bucketing, Share: c.Share,
		Arms: c.Arms, Shares: c.Shares, Arm: c.Arm, Primary: c.Primary,
		Reason: c.Reason, Supersede: c.Supersede, Quarantined: c.Quarantined, Manual: c.Manual, Confirm: c.Confirm, Revision: c.Revision,
	}
}

// Plan is the plan of req that the caller saw, as far as it says whether it
// still holds; nil if they saw none.
func (c Change) Plan(req registry.Request) *registry.Plan {
	if c.Seen == nil {
		return nil
	}
	return &registry.Plan{Request: req, SeenSeq: c.Seen.Seq, To: c.Seen.To, Deployment: registry.Deployment{Digest: c.Seen.Digest}}
}

// ChangeOf is the body that asks for req.
func ChangeOf(req registry.Request) Change {
	return Change{
		Action: req.Action, Version: req.Version, Strategy: req.Strategy, Steps: req.Steps, Bucketing: req.Bucketing, Share: req.Share,
		Arms: req.Arms, Shares: req.Shares, Arm: req.Arm, Primary: req.Primary,
		Reason: req.Reason, Supersede: req.Supersede, Quarantined: req.Quarantined, Manual: req.Manual, Confirm: req.Confirm, Revision: req.Revision,
	}
}

// A Release is a release and what it holds.
type Release struct {
	Release  registry.Release          `json:"release"`
	Content  prompt.Prompt             `json:"content"`
	Metadata prompt.Metadata           `json:"metadata"`
	Pins     map[string]prompt.Version `json:"pins,omitempty"`
}

// An EnvironmentRules is what an environment asks of a change there.
type EnvironmentRules struct {
	Protected bool              `json:"protected"`
	Reason    bool              `json:"reason,omitempty"`
	After     string            `json:"after,omitempty"`
	Require   []string          `json:"require,omitempty" doc:"Kinds of evidence that a release must have passed"`
	Wanted    map[string]string `json:"wanted,omitempty" doc:"The same as what each kind must say: tests pass, comparison not-regressed. An answer has it as require"`
	Approvals int               `json:"approvals,omitempty"`
	Freeze    []registry.Freeze `json:"freeze,omitempty"`
	Guard     *registry.Guard   `json:"guard,omitempty"`
}

// RulesOf are the rules of an environment.
func RulesOf(e registry.Environment) EnvironmentRules {
	return EnvironmentRules{Protected: e.Protected, Reason: e.Reason, After: e.After, Require: e.Require, Approvals: e.Approvals, Freeze: e.Freeze, Guard: e.Guard}
}

// Environment is the environment of that name with these rules. It reports
// ErrInvalid if something is wanted of evidence that it cannot say.
func (e EnvironmentRules) Environment(name string) (registry.Environment, error) {
	wanted, err := registry.RequireAll(e.Wanted)
	require := slices.Clone(e.Require)
	for _, kind := range wanted {
		if !slices.Contains(require, kind) {
			require = append(require, kind)
		}
	}
	return registry.Environment{Name: name, Protected: e.Protected, Reason: e.Reason, After: e.After, Require: require, Approvals: e.Approvals, Freeze: e.Freeze, Guard: e.Guard}, err
}

// An ApprovalRequest is a person's word that a release may be deployed.
type ApprovalRequest struct {
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment"`
	Version     string    `json:"version"`
	Digest      string    `json:"digest,omitempty" doc:"That the person saw"`
	Reason      string    `json:"reason,omitempty"`
}

// An EvidenceRequest is what a report says about a digest.
type EvidenceRequest struct {
	Prompt  prompt.ID `json:"prompt"`
	Digest  string    `json:"digest,omitempty" doc:"What it is about; or say the version"`
	Version string    `json:"version,omitempty" doc:"Of the release whose digest it is about"`
	Kind    string    `json:"kind" doc:"tests, review, …: what an environment may require"`
	Passed  bool      `json:"passed"`
	Note    string    `json:"note,omitempty"`

	Statement json.RawMessage `json:"statement,omitempty" doc:"What was signed, as a DSSE envelope. It must agree with digest, kind and passed; all that it says is filed"`
}

// A KeyRequest asks for an API key.
type KeyRequest struct {
	Kind   string           `json:"kind" enum:"sdk,ci,admin,person"`
	Name   string           `json:"name"`
	Person bool             `json:"person,omitempty" doc:"It speaks for a person"`
	Grants []registry.Grant `json:"grants"`
	TTL    int64            `json:"ttl_seconds,omitempty" minimum:"0" doc:"0 is without an end"`
}

// Lifetime is how long the key is to last, 0 without an end.
func (k KeyRequest) Lifetime() time.Duration { return time.Duration(k.TTL) * time.Second }

// A CreatedKey is a key with its secret, which is shown this once.
type CreatedKey struct {
	Secret string       `json:"secret" doc:"The key itself. It is shown this once."`
	Key    registry.Key `json:"key"`
}

// A PersonGrants is what a person may do.
type PersonGrants struct {
	Grants []registry.Grant `json:"grants"`
}

// Events is a page of the audit log.
type Events struct {
	Items     []registry.Event `json:"items"`
	NextAfter int64            `json:"next_after,omitempty" doc:"Ask for what is after this event; none says that there is no more"`

	NextBefore int64 `json:"next_before,omitempty" doc:"With newest: ask for what is before this event; none says that there is no more"`
}

// A Verified says how many events of the audit log were found as they were
// written.
type Verified struct {
	Events int64  `json:"events"`
	Hash   string `json:"hash,omitempty" doc:"Of the last one"`
}

// A ResolveRequest asks for a prompt, rendered for a subject.
type ResolveRequest struct {
	Prompt      prompt.ID         `json:"prompt"`
	Subject     string            `json:"subject" doc:"The sticky unit: user, else conversation, else request"`
	Variables   map[string]string `json:"variables,omitempty"`
	MinRevision int64             `json:"min_revision,omitempty" doc:"Answer from this revision on: waits 2 s at most, then 412"`
}

// Resolved is a prompt as it is sent to a model.
type Resolved struct {
	Prompt       prompt.ID        `json:"prompt"`
	Version      prompt.Version   `json:"version"`
	Digest       string           `json:"digest"`
	Commit       string           `json:"commit"`
	Arm          string           `json:"arm"`
	Environment  string           `json:"environment"`
	Generation   int64            `json:"generation"`
	Revision     int64            `json:"revision"`
	CallID       string           `json:"call_id"`
	Model        string           `json:"model"`
	Messages     []prompt.Message `json:"messages"`
	Parameters   json.RawMessage  `json:"parameters,omitempty"`
	Tools        json.RawMessage  `json:"tools,omitempty"`
	OutputSchema json.RawMessage  `json:"output_schema,omitempty"`
}

// A Goaway is the last event of a stream: the server is about to stop.
type Goaway struct {
	RetryMS int64 `json:"retry_ms" doc:"Reconnect after a random part of this"`
}

// A Health says how the server is.
type Health struct {
	Status string           `json:"status" enum:"ok,degraded,not ready"`
	Checks []registry.Check `json:"checks,omitempty"`
}
