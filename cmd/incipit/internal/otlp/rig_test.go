package otlp

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/incipit-dev/incipit/internal/registry"
)

// began is when the spans of the tests begin; they take 1.2 seconds.
var began = time.Date(2026, 8, 7, 10, 0, 0, 123_456_000, time.UTC)

// request is an ExportTraceServiceRequest with a span that says some things.
func request(t testing.TB, kind Encoding, says map[string]any, change ...func(ptrace.Span, pcommon.Map)) []byte {
	t.Helper()
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	sp := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	sp.SetTraceID(pcommon.TraceID{1, 2, 3})
	sp.SetSpanID(pcommon.SpanID{4, 5, 6})
	sp.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
	sp.SetEndTimestamp(pcommon.NewTimestampFromTime(began.Add(1200 * time.Millisecond)))
	if err := sp.Attributes().FromRaw(says); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(sp, rs.Resource().Attributes())
	}
	return encode(t, traces, kind)
}

func encode(t testing.TB, traces ptrace.Traces, kind Encoding) []byte {
	t.Helper()
	marshal := (&ptrace.ProtoMarshaler{}).MarshalTraces
	if kind == JSON {
		marshal = (&ptrace.JSONMarshaler{}).MarshalTraces
	}
	body, err := marshal(traces)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// A collector is a server as ours is: it reads requests and answers them.
type collector struct {
	*httptest.Server
	refuse func(registry.Batch) []registry.Rejection // what the service would refuse

	mu      sync.Mutex
	bodies  [][]byte
	kinds   []Encoding
	zipped  int
	batches []registry.Batch
	ignored int
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{refuse: func(b registry.Batch) []registry.Rejection { return b.Rejected }}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind, ok := EncodingOf(r.Header.Get("Content-Type"))
	if !ok {
		http.Error(w, "neither protobuf nor JSON", http.StatusUnsupportedMediaType)
		return
	}
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		c.zipped++
		from, _ = gzip.NewReader(r.Body)
	}
	body, err := io.ReadAll(from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	batch, ignored, err := Read(body, kind)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.bodies, c.kinds, c.batches, c.ignored = append(c.bodies, body), append(c.kinds, kind), append(c.batches, batch), c.ignored+ignored
	rejected := c.refuse(batch)
	w.Header().Set("Content-Type", kind.ContentType())
	_, _ = w.Write(Answer(registry.Intake{Accepted: len(batch.Calls), Rejected: rejected}, kind))
}
