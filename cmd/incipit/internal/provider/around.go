package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Around is what stands around the calls of a run. One Around serves all its
// providers, those of judges as well.
//
// A call passes, from the outside in: its cassette, which may answer it for
// nothing; a place among those who ask at once, which it keeps until it is
// answered; and for each attempt the budget, the limits of rate, the wire.
type Around struct {
	Cassettes *Cassettes // nil: every answer is live
	Budget    *Budget    // nil: no limit
	Prices    Prices     // empty: DefaultPrices
	Limits    *Limits    // nil: none but a delay of the provider's config
	Retry     Retry
	Now       func() time.Time // required
}

// Wrap puts what Around holds around a provider. Echo stays as it is.
func (a Around) Wrap(p Provider) Provider {
	if _, ok := p.(echo); ok {
		return p
	}
	return &guarded{inner: p, way: a.way(p.ID(), p)}
}

// WrapEmbedder is Wrap for what makes vectors.
func (a Around) WrapEmbedder(e Embedder) Embedder {
	return &guardedEmbedder{inner: e, way: a.way(e.ID(), e)}
}

// A way is that of one provider's calls.
type way struct {
	Around
	id    string
	gate  *gate
	set   settings
	free  bool
	whole func(Request) (Request, error)
}

func (a Around) way(id string, p any) *way {
	out := &way{Around: a, id: id, whole: func(r Request) (Request, error) { return r, nil }}
	if t, ok := p.(interface{ tuned() settings }); ok {
		out.set = t.tuned()
	}
	if f, ok := p.(interface{ free() bool }); ok {
		out.free = f.free()
	}
	if f, ok := p.(interface {
		fill(Request) (Request, error)
	}); ok {
		out.whole = f.fill
	}
	if out.set.retries != nil {
		out.Retry.Attempts = min(*out.set.retries, 100) + 1
	}
	if len(a.Prices.Models) == 0 {
		out.Prices = DefaultPrices()
	}
	out.gate = a.Limits.gate(id, out.set.delay)
	return out
}

// price is what a model costs here: what the provider's config says, over what
// the table says.
func (p *way) price(model string) (Price, bool) {
	if p.free {
		return Price{}, true
	}
	price, ok := p.Prices.For(model)
	if p.set.priceIn != nil {
		price.Input, price.CachedInput = *p.set.priceIn, *p.set.priceIn
	}
	if p.set.priceOut != nil {
		price.Output = *p.set.priceOut
	}
	return price, ok || p.set.priceIn != nil && p.set.priceOut != nil
}

// attempts makes the attempts of one call: each within the budget and the
// limits of rate. f tells what it used, if the provider says.
func attempts[T any](ctx context.Context, p *way, model string, input, output int, f func(context.Context) (T, Usage, error)) (T, *float64, error) {
	var none T
	leave, err := p.gate.enter(ctx)
	if err != nil {
		return none, nil, err
	}
	defer leave()
	price, priced := p.price(model)
	if !priced && p.Budget != nil && p.Budget.config.MaxCost > 0 {
		return none, nil, &Error{
			Kind: Unpriced, Provider: p.id, Text: "a limit of cost stands, and nobody knows what " + prompt.Clip(cmp.Or(model, "this provider"), 80) + " costs",
			Fix: "write inputCost and outputCost (US dollars for a token) into the provider's config, or its price into the workspace",
		}
	}
	var cost *float64
	v, err := retry(ctx, p.Retry, p.Now, func(ctx context.Context) (T, error) {
		guess := Usage{Input: input, Output: output}
		settle, err := p.Budget.reserve(ctx, p.id, amount{price.Cost(guess), 1, input + output})
		if err != nil {
			return none, err
		}
		if err := p.gate.wait(ctx, input+output); err != nil {
			settle(amount{})
			return none, err
		}
		v, usage, err := f(ctx)
		settle(spentOn(price, guess, usage, err))
		if err == nil && priced && usage != (Usage{}) {
			paid := price.Cost(usage)
			cost = &paid
		}
		return v, err
	})
	return v, cost, err
}

// spentOn is what an attempt counts as. One that was refused is not charged
// for; one that broke off may be, and counts as what was set aside for it.
func spentOn(price Price, guess, usage Usage, err error) amount {
	e, failed := errors.AsType[*Error](err)
	switch {
	case err == nil && usage != (Usage{}):
		return amount{price.Cost(usage), 1, usage.Input + usage.Output}
	case failed && !e.Sent && e.Status == 0: // it never left
		return amount{}
	case failed && !e.Sent:
		return amount{calls: 1}
	}
	return amount{price.Cost(guess), 1, guess.Input + guess.Output}
}

// A guarded is a provider behind cassettes, budget, limits and retries.
type guarded struct {
	inner Provider
	*way
}

func (g *guarded) ID() string { return g.id }

// Free reports whether nobody asks money for its calls.
func (g *guarded) Free() bool { return g.free }

// Key is that of the cassette which answers r.
func (g *guarded) Key(r Request) (string, error) {
	r, err := g.whole(r)
	if err != nil {
		return "", err
	}
	return Key(g.id, r)
}

// Call answers from a cassette, or makes the call.
func (g *guarded) Call(ctx context.Context, r Request) (Response, error) {
	r, err := g.whole(r)
	if err != nil {
		return Response{}, refuse(g.id, "write an object", "the parameters are no JSON object")
	}
	r = r.normal()
	if g.Cassettes == nil || g.Cassettes.config.Mode == Live {
		return g.live(ctx, r)
	}
	t, err := g.Cassettes.take(ctx, g.id, r, func(ctx context.Context) (any, error) { return g.live(ctx, r) })
	if err != nil {
		return Response{}, err
	}
	var out Response
	if err := json.Unmarshal(t.response, &out); err != nil {
		return Response{}, &Error{Kind: Missing, Provider: g.id, Text: "the recorded answer is none", Fix: "delete its cassette and run incipit test --mode record"}
	}
	out.Replayed, out.RecordedAt = t.replayed, t.at
	return out, nil
}

func (g *guarded) live(ctx context.Context, r Request) (Response, error) {
	input, output := Estimate(r)
	out, cost, err := attempts(ctx, g.way, r.Model, input, output, func(ctx context.Context) (Response, Usage, error) {
		out, err := g.inner.Call(ctx, r)
		return out, out.Usage, err
	})
	if err != nil {
		return Response{}, err
	}
	if out.Cost == nil {
		out.Cost = cost
	}
	return out, nil
}

// A guardedEmbedder is an Embedder behind the same.
type guardedEmbedder struct {
	inner Embedder
	*way
}

// embedRequest and embedResponse are what a cassette holds of vectors.
type embedRequest struct {
	Model      string                     `json:"model"`
	Texts      []string                   `json:"texts"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"` // of the config: dimensions
}

type embedResponse struct {
	Vectors [][]float64 `json:"vectors"`
	Usage   Usage       `json:"usage"`
}

func (g *guardedEmbedder) ID() string { return g.id }

// Embed answers from a cassette, or makes the call.
func (g *guardedEmbedder) Embed(ctx context.Context, model string, texts []string) ([][]float64, Usage, error) {
	live := func(ctx context.Context) (embedResponse, error) {
		input := 0
		for _, t := range texts {
			input += prompt.EstimateTokens(t)
		}
		v, _, err := attempts(ctx, g.way, model, input, 0, func(ctx context.Context) (embedResponse, Usage, error) {
			vectors, usage, err := g.inner.Embed(ctx, model, texts)
			return embedResponse{vectors, usage}, usage, err
		})
		return v, err
	}
	if g.Cassettes == nil || g.Cassettes.config.Mode == Live {
		v, err := live(ctx)
		return v.Vectors, v.Usage, err
	}
	t, err := g.Cassettes.take(ctx, g.id, embedRequest{model, texts, g.set.params}, func(ctx context.Context) (any, error) { return live(ctx) })
	if err != nil {
		return nil, Usage{}, err
	}
	var out embedResponse
	if err := json.Unmarshal(t.response, &out); err != nil || len(out.Vectors) != len(texts) {
		return nil, Usage{}, &Error{Kind: Missing, Provider: g.id, Text: "the recorded vectors do not fit the texts", Fix: "delete their cassette and run incipit test --mode record"}
	}
	return out.Vectors, out.Usage, nil
}
