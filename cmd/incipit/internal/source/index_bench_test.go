package source

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// BenchmarkIndex reads 10,000 releases of 1,000 prompts, one commit and one
// annotated tag each, as a server does once. The yardstick beside it lists the
// tags, which is what each later Index costs if nothing changed.
func BenchmarkIndex(b *testing.B) {
	const prompts, releases = 1000, 10
	o := newOrigin(b)
	for release := range releases {
		for n := range prompts {
			id := fmt.Sprintf("team-%02d/prompt-%04d", n%20, n)
			text := fmt.Sprintf("You are assistant %d of {{company}}. This is wording %d.\n\n", n, release) +
				strings.Repeat("Rule: answer the question that was asked, name the source, and stop after two sentences.\n", 22)
			o.release(b, made{id: id, version: fmt.Sprintf("1.%d.0", release), system: text, other: map[string]file{
				"prompts/" + id + "/" + prompt.UserFile: {data: "{{company}}\n"},
			}})
		}
	}
	r, w := o.flush(b).fetched(b)
	b.Run("clone", func(b *testing.B) {
		for b.Loop() {
			if err := o.remote(b).Fetch(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fetch with nothing new", func(b *testing.B) {
		for b.Loop() {
			if err := r.Fetch(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	known := make(map[string]string)
	b.Run("10,000 releases", func(b *testing.B) {
		for b.Loop() {
			n, peak := 0, uint64(0)
			res, err := w.IndexEach(context.Background(), nil, func(batch []Indexed) error {
				n += len(batch)
				for _, r := range batch {
					known[r.Tag] = r.Object
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
				return nil
			})
			if err != nil || n != prompts*releases || len(res.Problems) > 0 {
				b.Fatalf("%d releases, %d problems, such as %+v, %v", n, len(res.Problems), res.Problems[:min(1, len(res.Problems))], err)
			}
			b.ReportMetric(float64(peak)/(1<<20), "MB-heap")
		}
	})
	b.Run("nothing new", func(b *testing.B) {
		for b.Loop() {
			res, err := w.Index(context.Background(), known)
			if err != nil || len(res.Releases) > 0 || len(res.Problems) > 0 {
				b.Fatalf("%d releases, %d problems, %v", len(res.Releases), len(res.Problems), err)
			}
		}
	})
}
