package uitest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// BenchmarkScroll turns the wheel from the top of the matrix of 1,000 prompts in
// 3 environments to its end, all rows loaded, and says how long there is between
// two frames. The yardstick is a plain table of as many rows in the same window.
//
//	go test -run '^$' -bench BenchmarkScroll -benchtime 3x ./cmd/incipit/uitest
func BenchmarkScroll(b *testing.B) {
	const prompts = 1000
	s := newRepo(b)
	s.crowd(prompts - 2) // two are there
	s.args = []string{"--dev"}
	s.serve("127.0.0.1:0")
	s.everywhere(b, prompts-2)
	var plain strings.Builder
	plain.WriteString(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Rows</title><main><table>`)
	for n := range prompts {
		fmt.Fprintf(&plain, `<tr id="row-%d"><th>team/prompt-%04d</th><td>1.0.0</td><td>1.0.0<br>good<br>today</td><td>1.0.0<br>good<br>today</td><td>1.0.0<br>good<br>today</td></tr>`, n, n)
	}
	plain.WriteString(`</table></main>`)
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(plain.String())) // whoever does not read it is gone
	}))
	b.Cleanup(static.Close)
	for _, tt := range []struct{ name, url string }{{"yardstick", static.URL}, {"matrix", s.url + "/?rows=5000"}} {
		b.Run(tt.name, func(b *testing.B) {
			t := newTab(b)
			t.open(tt.url)
			t.until("every row is there", fmt.Sprintf(`document.readyState === "complete" && document.querySelectorAll("tr[id]").length === %d`, prompts))
			var gaps []float64
			for b.Loop() {
				gaps = append(gaps, t.scroll()...)
			}
			slow := 0
			for _, g := range gaps {
				if g > 50 {
					slow++
				}
			}
			report(b, gaps)
			b.ReportMetric(slices.Max(gaps), "ms-max")
			b.ReportMetric(100*float64(slow)/float64(len(gaps)), "%-over-50ms")
			b.ReportMetric(float64(len(gaps))/float64(b.N), "frames")
		})
	}
}

// scroll turns the wheel until the end of the page, and says the milliseconds
// between each two frames meanwhile.
func (b *tab) scroll() []float64 {
	b.t.Helper()
	b.script(`scrollTo(0, 0); window.gaps = []; window.turning = true;
		let last;
		requestAnimationFrame(function frame(at) { if (last !== undefined) window.gaps.push(at - last); last = at; if (window.turning) requestAnimationFrame(frame); });`)
	for !value[bool](b, `scrollY + innerHeight >= document.documentElement.scrollHeight - 2`) {
		for range 5 {
			if err := b.wheel(600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return value[[]float64](b, `(window.turning = false, window.gaps)`)
}

// wheel turns the wheel by so many pixels, over the middle of the window.
// The tiny bit to the side is there because a 0 is left out of what is sent, and missed.
func (b *tab) wheel(down float64) error {
	_, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: 640, Y: 450, DeltaX: 1e-9, DeltaY: down, PointerType: input.DispatchMouseEventPointerTypeMouse})
	return err
}
