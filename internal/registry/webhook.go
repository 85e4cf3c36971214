package registry

import (
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A WebhookFormat is the shape of what a webhook is sent.
type WebhookFormat string

// The formats.
const (
	FormatJSON  WebhookFormat = "json"  // our envelope, for programs
	FormatSlack WebhookFormat = "slack" // a text, for channels
)

// A Webhook is an address that is told what happens. A pattern is a name, * for
// all, or a prefix and *: what has no environment or no prompt is told to those
// with * alone. Its secret is not kept: it is derived from the database's.
type Webhook struct {
	ID           string        `json:"id"`
	URL          string        `json:"url"`
	Format       WebhookFormat `json:"format"`
	Kinds        Patterns      `json:"kinds"`
	Environments Patterns      `json:"environments"`
	Prompts      Patterns      `json:"prompts"`
	CreatedAt    time.Time     `json:"created_at"`
	CreatedBy    string        `json:"created_by"`
	PausedAt     time.Time     `json:"paused_at,omitzero"` // it said that it is gone: it is told nothing, until a ping
	Waiting      int           `json:"waiting"`            // notices that it was not told yet
}

// Validate reports a webhook that could never be told anything. Whether its
// address may be reached is the sender's to say.
func (w Webhook) Validate() error {
	if w.Format != FormatJSON && w.Format != FormatSlack {
		return Errorf(prompt.ErrInvalid, "%q is no format; choose json or slack", prompt.Clip(string(w.Format), 40))
	}
	if len(w.Kinds) == 0 || len(w.Environments) == 0 || len(w.Prompts) == 0 {
		return Errorf(prompt.ErrInvalid, "a webhook needs kinds, environments and prompts; * is every one")
	}
	all := slices.Concat(w.Kinds, w.Environments, w.Prompts)
	if len(all) > 100 {
		return Errorf(prompt.ErrInvalid, "a webhook has %d patterns, and 100 are the most", len(all))
	}
	for _, s := range all {
		if s == "" || len(s) > 256 || strings.Contains(strings.TrimSuffix(s, "*"), "*") {
			return Errorf(prompt.ErrInvalid, "%q is no pattern: write a name, * or a prefix and *", prompt.Clip(s, 60))
		}
	}
	for _, s := range w.Kinds {
		if !slices.ContainsFunc(NoticeKinds(), func(k NoticeKind) bool { return Patterns{s}.Fit(string(k)) }) {
			return Errorf(prompt.ErrInvalid, "no notice is of the kind %q; kinds are %s", prompt.Clip(s, 60), kindList())
		}
	}
	return nil
}

// Wants reports whether the webhook is to be told of a notice.
func (w Webhook) Wants(n Notice) bool {
	return w.PausedAt.IsZero() && w.Kinds.Fit(string(n.Kind)) && w.Environments.Fit(n.Environment) && w.Prompts.Fit(string(n.Prompt))
}

// A DeliveryState is how far a delivery is.
type DeliveryState string

// The states.
const (
	Waiting   DeliveryState = "waiting" // until it is its turn, or time to try again
	Delivered DeliveryState = "delivered"
	GivenUp   DeliveryState = "given-up" // not told for DeliverWithin, or nobody is there any more
)

// DeliverWithin is how long a delivery is tried.
const DeliverWithin = 24 * time.Hour

// A Delivery is a notice on its way to a webhook.
type Delivery struct {
	ID       string        `json:"id"` // of the message: the same each time it is sent
	Webhook  string        `json:"webhook"`
	Seq      int64         `json:"seq"` // per webhook: they are sent in this order
	State    DeliveryState `json:"state"`
	Attempts int           `json:"attempts"`
	QueuedAt time.Time     `json:"queued_at"`
	NextAt   time.Time     `json:"next_at,omitzero"`  // while it waits
	EndedAt  time.Time     `json:"ended_at,omitzero"` // since when it does not
	Status   int           `json:"status,omitempty"`  // HTTP status of the last answer; 0 without one
	Error    string        `json:"error,omitempty"`   // of the last attempt
	Notice   Notice        `json:"notice"`
}
