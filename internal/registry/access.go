package registry

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Permission is something a caller may be allowed to do.
type Permission string

// The permissions. One that is not granted is denied.
const (
	MayRead     Permission = "read"     // see what runs, history, releases
	MayResolve  Permission = "resolve"  // be served prompts
	MayRecord   Permission = "record"   // send calls and feedback
	MayPropose  Permission = "propose"  // write drafts of prompts, and put them on a branch
	MayDeploy   Permission = "deploy"   // deploy, shift, promote, roll back, retire
	MayApprove  Permission = "approve"  // approve what others deploy
	MayEvidence Permission = "evidence" // file evidence
	MaySync     Permission = "sync"     // have the server fetch from Git
	MayAudit    Permission = "audit"    // read the audit log
	MayAdmin    Permission = "admin"    // keys, people, environments
)

// Permissions are all of them.
func Permissions() []Permission {
	return []Permission{MayRead, MayResolve, MayRecord, MayPropose, MayDeploy, MayApprove, MayEvidence, MaySync, MayAudit, MayAdmin}
}

// A Grant allows some actions on some prompts in some environments. A pattern
// is a name, * for all, or a prefix and *: billing/*.
type Grant struct {
	Permissions  []Permission `json:"permissions"`
	Environments []string     `json:"environments"`
	Prompts      []string     `json:"prompts"`
}

// Validate reports a grant that nobody can have meant.
func (g Grant) Validate() error {
	if len(g.Permissions) == 0 || len(g.Environments) == 0 || len(g.Prompts) == 0 {
		return Errorf(prompt.ErrInvalid, "a grant needs permissions, environments and prompts; * is every one")
	}
	for _, p := range g.Permissions {
		if !slices.Contains(Permissions(), p) {
			return Errorf(prompt.ErrInvalid, "%q is no permission; choose from %v", prompt.Clip(string(p), 40), Permissions())
		}
	}
	for _, s := range slices.Concat(g.Environments, g.Prompts) {
		if s == "" || len(s) > 256 || strings.Contains(strings.TrimSuffix(s, "*"), "*") {
			return Errorf(prompt.ErrInvalid, "%q is no pattern: write a name, * or a prefix and *", prompt.Clip(s, 60))
		}
	}
	return nil
}

func (g Grant) allows(p Permission, env, id string) bool {
	return slices.Contains(g.Permissions, p) && match(g.Environments, env) && match(g.Prompts, id)
}

// match reports whether one of the patterns fits name. The name "" asks for
// all of them, which * alone allows.
func match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, wild := strings.CutSuffix(p, "*")
		return p == "*" || name != "" && (p == name || wild && strings.HasPrefix(name, prefix))
	})
}

// Every is an environment or a prompt that stands for all of them in May.
const Every = ""

// A Caller is who asks.
type Caller struct {
	Name    string  `json:"name"`          // a person's mail, or a key's name
	Key     string  `json:"key,omitempty"` // the id of the key
	Kind    string  `json:"kind"`
	Person  bool    `json:"person"` // and not a program: only people approve
	Grants  []Grant `json:"grants"`
	Source  string  `json:"-"` // cli, api, ui, sync, guard, local
	Request string  `json:"-"` // id of the request
}

// May reports, with ErrForbidden, what the caller is not allowed. It is the
// one policy: what no grant allows is denied. Every stands for all
// environments or all prompts at once.
func (c Caller) May(p Permission, env string, id prompt.ID) error {
	if slices.ContainsFunc(c.Grants, func(g Grant) bool { return g.allows(p, env, string(id)) }) {
		return nil
	}
	return WithFix(Errorf(ErrForbidden, "%s may not %s%s%s", orText(c.Name, "whoever has no key"), p, where(" ", string(id)), where(" in ", env)),
		"ask an administrator for a key with the permission %s", p)
}

// MaySome reports whether there is an environment and a prompt for which the
// caller has one of the permissions: what they are shown is then chosen one by
// one.
func (c Caller) MaySome(ps ...Permission) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.ContainsFunc(ps, func(p Permission) bool { return slices.Contains(g.Permissions, p) })
	})
}

// MayAny is May where Every asks for any one instead of for all: it reports
// whether there is such an environment and such a prompt.
func (c Caller) MayAny(p Permission, env string, id prompt.ID) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.Contains(g.Permissions, p) && (env == Every || match(g.Environments, env)) && (id == Every || match(g.Prompts, string(id)))
	})
}

// Patterns are those of the prompts for which the caller has one of the
// permissions in an environment: in order, each once, * alone if it is among
// them. Callers with equal patterns see the same.
func (c Caller) Patterns(env string, ps ...Permission) Patterns {
	var out Patterns
	for _, g := range c.Grants {
		if match(g.Environments, env) && slices.ContainsFunc(ps, func(p Permission) bool { return slices.Contains(g.Permissions, p) }) {
			out = append(out, g.Prompts...)
		}
	}
	return out.tidy()
}

// Anywhere are the patterns of the prompts for which the caller has a permission
// in one environment or another: in order, each once, * alone if it is among
// them.
func (c Caller) Anywhere(p Permission) Patterns {
	var out Patterns
	for _, g := range c.Grants {
		if slices.Contains(g.Permissions, p) {
			out = append(out, g.Prompts...)
		}
	}
	return out.tidy()
}

// Patterns are names, and prefixes with a * at their end.
type Patterns []string

// All reports whether every name fits.
func (p Patterns) All() bool { return len(p) == 1 && p[0] == "*" }

func (p Patterns) tidy() Patterns {
	if slices.Contains(p, "*") {
		return Patterns{"*"}
	}
	slices.Sort(p)
	return slices.Compact(p)
}

// Fit reports whether a name fits one of the patterns.
func (p Patterns) Fit(name string) bool { return match(p, name) }

func where(word, name string) string {
	if name == "" {
		return ""
	}
	return word + prompt.Clip(name, 80)
}

// A Key is an API key, without the secret: a digest of it is kept.
type Key struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // sdk, ci, admin, person
	Name      string    `json:"name"`
	Person    bool      `json:"person"` // it speaks for a person
	Grants    []Grant   `json:"grants"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"` // when it last opened, to a quarter of an hour
	Hash      []byte    `json:"-"`                // SHA-256 of the secret
}

type callerKey struct{}

// WithCaller lets ctx say who asks.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is who asks, and false if ctx does not say.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// A Person is somebody who signs in, and what they may do.
type Person struct {
	Mail      string    `json:"mail"` // in lower case; how the identity provider knows them
	Name      string    `json:"name,omitempty"`
	Grants    []Grant   `json:"grants"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}
