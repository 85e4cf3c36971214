package ui

import (
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A grantForm is what a key or a person may do, as a form has it: one grant to
// tick off, and others in words.
type grantForm struct {
	Allow        []allowance
	Environments string
	Prompts      string
	More         string // other grants in words, one on each line
}

// An allowance is a permission, and whether it is ticked.
type allowance struct {
	Permission registry.Permission
	About      string
	Ticked     bool
}

func allowances(ticked func(registry.Permission) bool) []allowance {
	about := map[registry.Permission]string{
		registry.MayRead: "see what runs, releases and history", registry.MayResolve: "be served prompts", registry.MayRecord: "send calls and feedback",
		registry.MayPropose: "write and propose prompts",
		registry.MayDeploy:  "deploy, shift, promote, roll back, retire", registry.MayApprove: "approve what others deploy", registry.MayEvidence: "file evidence of tests",
		registry.MaySync: "have Git read", registry.MayAudit: "read the audit log", registry.MayAdmin: "keys, people, environments, webhooks",
	}
	out := make([]allowance, 0, len(registry.Permissions()))
	for _, p := range registry.Permissions() {
		out = append(out, allowance{p, about[p], ticked(p)})
	}
	return out
}

// grantFormOf is the form of grants.
func grantFormOf(grants []registry.Grant) grantForm {
	first := registry.Grant{Environments: []string{"*"}, Prompts: []string{"*"}}
	if len(grants) > 0 {
		first, grants = grants[0], grants[1:]
	}
	return grantForm{
		Allow:        allowances(func(p registry.Permission) bool { return slices.Contains(first.Permissions, p) }),
		Environments: strings.Join(first.Environments, ", "), Prompts: strings.Join(first.Prompts, ", "),
		More: strings.ReplaceAll(registry.GrantWords(grants), "; ", "\n"),
	}
}

// typedGrants is the form as it was typed.
func typedGrants(form url.Values) grantForm {
	return grantForm{
		Allow:        allowances(func(p registry.Permission) bool { return slices.Contains(form["allow"], string(p)) }),
		Environments: form.Get("environments"), Prompts: form.Get("prompts"), More: form.Get("more"),
	}
}

// readGrants reads the form. Where nothing is ticked there is no first grant.
func readGrants(form url.Values) ([]registry.Grant, error) {
	more, err := registry.ParseGrants(form.Get("more"))
	if err != nil || len(form["allow"]) == 0 {
		return more, err
	}
	first := registry.Grant{Environments: registry.SplitList(form.Get("environments")), Prompts: registry.SplitList(form.Get("prompts"))}
	for _, p := range form["allow"] {
		first.Permissions = append(first.Permissions, registry.Permission(p))
	}
	if err := first.Validate(); err != nil {
		return nil, err
	}
	return append([]registry.Grant{first}, more...), nil
}
