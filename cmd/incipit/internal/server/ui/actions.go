package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const maxActions = 10

// An action is something that can be done with a prompt, where it is done.
type action struct {
	Text   string
	Href   string
	Dialog bool // it is asked for in a dialog

	verb   []string // words by which it is called
	prompt prompt.ID
	env    string
}

// actionsOf are what the caller may do with a prompt.
func actionsOf(o registry.Overview, who registry.Caller, id prompt.ID) []action {
	i, found := slices.BinarySearchFunc(o.Prompts, id, func(row registry.OverviewRow, id prompt.ID) int { return cmp.Compare(row.Prompt, id) })
	if !found {
		return nil
	}
	return rowActions(o.Prompts[i], o.Environments, who)
}

func rowActions(row registry.OverviewRow, envs []string, who registry.Caller) []action {
	id := string(row.Prompt)
	var out []action
	for _, env := range envs {
		c := homeCellOf(row, env, who, promptPath(row.Prompt))
		if c.Rollback != "" {
			out = append(out, action{"Roll back " + id + " in " + env + "…", c.Rollback, true, []string{"roll", "back", "rollback", "in"}, row.Prompt, env})
		}
		if c.Deploy != "" {
			out = append(out, action{"Deploy " + id + "@" + row.Version + " to " + env + "…", c.Deploy, true, []string{"deploy", "to"}, row.Prompt, env})
		}
		if c.Rollout != "" {
			out = append(out, action{"Watch the rollout of " + id + " in " + env, c.Rollout, false, []string{"watch", "rollout", "in"}, row.Prompt, env})
		}
	}
	return append(out,
		action{"Edit " + id, promptPath(row.Prompt, "/edit"), false, []string{"edit"}, row.Prompt, ""},
		action{"Compare releases of " + id, promptPath(row.Prompt, "/diff"), false, []string{"compare", "diff", "releases"}, row.Prompt, ""},
		action{"Statistics of " + id, promptPath(row.Prompt, "/stats"), false, []string{"statistics", "stats"}, row.Prompt, ""},
	)
}

// namedActions are the actions that words call by their verb: deploy refunds
// prod. The prompts whose ids the words come first in are the first.
func namedActions(o registry.Overview, who registry.Caller, words []string) []action {
	if !slices.ContainsFunc(words, callsSome) {
		return nil
	}
	type ranked struct {
		action
		rank int
	}
	var out []ranked
	for _, row := range o.Prompts {
		if len(words) > 1 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(string(row.Prompt), w) }) {
			continue
		}
		for _, a := range rowActions(row, o.Environments, who) {
			if rank, ok := a.called(words); ok {
				out = append(out, ranked{a, rank})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	actions := make([]action, 0, maxActions)
	for _, a := range out[:min(maxActions, len(out))] {
		actions = append(actions, a.action)
	}
	return actions
}

// callsSome reports whether a word begins a verb.
func callsSome(word string) bool {
	return len(word) > 2 && slices.ContainsFunc([]string{"roll", "rollback", "deploy", "watch", "rollout", "edit", "compare", "diff", "statistics", "stats"},
		func(v string) bool { return strings.HasPrefix(v, word) })
}

// called reports whether words call a, and how far behind in its id the first
// word is that does not belong to the verb.
func (a action) called(words []string) (rank int, ok bool) {
	verb := false
	for _, w := range words {
		switch at := strings.Index(string(a.prompt), w); {
		case slices.ContainsFunc(a.verb, func(v string) bool { return strings.HasPrefix(v, w) }):
			verb = verb || callsSome(w)
		case at >= 0:
			rank += at
		case a.env != "" && strings.HasPrefix(a.env, w):
		default:
			return 0, false
		}
	}
	return rank, verb
}
