package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An EventFilter chooses events of the audit log. An empty field chooses all.
type EventFilter struct {
	Actor       string // a part of who it was, in any case
	Action      string // or a prefix and *: key.*
	Prompt      string // or a prefix and *: billing/*
	Environment string
	Source      string    // cli, api, ui, sync, guard, local
	From, To    time.Time // From is in it, To is not
}

// maxEventFilter bounds each text of a filter, in bytes.
const maxEventFilter = 300

// Validate reports a filter that nobody can have meant.
func (f EventFilter) Validate() error {
	for name, text := range map[string]string{"actor": f.Actor, "action": f.Action, "prompt": f.Prompt, "environment": f.Environment, "source": f.Source} {
		if len(text) > maxEventFilter || prompt.Visible(text) != text {
			return Errorf(prompt.ErrInvalid, "%s: %q chooses nothing: write up to %d bytes that can be seen", name, prompt.Clip(text, 60), maxEventFilter)
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.To.After(f.From) {
		return Errorf(prompt.ErrInvalid, "to must be later than from")
	}
	return nil
}

// EventSources are the ways by which a change comes.
func EventSources() []string { return []string{"cli", "api", "ui", "sync", "guard", "local"} }
