package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// BenchmarkRecord records batches of 500 calls through the handler, packed as
// the SDK does, from eight senders. One op is one batch.
func BenchmarkRecord(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			d := storetest.SQLite
			if kind == "postgres" {
				d = storetest.Postgres
			}
			r := over(b, d(b), written)
			key := r.key([]registry.Permission{registry.MayRecord}, "dev", "*")
			h := r.server.Handler()
			bodies := make(chan string, b.N)
			for range b.N {
				bodies <- manyCalls(500)
			}
			close(bodies)
			var bad atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			start := time.Now()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for body := range bodies {
						req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://127.0.0.1/v1/calls", strings.NewReader(body))
						if err != nil {
							b.Error(err)
							return
						}
						req.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
						w := &statusOnly{discard: discard{make(http.Header)}}
						if h.ServeHTTP(w, req); w.status != http.StatusOK && w.status != 0 {
							bad.Add(1)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if bad.Load() > 0 {
				b.Errorf("%d batches were not taken", bad.Load())
			}
			b.ReportMetric(float64(500*b.N)/time.Since(start).Seconds(), "calls/s")
		})
	}
}

type statusOnly struct {
	discard
	status int
}

func (s *statusOnly) WriteHeader(status int) { s.status = status }

// manyCalls is a packed batch of calls of about 450 bytes.
func manyCalls(n int) string {
	var all strings.Builder
	now := time.Now().UTC()
	for i := range n {
		sep := ","
		if i == 0 {
			sep = "["
		}
		id := newID(now)
		fmt.Fprintf(&all, `%s{"id":%q,"prompt":"support","version":"1.0.0","environment":"dev","arm":"stable","subject":"user-%d","started_at":%q,"latency_ms":%d.25,"ttft_ms":%d,`+
			`"input_tokens":%d,"output_tokens":%d,"cost_usd":0.0021,"outcome":"ok","finish_reason":"stop","model":"model-a-2026","response_id":"resp_%s","tags":{"region":"eu-1","app":"checkout"}}`,
			sep, id, i%97, now.Format(time.RFC3339Nano), 200+i, 50+i%100, 100+i, i, id[24:])
	}
	return gzipped(all.String() + "]")
}
