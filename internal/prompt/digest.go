package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// digestFormat names the encoding below; another encoding gets another name.
const digestFormat = "incipit-prompt/1"

// Digest identifies everything that is asked of a model: sha256: and 64 hex
// digits, taken over the canonical JSON (RFC 8785) of format, model, messages,
// parameters, tools, output schema and the variables' contract. Names,
// descriptions and versions do not take part. testdata/vectors/digest.json has
// examples for other languages.
func (p Prompt) Digest() (string, error) {
	type contract struct {
		Type      string  `json:"type"`
		Required  bool    `json:"required"`
		Default   *string `json:"default"`
		MaxLength int     `json:"max_length"`
		Trusted   bool    `json:"trusted"`
	}
	doc := struct {
		Format       string              `json:"format"`
		Model        string              `json:"model"`
		Messages     []Message           `json:"messages"`
		Variables    map[string]contract `json:"variables"`
		Parameters   json.RawMessage     `json:"parameters"`
		Tools        json.RawMessage     `json:"tools"`
		OutputSchema json.RawMessage     `json:"output_schema"`
	}{
		Format: digestFormat, Model: p.Model, Messages: p.Messages, Variables: make(map[string]contract, len(p.Variables)),
		Parameters: orNull(p.Parameters), Tools: orNull(p.Tools), OutputSchema: orNull(p.OutputSchema),
	}
	for _, m := range p.Messages {
		if !utf8.ValidString(m.Content) {
			return "", fmt.Errorf("%s message is %w: it is not UTF-8, and JSON cannot hold it", m.Role, ErrInvalid)
		}
	}
	for name, v := range p.Variables {
		c := contract{Type: v.Kind(), Required: v.IsRequired(), MaxLength: v.MaxLength, Trusted: v.Trusted}
		if v.Default != nil {
			s, err := v.format(v.Default)
			if err != nil {
				return "", fmt.Errorf("default of variable %s: %w", name, err)
			}
			c.Default = &s
		}
		doc.Variables[name] = c
	}
	canonical, err := strictjson.Canonical(doc)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// orNull makes absent, empty and null the same.
func orNull(raw json.RawMessage) json.RawMessage {
	t := bytes.TrimSpace(raw)
	if len(t) == 0 || len(t) > 1 && (t[0] == '{' || t[0] == '[') && len(bytes.TrimSpace(t[1:len(t)-1])) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
