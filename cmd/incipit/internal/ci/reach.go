package ci

import (
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// reach lists the prompts that the touched files could reach, without reading
// any, in the order of their ids: the closer look that follows costs the more,
// the more there are. A file of one prompt, or its suite, reaches that one. A
// file that a suite may read, as a recorded answer, reaches all prompts that
// have a suite; what every prompt depends on reaches all.
func (g *Gate) reach(before source.View, touched []string) ([]prompt.ID, error) {
	near := make(map[prompt.ID]bool)
	all, suites := false, false
	for _, name := range touched {
		id, ok := g.owner(before, name)
		switch {
		case name == g.Workspace.RegistryPath():
		case ok:
			near[id] = true
		case name == source.ConfigFile || strings.HasPrefix(name, g.Workspace.Config.Prompts+"/"+prompt.SharedPrefix):
			all = true
		default:
			suites = true
		}
	}
	var more []prompt.ID
	var err error
	switch {
	case all:
		more, err = g.Candidate.IDs()
	case suites:
		more, err = g.Candidate.Tested()
	}
	if err != nil {
		return nil, err
	}
	for _, id := range more {
		near[id] = true
	}
	out := make([]prompt.ID, 0, len(near))
	for id := range near {
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}

// owner is the prompt that a file belongs to: the one whose directory it lies
// in, however deep, or whose suite it is.
func (g *Gate) owner(before source.View, name string) (prompt.ID, bool) {
	has := func(id prompt.ID) bool { return g.Candidate.Has(id) || before.Has(id) }
	if rest, ok := strings.CutPrefix(name, g.Workspace.Config.Tests.Directory+"/"); ok {
		if id, err := prompt.ParseID(strings.TrimSuffix(rest, ".yaml")); err == nil && strings.HasSuffix(rest, ".yaml") && has(id) {
			return id, true
		}
	}
	rest, ok := strings.CutPrefix(name, g.Workspace.Config.Prompts+"/")
	if !ok || strings.HasPrefix(rest, prompt.SharedPrefix) {
		return "", false
	}
	for dir := path.Dir(rest); dir != "."; dir = path.Dir(dir) {
		if id, err := prompt.ParseID(dir); err == nil && has(id) {
			return id, true
		}
	}
	return "", false
}
