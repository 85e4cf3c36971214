package server

import (
	"encoding/base64"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Paging is which part of a list is asked for. Like the other parts of inputs
// it is exported, because huma sees no others.
type Paging struct {
	Cursor string `query:"cursor" doc:"next_cursor of the page before" maxLength:"1024"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

// page is a part of a list, whose elements have keys that tell them apart.
func page[T any](all []T, p Paging, key func(T) string) (api.Page[T], error) {
	start := 0
	if p.Cursor != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.Cursor)
		if err == nil {
			start = 1 + slices.IndexFunc(all, func(e T) bool { return key(e) == string(last) })
		}
		if start == 0 {
			return api.Page[T]{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the cursor is not one of this list, or what it stood at is gone"), "start again without a cursor")
		}
	}
	rest := all[start:]
	out := api.Page[T]{Items: rest[:min(p.Limit, len(rest))]}
	if out.Items == nil {
		out.Items = []T{}
	}
	if n := len(out.Items); n < len(rest) {
		out.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(key(out.Items[n-1])))
	}
	return out, nil
}
