package cli

import (
	"fmt"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
)

// pricesOf are the prices that the workspace gives.
func pricesOf(tests source.Tests) map[string]provider.Price {
	out := make(map[string]provider.Price, len(tests.Prices))
	for model, p := range tests.Prices {
		out[model] = provider.Price{Input: p.Input, CachedInput: p.Input, Output: p.Output}
	}
	return out
}

// limitsOf are the limits of each provider, by its id.
func limitsOf(tests source.Tests) func(id string) provider.Limit {
	return func(id string) provider.Limit {
		l := tests.Limits[id]
		return provider.Limit{Concurrency: l.Concurrency, RequestsPerMinute: l.RequestsPerMinute, TokensPerMinute: l.TokensPerMinute}
	}
}

// announce says, before anything is asked, what asking could cost at most: what
// is recorded already costs nothing, and judges come on top.
func (t *tester) announce(questions []suite.Question) {
	var in, out int
	cost, known := 0.0, true
	for _, q := range questions {
		i, o := provider.Estimate(q.Request)
		in, out = in+i, out+o
		price, ok := t.around.Prices.For(q.Request.Model)
		known = known && (ok || q.Free)
		if !q.Free {
			cost += price.Cost(provider.Usage{Input: i, Output: o})
		}
	}
	what := fmt.Sprintf("up to %s, about %d tokens in and at most %d out", words.Count(len(questions), "question"), in, out)
	if known {
		t.e.talk("Asking %s: at most %.4f USD without judges", what, cost)
		return
	}
	t.e.talk("Asking %s; the price of a model is not known", what)
}
