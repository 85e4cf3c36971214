package server

import (
	"net/http"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A policy says who may use a route. The zero policy lets nobody in, and a
// server that has a route with it does not start.
type policy struct {
	open  string                // why nobody has to say who they are; "" where they must
	any   []registry.Permission // one of these is asked for
	reach reach                 // and on what
}

// A reach is on what a permission is asked for.
type reach int

const (
	nowhere     reach = iota
	signedIn          // whoever says who they are
	everywhere        // every prompt in every environment
	inPath            // the prompt and the environment of the path
	environment       // the environment of the path, and any one prompt
	wholly            // the environment of the path, and every prompt
	ofPrompt          // the prompt of the path, in any one environment
	somewhere         // any one: the handler shows and takes only what is allowed
)

func open(why string) policy { return policy{open: why} }

func may(r reach, ps ...registry.Permission) policy { return policy{any: ps, reach: r} }

// complete reports whether the policy decides for a path.
func (p policy) complete(path string) bool {
	env, id := strings.Contains(path, "{environment}"), strings.Contains(path, "{prompt}")
	asks := p.open == "" && len(p.any) > 0
	switch p.reach {
	case nowhere:
		return p.open != "" && len(p.any) == 0
	case signedIn:
		return p.open == "" && len(p.any) == 0
	case inPath:
		return asks && env && id
	case environment, wholly:
		return asks && env && !id
	case ofPrompt:
		return asks && id && !env
	case everywhere, somewhere:
		return asks && !env && !id
	}
	return false
}

// check reports, with ErrForbidden, that the caller may not use the route.
func (p policy) check(c registry.Caller, r *http.Request) error {
	if p.open != "" || p.reach == signedIn {
		return nil
	}
	env, id := r.PathValue("environment"), prompt.ID(r.PathValue("prompt"))
	if env == registry.Every && (p.reach == inPath || p.reach == environment || p.reach == wholly) ||
		id == registry.Every && (p.reach == inPath || p.reach == ofPrompt) {
		return registry.Errorf(prompt.ErrInvalid, "a name in the path is empty")
	}
	var err error
	for _, want := range p.any {
		if err = p.one(want, c, env, id); err == nil {
			return nil
		}
	}
	return err
}

func (p policy) one(want registry.Permission, c registry.Caller, env string, id prompt.ID) error {
	switch p.reach {
	case everywhere, inPath, wholly:
		return c.May(want, env, id)
	case environment, ofPrompt, somewhere:
		if c.MayAny(want, env, id) {
			return nil
		}
	}
	return c.May(want, env, id) // which says what is missing
}
