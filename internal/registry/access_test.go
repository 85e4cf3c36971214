package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func grant(permissions, environments, prompts string) Grant {
	g := Grant{Environments: strings.Fields(environments), Prompts: strings.Fields(prompts)}
	for p := range strings.FieldsSeq(permissions) {
		g.Permissions = append(g.Permissions, Permission(p))
	}
	return g
}

func TestMay(t *testing.T) {
	tests := []struct {
		name   string
		grants []Grant
		allow  string // "permission environment prompt", … ; - stands for every one
		deny   string
	}{
		{"no grant", nil, "", "read dev support, read - -, admin - -"},
		{"one of each", []Grant{grant("deploy", "staging", "support")}, "deploy staging support", "deploy staging other, deploy production support, read staging support, approve staging support, deploy - support, deploy staging -"},
		{"a star is all, and all at once", []Grant{grant("read", "*", "*")}, "read dev support, read - support, read dev -, read - -", "deploy dev support"},
		{"a prefix is not all at once", []Grant{grant("read", "*", "billing/*")}, "read dev billing/refunds, read - billing/x/y, read dev billing/", "read dev billing, read dev billingx, read dev support, read dev -, read - -"},
		{"a prefix of an environment", []Grant{grant("read", "eu-*", "*")}, "read eu-production support, read eu- support", "read us-production support, read eu support, read - support"},
		{"a name is no prefix", []Grant{grant("read", "dev", "billing")}, "read dev billing", "read dev billing/refunds, read dev bill, read development billing"},
		{"capitals are other letters", []Grant{grant("read", "dev", "support")}, "", "read Dev support, read dev Support"},
		{"grants do not mix", []Grant{grant("deploy", "staging", "a"), grant("deploy", "production", "b"), grant("read", "*", "*")}, "deploy staging a, deploy production b, read production a", "deploy production a, deploy staging b"},
		{"several in one", []Grant{grant("deploy read", "dev staging", "a b/*")}, "deploy dev a, read staging b/c, deploy staging b/c", "approve dev a, deploy production a, deploy dev b"},
		{"two that are all together are not all at once", []Grant{grant("read", "a* b*", "*")}, "read a support", "read - support"},
		{"a star in the middle fits itself", []Grant{grant("read", "*", "a*b")}, "", "read dev axb, read dev ab"},
		{"a grant of nothing", []Grant{{}}, "", "read dev support, read - -"},
		{"an empty pattern", []Grant{{Permissions: []Permission{MayRead}, Environments: []string{""}, Prompts: []string{""}}}, "", "read dev support, read - -, read - support"},
	}
	for _, tt := range tests {
		c := Caller{Name: "ci", Grants: tt.grants}
		for _, list := range []struct {
			of   string
			want bool
		}{{tt.allow, true}, {tt.deny, false}} {
			for ask := range strings.SplitSeq(list.of, ", ") {
				if ask == "" {
					continue
				}
				f := strings.Fields(strings.ReplaceAll(ask, "-,", "- "))
				p, env, id := Permission(f[0]), strings.TrimPrefix(f[1], "-"), prompt.ID(strings.TrimPrefix(f[2], "-"))
				err := c.May(p, env, id)
				if (err == nil) != list.want || err != nil && !errors.Is(err, ErrForbidden) {
					t.Errorf("%s: %s: %v", tt.name, ask, err)
				}
			}
		}
	}
}

// access is a random grant over few names, so that they meet.
func access(r *rand.Rand) Grant {
	pick := func(from []string) (out []string) {
		for range r.IntN(3) {
			out = append(out, from[r.IntN(len(from))])
		}
		return out
	}
	g := Grant{Environments: pick([]string{"*", "dev", "eu-*", "eu-x", "p*", "production", ""}), Prompts: pick([]string{"*", "a", "a/*", "a/b", "b", "b*", ""})}
	for range r.IntN(3) {
		g.Permissions = append(g.Permissions, Permissions()[r.IntN(4)])
	}
	return g
}

// fits says it another way: * for all; else equal, or as long as the prefix.
func fits(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == "*" {
			return true
		}
		if name == "" {
			continue
		}
		if p == name || p != "" && p[len(p)-1] == '*' && len(name) >= len(p)-1 && name[:len(p)-1] == p[:len(p)-1] {
			return true
		}
	}
	return false
}

func TestLawsOfAccess(t *testing.T) {
	envs, ids := []string{"", "dev", "eu-x", "eu-", "production", "p", "q"}, []prompt.ID{"", "a", "a/", "a/b", "b", "bb", "c"}
	granted, denied := 0, 0
	law := func(s1, s2 uint64) bool {
		r := rand.New(rand.NewPCG(s1, s2))
		var c Caller
		for range r.IntN(4) {
			c.Grants = append(c.Grants, access(r))
		}
		more := c
		more.Grants = append(slices.Clone(c.Grants), access(r))
		for _, p := range Permissions() {
			some := false
			for _, env := range envs {
				for _, id := range ids {
					may := c.May(p, env, id) == nil
					want := slices.ContainsFunc(c.Grants, func(g Grant) bool {
						return slices.Contains(g.Permissions, p) && fits(g.Environments, env) && fits(g.Prompts, string(id))
					})
					if may {
						granted++
					} else {
						denied++
					}
					switch {
					case may != want:
						t.Logf("%+v: %s %q %q is %v", c.Grants, p, env, id, may)
						return false
					case may && more.May(p, env, id) != nil: // one more grant takes nothing away
						return false
					case may && !c.MaySome(p), may && !c.MayAny(p, env, id):
						return false
					case may && env == Every && slices.ContainsFunc(envs, func(e string) bool { return c.May(p, e, id) != nil }): // all at once is each
						return false
					case env != Every && id != Every && c.Patterns(env, p).Fit(string(id)) != may: // what is shown is what may be read
						t.Logf("%+v: patterns %v in %q, %q", c.Grants, c.Patterns(env, p), env, id)
						return false
					case env != Every && id != Every && c.MayAny(p, env, id) != may:
						return false
					}
					some = some || may
				}
			}
			if some && !c.MaySome(p) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
	if granted < 1000 || denied < 1000 {
		t.Errorf("%d granted, %d denied: the law was hardly asked", granted, denied)
	}
}

func TestMayAnyAsksForOneWhereMayAsksForAll(t *testing.T) {
	c := Caller{Grants: []Grant{grant("deploy", "staging", "billing/*")}}
	if c.May(MayDeploy, Every, "billing/x") == nil || !c.MayAny(MayDeploy, Every, "billing/x") || !c.MayAny(MayDeploy, "staging", Every) || !c.MayAny(MayDeploy, Every, Every) {
		t.Error("there is one")
	}
	if c.MayAny(MayDeploy, "dev", Every) || c.MayAny(MayDeploy, Every, "support") || c.MayAny(MayRead, Every, Every) || !c.MaySome(MayDeploy) || c.MaySome(MayRead) {
		t.Error("there is none")
	}
}

func TestPatternsOfEqualCallersAreEqual(t *testing.T) {
	c := Caller{Grants: []Grant{grant("read", "dev", "b a/*"), grant("resolve", "d*", "a/* c"), grant("deploy", "dev", "x"), grant("read", "production", "*")}}
	if got := c.Patterns("dev", MayRead, MayResolve); !slices.Equal(got, Patterns{"a/*", "b", "c"}) || got.All() || !got.Fit("a/z") || got.Fit("a") || got.Fit("x") {
		t.Errorf("%v", got)
	}
	if got := c.Patterns("production", MayRead); !got.All() || !got.Fit("anything") {
		t.Errorf("%v", got)
	}
	if got := c.Patterns("nowhere", MayRead, MayResolve); len(got) != 0 || got.All() || got.Fit("a/z") || got.Fit("") {
		t.Errorf("%v", got)
	}
}

func TestARefusalNamesWhoWhatAndWhere(t *testing.T) {
	for _, tt := range []struct {
		c    Caller
		env  string
		id   prompt.ID
		want string
	}{
		{Caller{Name: "ci"}, "production", "support", "ci may not deploy support in production"},
		{Caller{}, "production", Every, "whoever has no key may not deploy in production"},
		{Caller{Name: "ci"}, Every, Every, "ci may not deploy"},
	} {
		err := tt.c.May(MayDeploy, tt.env, tt.id)
		fix, ok := errors.AsType[*FixError](err)
		if err == nil || err.Error() != tt.want || !ok || !strings.Contains(fix.Fix, "permission deploy") {
			t.Errorf("%v, %v", err, fix)
		}
	}
}

func TestAGrantThatNobodyCanHaveMeantIsRefused(t *testing.T) {
	for _, g := range []Grant{
		{},
		grant("read", "dev", ""), grant("read", "", "*"), grant("", "dev", "*"), grant("sudo", "dev", "*"), grant("READ", "dev", "*"), grant("read", "de*v", "*"), grant("read", "**", "*"),
		grant("read", "dev", "*a"), grant("read", "dev", "a*b*"),
		{Permissions: []Permission{MayRead}, Environments: []string{""}, Prompts: []string{"*"}},
		{Permissions: []Permission{MayRead}, Environments: []string{"dev"}, Prompts: []string{strings.Repeat("a", 257)}},
	} {
		if err := g.Validate(); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%+v: %v", g, err)
		}
	}
	for _, p := range Permissions() {
		if err := grant(string(p), "* dev eu-*", "support billing/* *").Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhoAsksIsInTheContextAndNowhereElse(t *testing.T) {
	if _, ok := CallerOf(t.Context()); ok {
		t.Error("somebody asks")
	}
	ctx := WithCaller(t.Context(), Caller{Name: "ada"})
	inner := WithCaller(context.WithoutCancel(ctx), Caller{Name: "bob"})
	if c, ok := CallerOf(ctx); !ok || c.Name != "ada" {
		t.Errorf("%+v", c)
	}
	if c, ok := CallerOf(inner); !ok || c.Name != "bob" {
		t.Errorf("%+v", c)
	}
}
