package registry

import "github.com/incipit-dev/incipit/internal/prompt"

// A HitKind says what a search found.
type HitKind string

// The kinds of hits, the best first.
const (
	HitPrompt  HitKind = "prompt"  // all words are in its id, or in its id and its description
	HitRelease HitKind = "release" // in its tag, its author and its notes
	HitText    HitKind = "text"    // in what the newest release says
)

// A Hit is something that a search found.
type Hit struct {
	Kind    HitKind   `json:"kind"`
	Prompt  prompt.ID `json:"prompt"`
	Version string    `json:"version,omitempty"` // of the release, or the newest one; "" for a draft
	Author  string    `json:"author,omitempty"`  // of a release
	Text    string    `json:"text,omitempty"`    // the description, the notes, or the line, cut at 200 characters
	Message int       `json:"message,omitempty"` // of a text: which message has it, from 1
	Role    string    `json:"role,omitempty"`    // of that message
	Line    int       `json:"line,omitempty"`    // in that message, from 1
}
