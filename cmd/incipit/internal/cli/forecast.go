package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// forecastOf works out what to expect of the rollout that p would begin: nil if
// it would not be watched, and why not if traffic is not known.
func (e *env) forecastOf(ctx context.Context, svc backend, p *registry.Plan) (f *registry.Forecast, unknown string, err error) {
	if !lifecycle.Forecasts(p) {
		return nil, "", nil
	}
	if e.far == nil {
		return nil, "traffic is not known without a server that records calls, so there is no forecast, and people move the rollout", nil
	}
	rules, err := guardRules(ctx, svc, p.Environment, p.Prompt)
	if err != nil {
		return nil, "", err
	}
	return lifecycle.ForecastOf(ctx, e.far.Stats, rules, p, e.now())
}

func printForecast(w io.Writer, f *registry.Forecast) {
	fmt.Fprintf(w, "\n  %s:\n\n", words.ForecastTitle(f))
	table(w, append([][]string{words.ForecastHead()}, words.ForecastRows(f)...))
}
