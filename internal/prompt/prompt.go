// Package prompt holds what a prompt is: its files, its text, its variables,
// and the pure rules about them (validate, render, compare, digest).
//
// Everything here is a value: no clock, no disk, no network. The SDK and the
// server share this package, so a prompt means the same in both.
package prompt

import "encoding/json"

// The names of a prompt's files, inside its directory.
const (
	SystemFile   = "system-prompt.txt"
	UserFile     = "user-prompt.txt"
	ExamplesFile = "messages.json"
	MetadataFile = ".prompt-metadata.json"
)

// The largest files that are read, in bytes.
const (
	MaxTextBytes     = 256 << 10
	MaxMetadataBytes = 64 << 10
)

// The roles of a message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// A Prompt is everything a model is given, includes expanded, and the contract
// with the program that renders it. It is what a digest identifies.
type Prompt struct {
	ID      ID     `json:"id"`
	Version string `json:"version"` // of the release, or the one being prepared

	Model        string              `json:"model"`
	Messages     []Message           `json:"messages"` // system, examples, user template
	Variables    map[string]Variable `json:"variables,omitempty"`
	Parameters   json.RawMessage     `json:"parameters,omitempty"`    // a JSON object
	Tools        json.RawMessage     `json:"tools,omitempty"`         // a JSON array
	OutputSchema json.RawMessage     `json:"output_schema,omitempty"` // a JSON Schema
}

// A Message is one turn. Content is a template: {{name}} stands for a variable.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// A Variable is what a prompt asks of the program that renders it.
type Variable struct {
	Type        string `json:"type,omitempty"` // string (the default), integer, number or boolean
	Required    *bool  `json:"required,omitempty"`
	Default     any    `json:"default,omitempty"`
	MaxLength   int    `json:"max_length,omitempty"` // in characters; 0 is no limit
	Trusted     bool   `json:"trusted,omitempty"`    // may stand in the system message
	Description string `json:"description,omitempty"`
}

// IsRequired reports whether a caller must give the variable: unless it is
// said, a variable without a default is required.
func (v Variable) IsRequired() bool {
	if v.Required != nil {
		return *v.Required
	}
	return v.Default == nil
}

// Kind is the variable's type with the default filled in.
func (v Variable) Kind() string {
	if v.Type == "" {
		return "string"
	}
	return v.Type
}
