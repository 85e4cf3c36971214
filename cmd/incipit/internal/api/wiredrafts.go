package api

import (
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A DraftSave is what somebody has written, to be kept.
type DraftSave struct {
	Number     int64          `json:"number" minimum:"0" doc:"Of the draft that the caller saw; 0 for a new one. At another one the answer is a conflict, and what is there stays"`
	BaseCommit string         `json:"base_commit,omitempty" maxLength:"64" doc:"Where the texts start from, as the answer of get-draft names it; none keeps that of the draft. Another one settles a conflict"`
	Files      registry.Texts `json:"files" doc:"By name: system-prompt.txt, user-prompt.txt, messages.json, .prompt-metadata.json. One that is left out does not exist"`
}

// Draft is the draft that is to be kept.
func (d DraftSave) Draft(id prompt.ID) registry.Draft {
	if d.Files == nil {
		d.Files = registry.Texts{}
	}
	return registry.Draft{Prompt: id, Number: d.Number, Base: registry.DraftBase{Commit: d.BaseCommit}, Files: d.Files}
}

// A DraftTexts asks what there is to say of texts, which need not be saved.
type DraftTexts struct {
	Files registry.Texts `json:"files"`
}

// A DraftRender asks for texts with values for their variables.
type DraftRender struct {
	Files     registry.Texts    `json:"files"`
	Variables map[string]string `json:"variables,omitempty"`
}

// A DraftPropose asks that the caller's draft becomes a branch.
type DraftPropose struct {
	Number  int64        `json:"number" minimum:"1" doc:"Of the draft that the caller saw"`
	Message string       `json:"message" minLength:"1" doc:"What changed, and why: the subject, and after an empty line more"`
	Bump    *prompt.Bump `json:"bump,omitempty" enum:"patch,minor,major" doc:"At least; none is what the change needs"`
}

// Request is the proposal that is asked for.
func (p DraftPropose) Request(id prompt.ID, once registry.Once) registry.ProposeRequest {
	req := registry.ProposeRequest{Prompt: id, Number: p.Number, Message: p.Message, Once: once}
	if p.Bump != nil {
		req.Bump = *p.Bump
	}
	return req
}

// A DraftList is what the caller is writing, the latest first.
type DraftList struct {
	Items []registry.DraftNote `json:"items"`
}
