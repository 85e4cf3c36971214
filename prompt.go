package incipit

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The errors of this package wrap one of these.
var (
	ErrNotFound    = registry.ErrNotFound    // no release of the prompt, or none in the range, runs here
	ErrInvalid     = prompt.ErrInvalid       // the values do not fit the prompt, or an argument cannot be right
	ErrUnavailable = registry.ErrUnavailable // there is nothing to serve from
	ErrForbidden   = registry.ErrForbidden   // the server refuses the key
	ErrStale       = errors.New("too old")   // see WithMaxStaleness
)

// A Subject is the sticky unit of a rollout: a user, else a conversation. The
// same subject stays on the same release; "" draws anew for each request.
type Subject string

// Vars are the values of a prompt's variables, by name.
type Vars map[string]string

// A Message is one turn, with the values put in.
type Message struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// A Prompt is what to send to a model, and which release it is.
type Prompt struct {
	ID      string
	Version string
	Digest  string // of all that a model is asked: same digest, same question
	Commit  string // that the release is, where it is known

	Environment string
	Arm         string // of a rollout: stable, candidate, or an arm of an experiment
	Revision    int64  // of the environment
	CallID      string // a new one for each call of Client.Prompt
	Source      string // stream, disk, bundle, files or override
	Stale       bool   // it is older than WithMaxStaleness asks for

	// The JSON is shared by all callers and must not be changed.
	Model        string
	Messages     []Message
	Parameters   json.RawMessage // an object such as {"temperature": 0.2}, or nil
	Tools        json.RawMessage // an array, or nil
	OutputSchema json.RawMessage // a JSON Schema, or nil

	subject Subject
	rollout string
	share   float64
	values  Vars // with Options.Redact
}

// Call starts the record of the model call that p is for: what is known of it
// before it is made. With Options.Redact its Input is the values of the
// variables, as JSON; each of them is redacted before it is sent. A second
// model call with p needs another id: set Call.ID to "".
func (p Prompt) Call() Call {
	c := Call{
		ID: p.CallID, Prompt: p.ID, Version: p.Version, Environment: p.Environment, Arm: p.Arm,
		Rollout: p.rollout, Share: p.share, Subject: string(p.subject), Model: p.Model,
	}
	if p.values != nil {
		c.variables = object(p.values)
		c.Input = c.variables
	}
	return c
}

// Staleness says what becomes of a prompt that is too old.
type Staleness int

// Serve marks it as stale, Fail answers ErrStale.
const (
	Serve Staleness = iota
	Fail
)

// A PromptOption is a wish for one call of Client.Prompt.
type PromptOption struct {
	versions string
	within   time.Duration
	older    Staleness
}

// WithVersion asks for a release in a range such as ^1, which is what the
// program was written for. A subject of a candidate outside of it is served the
// stable release; if that is outside too, the bundle's; if there is none, the
// answer is ErrNotFound.
func WithVersion(versions string) PromptOption { return PromptOption{versions: versions} }

// WithMaxStaleness says what to do if Client.Age is more than d.
func WithMaxStaleness(d time.Duration, older Staleness) PromptOption {
	return PromptOption{within: max(d, 1), older: older}
}

// Prompt answers which release of the prompt serves subject, with vars put in.
// It does not wait and uses no network. Of a prompt that no release of runs
// here, or that was retired, the bundle's is served, if it has one.
//
// It reports ErrNotFound, ErrInvalid if vars do not fit, and ErrStale; after
// Close it still serves what was known last.
func (c *Client) Prompt(ctx context.Context, id string, subject Subject, vars Vars, opts ...PromptOption) (Prompt, error) {
	if err := ctx.Err(); err != nil {
		return Prompt{}, err
	}
	var want PromptOption
	for _, o := range opts {
		if o.versions != "" {
			want.versions = o.versions
		}
		if o.within != 0 {
			want.within, want.older = o.within, o.older
		}
	}
	callID := registry.NewCallID(c.clock.now(), c.clock.random())
	if p, ok := c.overrides[id]; ok {
		return override(p, id, callID, subject, want)
	}
	unit := string(subject)
	if unit == "" {
		unit = callID
	}
	v, r, err := c.choose(prompt.ID(id), unit, want.versions)
	if err != nil {
		return Prompt{}, err
	}
	age := c.ageOf(v)
	stale := want.within > 0 && age > want.within
	if stale && want.older == Fail {
		return Prompt{}, registry.Errorf(ErrStale, "%s: what is known of %s was confirmed %s ago, at most %s is asked for; see that the server can be reached",
			prompt.Clip(id, 80), c.place(v), age.Round(time.Second), want.within)
	}
	messages, err := prompt.RenderAs[Message](r.template, prompt.Vars(vars))
	if err != nil {
		return Prompt{}, registry.Errorf(ErrInvalid, "%s@%s: %v", prompt.Clip(id, 80), r.version, err)
	}
	if c.content {
		vars = maps.Clone(vars) // the caller may go on with it
	} else {
		vars = nil
	}
	return Prompt{
		ID: id, Version: r.version, Digest: r.digest, Commit: r.commit,
		Environment: v.snapshot.Environment, Arm: r.arm, Revision: v.snapshot.Revision, CallID: callID, Source: v.source, Stale: stale,
		Model: r.model, Messages: messages, Parameters: r.parameters, Tools: r.tools, OutputSchema: r.outputSchema,
		subject: subject, rollout: r.rollout, share: r.share, values: vars,
	}, nil
}

// resolve answers from what is served now. It allocates nothing.
func (c *Client) resolve(id prompt.ID, subject string) (*view, *release, error) {
	v := c.view.Load()
	r, err := v.resolve(id, subject)
	return v, r, err
}

// choose is resolve, and then whatever else may serve the subject.
func (c *Client) choose(id prompt.ID, subject, versions string) (*view, *release, error) {
	v, r, err := c.resolve(id, subject)
	if err != nil {
		err = c.absent(v, id, err)
	} else if versions == "" {
		return v, r, nil
	} else if r, err = v.inRange(id, r, versions); err == nil || !errors.Is(err, ErrNotFound) {
		return v, r, err
	}
	if b := c.bundle; b != nil && b != v {
		r, bundleErr := b.resolve(id, subject)
		if bundleErr == nil {
			r, bundleErr = b.inRange(id, r, versions)
		}
		if bundleErr == nil || errors.Is(bundleErr, ErrInvalid) {
			return b, r, bundleErr
		}
	}
	return v, nil, err
}

// absent says why v has no release of a prompt, and what to try.
func (c *Client) absent(v *view, id prompt.ID, err error) error {
	name := prompt.Clip(string(id), 80)
	if why := v.refused[id]; why != nil {
		return registry.Errorf(ErrUnavailable, "%s cannot be served: %v", name, why)
	}
	if _, bad := prompt.ParseID(string(id)); bad != nil {
		return bad
	}
	where := c.place(v)
	if e := v.snapshot.Prompts[id]; e != nil && e.Removed {
		return registry.Errorf(ErrNotFound, "%s was retired in %s, as of revision %d; deploy a release of it, or stop asking for it", name, where, v.snapshot.Revision)
	}
	if v.source == fromFiles && v.snapshot.Environment == "" {
		return registry.Errorf(ErrNotFound, "%s: there is no such prompt in %s; see incipit list", name, where)
	}
	if env := v.snapshot.Environment; env != "" {
		return registry.Errorf(ErrNotFound, "%s runs no release in %s, as of revision %d; deploy one: incipit deploy %s@VERSION --env %s", name, where, v.snapshot.Revision, name, env)
	}
	return err
}

// place names what v is about, for a message.
func (c *Client) place(v *view) string {
	if env := v.snapshot.Environment; env != "" {
		return prompt.Clip(env, 60)
	}
	if v.source == fromFiles {
		return "the files"
	}
	return "the overrides"
}

// override answers with what a test has set.
func override(p Prompt, id, callID string, subject Subject, want PromptOption) (Prompt, error) {
	if want.versions != "" && p.Version != "" {
		v, err := prompt.ParseVersion(p.Version)
		if err != nil {
			return Prompt{}, registry.Errorf(ErrInvalid, "Options.Overrides: %v", err)
		}
		if ok, err := v.In(want.versions); err != nil || !ok {
			return Prompt{}, outside(prompt.ID(id), want.versions, p.Version, err)
		}
	}
	p.ID, p.Source, p.subject = id, fromOverride, subject
	if p.CallID == "" {
		p.CallID = callID
	}
	p.Messages = append([]Message(nil), p.Messages...)
	return p, nil
}
