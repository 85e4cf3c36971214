package assertion

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// latency holds if the answer took at most threshold milliseconds, which
// validateNumbers made sure is there. Of a
// recorded answer it is the time that it took when it was recorded.
func (c *Checker) latency(_ context.Context, q question) (finding, error) {
	took := q.s.Response.LatencyMS
	return plain(took <= q.threshold(0), fmt.Sprintf("the answer took %s ms, and %s ms are allowed", number(took), number(q.threshold(0)))), nil
}

// cost holds if the answer cost at most threshold US dollars.
func (c *Checker) cost(_ context.Context, q question) (finding, error) {
	cost := q.s.Response.Cost
	if cost == nil {
		return finding{}, registry.WithFix(fmt.Errorf("nobody knows what the model of this answer costs"), "give its price in the provider's config")
	}
	return plain(*cost <= q.threshold(0), fmt.Sprintf("the answer cost $%s, and $%s is allowed", number(*cost), number(q.threshold(0)))), nil
}

// finishReason holds if the model stopped for the reason that the value says.
func (c *Checker) finishReason(_ context.Context, q question) (finding, error) {
	want, got := wordOf(q.value), q.s.Response.FinishReason
	switch {
	case got == "":
		return plain(false, "the provider does not say why the model stopped"), nil
	case strings.EqualFold(want, got):
		return plain(true, "the model stopped for the reason "+quote(got)), nil
	}
	return plain(false, fmt.Sprintf("the model stopped for the reason %s, and not %s", quote(got), quote(want))), nil
}
