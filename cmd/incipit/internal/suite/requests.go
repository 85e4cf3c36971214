package suite

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
)

// Keys are the keys of the requests that the cases would make of a target that
// brings its provider, in their order: what decides which recorded answers a
// run would get. A case that makes no request has what is wrong as its key.
func (r *Runner) Keys(ctx context.Context, t *Release, cases []Case) ([]string, error) {
	p, model, err := r.Open(t.Provider())
	if err != nil {
		return nil, err
	}
	out := make([]string, len(cases))
	for i, c := range cases {
		if out[i], err = r.key(ctx, t, p, model, c); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			out[i] = "none: " + err.Error()
		}
	}
	return out, nil
}

func (r *Runner) key(ctx context.Context, t Target, p provider.Provider, model string, c Case) (string, error) {
	req, err := r.request(ctx, t, model, &c)
	if err != nil {
		return "", err
	}
	if k, ok := p.(interface {
		Key(provider.Request) (string, error)
	}); ok {
		return k.Key(req)
	}
	return provider.Key(p.ID(), req)
}

// request renders a case, whose variables it fills in, for a target.
func (r *Runner) request(ctx context.Context, t Target, model string, c *Case) (provider.Request, error) {
	vars, err := r.vars(ctx, *c)
	if err != nil {
		return provider.Request{}, err
	}
	c.Vars = vars
	req, err := t.Request(ctx, *c)
	if err == nil && req.Model == "" {
		req.Model = model
	}
	return req, err
}

// A Question is a request that is about to be made.
type Question struct {
	Request provider.Request
	Free    bool // nobody asks money for it
}

// questions are the requests of the cells. A cell whose request cannot be made
// asks nothing, and says so when its turn comes.
func (r *Runner) questions(ctx context.Context, cells []cell) []Question {
	out := make([]Question, 0, len(cells))
	for _, c := range cells {
		test := c.test
		req, err := r.request(ctx, c.target, c.model, &test)
		if err != nil {
			continue
		}
		free, ok := c.provider.(interface{ Free() bool })
		out = append(out, Question{req, ok && free.Free() || c.provider.ID() == "echo"})
	}
	return out
}
