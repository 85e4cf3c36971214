package lifecycle

import (
	"context"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// CallChoices are what calls can be chosen by, as far as the caller may read
// them.
type CallChoices struct {
	Prompts      []prompt.ID
	Environments []string
	Versions     []string // of the prompt that was asked for, the newest first
}

// CallChoices lists them: the environments and versions of one prompt, if id
// names one, else of all. A prompt that does not exist has no versions.
func (s *Shared) CallChoices(ctx context.Context, id prompt.ID) (CallChoices, error) {
	var out CallChoices
	envs, err := s.Environments(ctx)
	if err != nil {
		return out, err
	}
	c, _ := registry.CallerOf(ctx)
	for _, e := range envs {
		if c.MayAny(registry.MayRead, e.Name, id) {
			out.Environments = append(out.Environments, e.Name)
		}
	}
	rows, err := s.List(ctx, "")
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		out.Prompts = append(out.Prompts, row.Prompt)
	}
	if id == "" || len(out.Environments) == 0 {
		return out, nil
	}
	releases, err := s.Releases(ctx, id)
	for _, r := range releases {
		out.Versions = append(out.Versions, r.Version.String())
	}
	return out, err
}
