package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// guardSteps is the value of --canary that stands for the steps of the
// environment's guard.
const guardSteps = "guard"

// joinSteps makes one argument of --canary and the steps behind it: the flag may
// stand alone, so it does not take them by itself. What has an @ is a release,
// whose name may begin with a digit, too.
func joinSteps(args []string) []string {
	out := slices.Clone(args)
	for i := 0; i < len(out)-1 && out[i] != "--"; i++ {
		next := out[i+1]
		if out[i] == "--canary" && next != "" && next[0] >= '0' && next[0] <= '9' && !strings.Contains(next, "@") {
			out = slices.Replace(out, i, i+2, "--canary="+next)
		}
	}
	return out
}

// guardRules are the rules by which a rollout of a prompt would be watched in an
// environment. An environment that is not there has them all the same: whoever
// deploys into it is told.
func guardRules(ctx context.Context, svc backend, env string, id prompt.ID) (registry.GuardRules, error) {
	all, err := svc.Environments(ctx)
	if err != nil {
		return registry.GuardRules{}, err
	}
	i := slices.IndexFunc(all, func(e registry.Environment) bool { return e.Name == env })
	if i < 0 {
		return registry.Environment{Name: env}.GuardOf(id), nil
	}
	return all[i].GuardOf(id), nil
}
