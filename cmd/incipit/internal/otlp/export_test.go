package otlp

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t-value"

// A backend is where a server exports to.
type backend struct {
	*httptest.Server
	answer func(http.ResponseWriter, *http.Request)

	mu      sync.Mutex
	paths   []string
	keys    []string // the header that signs in
	spans   []*tracepb.ResourceSpans
	metrics map[string]bool
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{metrics: make(map[string]bool)}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paths, b.keys = append(b.paths, r.URL.Path), append(b.keys, r.Header.Get("X-Key"))
	if b.answer != nil {
		b.answer(w, r)
		return
	}
	if strings.HasSuffix(r.URL.Path, "traces") {
		var m coltrace.ExportTraceServiceRequest
		if proto.Unmarshal(body, &m) != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		b.spans = append(b.spans, m.GetResourceSpans()...)
		return
	}
	var m colmetrics.ExportMetricsServiceRequest
	if proto.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	for _, rm := range m.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			for _, metric := range sm.GetMetrics() {
				b.metrics[metric.GetName()] = true
			}
		}
	}
}

// start is Start with an environment; what it logs is returned, too.
func start(t *testing.T, env map[string]string, gather prometheus.Gatherer) (*Exporter, *bytes.Buffer, error) {
	t.Helper()
	var log bytes.Buffer
	e, err := Start(Config{Getenv: func(name string) string { return env[name] }, Gather: gather, Version: "0.4.0", Log: slog.New(slog.NewTextHandler(&log, nil))})
	return e, &log, err
}

func figures() *prometheus.Registry {
	r := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_calls_total", Help: "Calls."})
	c.Inc()
	r.MustRegister(c)
	return r
}

func TestTracesAndMetricsGoWhereTheEnvironmentSays(t *testing.T) {
	b := newBackend(t)
	e, log, err := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": b.URL + "/otel/", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_SERVICE_NAME": "prompts", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production,team=a%20b,service.name=other",
	}, figures())
	if err != nil {
		t.Fatal(err)
	}

	r := httptest.NewRequest(http.MethodPost, "/v1/secret-path?token="+secret, http.NoBody)
	r.Header.Set("Traceparent", "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01")
	with, ended := e.Request(r)
	if got := trace.SpanContextFromContext(with.Context()).TraceID().String(); got != "0102030405060708090a0b0c0d0e0f10" {
		t.Errorf("the request goes on as trace %s", got)
	}
	ended("deploy", http.StatusBadGateway, "req-1")
	_, ended = e.Request(httptest.NewRequest("BREW", "/", http.NoBody))
	ended("none", http.StatusNotFound, "req-2")
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	if fmt.Sprint(b.paths) != "[/otel/v1/traces /otel/v1/metrics]" || b.keys[0] != secret || b.keys[1] != secret {
		t.Errorf("%v with keys %v", b.paths, b.keys)
	}
	if !b.metrics["incipit_calls_total"] {
		t.Errorf("%v", b.metrics)
	}
	if got := said(b.spans[0].GetResource().GetAttributes()); got["service.name"] != "prompts" || got["service.version"] != "0.4.0" || got["team"] != "a b" || got["deployment.environment.name"] != "production" {
		t.Errorf("%v", got)
	}
	spans := b.spans[0].GetScopeSpans()[0].GetSpans()
	deploy, other := spans[0], spans[1]
	if fmt.Sprintf("%x", deploy.GetTraceId()) != "0102030405060708090a0b0c0d0e0f10" || fmt.Sprintf("%x", deploy.GetParentSpanId()) != "0102030405060708" ||
		deploy.GetName() != "deploy" || deploy.GetKind() != tracepb.Span_SPAN_KIND_SERVER || deploy.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("%v", deploy)
	}
	if got := said(deploy.GetAttributes()); fmt.Sprint(got) != "map[http.request.method:POST http.response.status_code:502 incipit.request.id:req-1 incipit.route.name:deploy]" {
		t.Errorf("%v", got)
	}
	if got := said(other.GetAttributes()); got["http.request.method"] != "_OTHER" || other.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("%v", other)
	}
	if strings.Contains(log.String(), secret) || !strings.Contains(log.String(), b.URL+"/otel/v1/traces") {
		t.Errorf("logged: %s", log)
	}
}

func said(attrs []*common.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, a := range attrs {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		default:
			m[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	return m
}

func TestNothingIsExportedUnlessAsked(t *testing.T) {
	const somewhere = "http://127.0.0.1:4318"
	for name, env := range map[string]map[string]string{
		"an empty environment":  {},
		"no endpoint":           {"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_TRACES_SAMPLER": "always_on"},
		"the SDK is switched":   {"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_SDK_DISABLED": "TRUE"},
		"both signals are none": {"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			e, log, err := start(t, env, figures())
			if e != nil || err != nil || log.Len() != 0 {
				t.Errorf("%v, %v, %s", e, err, log)
			}
		})
	}
}

func TestAnExporterThatIsOffCostsNothing(t *testing.T) {
	var off *Exporter
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Traceparent", "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01")
	if n := testing.AllocsPerRun(100, func() {
		with, ended := off.Request(r)
		if with != r {
			t.Error("another request")
		}
		ended("deploy", 200, "req-1")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := off.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOneSignalAlone(t *testing.T) {
	b := newBackend(t)
	e, _, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": b.URL + "/my/metrics", "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-key=m"}, figures())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	if with, _ := e.Request(r); with != r {
		t.Error("traces are made, and exported nowhere")
	}
	if err := e.Shutdown(t.Context()); err != nil || fmt.Sprint(b.paths, b.keys) != "[/my/metrics] [m]" {
		t.Errorf("%v %v %v", b.paths, b.keys, err)
	}
}

// The header that signs in must not turn up anywhere, whatever goes wrong.
func TestWhatFailsIsLoggedWithoutSecrets(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"sent elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.answer = answer
			e, log, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": b.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, figures())
			if err != nil {
				t.Fatal(err)
			}
			_, ended := e.Request(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			ended("deploy", 200, "req-1")
			if err := e.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if text := log.String() + fmt.Sprintf("%+v", *e); strings.Contains(text, secret) {
				t.Errorf("told: %s", text)
			}
			for _, want := range []string{"traces were not exported", "metrics were not exported"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q is not in %s", want, log)
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if slices.Contains(b.paths, "/elsewhere") {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestAPartialFailureOfTheFiguresExportsTheRest(t *testing.T) {
	b := newBackend(t)
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		m, err := figures().Gather()
		return m, errors.Join(err, errors.New("one cannot be collected"))
	})
	e, log, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": b.URL + "/v1/metrics"}, broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context()); err != nil || !b.metrics["incipit_calls_total"] || !strings.Contains(log.String(), "one cannot be collected") {
		t.Errorf("%v %v %s", err, b.metrics, log)
	}
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	defer hangs.Close()
	defer close(release)
	e, _, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": hangs.URL}, figures())
	if err != nil {
		t.Fatal(err)
	}
	_, ended := e.Request(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	ended("deploy", 200, "req-1")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = e.Shutdown(ctx) // it comes back, which is what is asked here
}

func TestAPrivateAuthorityIsTrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the client that does not trust it
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, want string }{{file, ""}, {"", "certificate"}} {
		e, log, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": s.URL + "/v1/metrics", "OTEL_EXPORTER_OTLP_CERTIFICATE": tt.file}, figures())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if failed := strings.Contains(log.String(), "not exported"); failed != (tt.want != "") || !strings.Contains(log.String(), tt.want) {
			t.Errorf("with %q: %s", tt.file, log)
		}
	}
}

func TestVariablesThatAreNotUnderstood(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	ok := "http://127.0.0.1:4318"
	for name, env := range map[string]map[string]string{
		"an endpoint without a scheme":   {endpoint: "127.0.0.1:4318"},
		"an endpoint of another kind":    {endpoint: "unix:///run/" + secret},
		"a password in the endpoint":     {endpoint: "https://user:" + secret + "@example.com"},
		"a key in the endpoint's query":  {endpoint: "https://example.com/?key=" + secret},
		"gRPC":                           {endpoint: ok, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
		"JSON for traces":                {endpoint: ok, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
		"a header without a value":       {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": secret},
		"a header with a comma":          {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a," + secret},
		"a header's name that is none":   {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": "Bearer " + secret + "=="},
		"a header with a broken percent": {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret + "%zz"},
		"a header of two lines":          {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret + "%0d%0ax: y"},
		"a header that does not count":   {endpoint: ok, "OTEL_EXPORTER_OTLP_HEADERS": secret, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=b", "OTEL_METRICS_EXPORTER": "none"},
		"a sampler":                      {endpoint: ok, "OTEL_TRACES_SAMPLER": "sometimes"},
		"a sampler's argument":           {endpoint: ok, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"},
		"a timeout":                      {endpoint: ok, "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
		"an interval of nothing":         {endpoint: ok, "OTEL_METRIC_EXPORT_INTERVAL": "0"},
		"a compression":                  {endpoint: ok, "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"},
		"another exporter":               {endpoint: ok, "OTEL_TRACES_EXPORTER": "zipkin"},
		"a certificate that is not here": {endpoint: ok, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/" + secret},
		"half a pair of key and name":    {endpoint: ok, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere/" + secret},
		"resource attributes":            {endpoint: ok, "OTEL_RESOURCE_ATTRIBUTES": "team"},
	} {
		t.Run(name, func(t *testing.T) {
			e, log, err := start(t, env, figures())
			if e != nil || !errors.Is(err, prompt.ErrInvalid) {
				t.Fatalf("%v, %v", e, err)
			}
			if text := fmt.Sprintf("%v %+v %s", err, err, log); strings.Contains(text, secret) {
				t.Errorf("told: %s", text)
			}
			t.Log(err)
		})
	}
}

func TestSamplers(t *testing.T) {
	sampled, unsampled := "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01", "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-00"
	for _, tt := range []struct {
		sampler, arg, parent string
		want                 bool
	}{
		{"", "", "", true},
		{"", "", unsampled, false},
		{"always_on", "", unsampled, true},
		{"always_off", "", sampled, false},
		{"parentbased_always_off", "", "", false},
		{"parentbased_always_off", "", sampled, true},
		{"traceidratio", "1", "", true},
		{"traceidratio", "", "", true},
		{"traceidratio", "0", sampled, false},
		{"parentbased_traceidratio", "0", sampled, true},
	} {
		e, _, err := start(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": newBackend(t).URL, "OTEL_TRACES_SAMPLER": tt.sampler, "OTEL_TRACES_SAMPLER_ARG": tt.arg}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if tt.parent != "" {
			r.Header.Set("Traceparent", tt.parent)
		}
		with, ended := e.Request(r)
		if got := trace.SpanContextFromContext(with.Context()).IsSampled(); got != tt.want {
			t.Errorf("%q %q below %q: %v", tt.sampler, tt.arg, tt.parent, got)
		}
		ended("deploy", 200, "req-1")
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	nowhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer nowhere.Close()
	for name, sampler := range map[string]string{"every": "always_on", "1 %": "traceidratio"} {
		e, err := Start(Config{Getenv: func(name string) string {
			return map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": nowhere.URL, "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0.01"}[name]
		}})
		if err != nil {
			b.Fatal(err)
		}
		run(b, name, e)
		_ = e.Shutdown(b.Context())
	}
	run(b, "off", nil)
}

func run(b *testing.B, name string, e *Exporter) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		b.ReportAllocs()
		for b.Loop() {
			_, ended := e.Request(r)
			ended("resolve", 200, "req-1")
		}
	})
}
