package assertion

import (
	"fmt"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// BenchmarkCheck is what the assertions of 10,000 echo cases take: contains,
// regex and is-json of a short output each. The issue gives the whole run one
// second, and this a part of it.
func BenchmarkCheck(b *testing.B) {
	subjects := make([]Subject, 10_000)
	for i := range subjects {
		subjects[i] = said(fmt.Sprintf(`{"id": %d, "mail": "a%d@example.com"}`, i+1, i))
		subjects[i].Vars = map[string]any{"name": fmt.Sprintf("a%d@", i)}
	}
	for name, last := range map[string]Assertion{"plain": {Type: "is-json"}, "schema": {Type: "is-json", Value: order()}} {
		b.Run(name, func(b *testing.B) {
			c := checker()
			list := []Assertion{{Type: "contains", Value: "{{name}}"}, {Type: "regex", Value: `"id":\s*\d+`}, last}
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range subjects {
					for _, a := range list {
						if g := c.Check(b.Context(), a, s); g.Outcome != report.Pass {
							b.Fatal(g.Reason)
						}
					}
				}
			}
		})
	}
}
