package otlp

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is what Start needs. Getenv is required.
type Config struct {
	Getenv  func(string) string // the OTEL_ variables are read through it, alone
	Gather  prometheus.Gatherer // the figures to export; none if nil
	Version string              // of the program
	Log     *slog.Logger        // is told of exports that failed; nothing if nil
}

// An Exporter sends the server's own traces and metrics to where its environment
// says. A nil Exporter exports nothing: all methods may be called on it.
type Exporter struct {
	tracer  trace.Tracer // nil: no traces
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
}

// Start begins to export what the OTEL_ variables ask for. It returns nil if they
// name no endpoint, or switch the export off. It connects to nobody itself; what
// cannot be sent is told to Log and dropped, and never holds up a request.
//
// It reports prompt.ErrInvalid for variables that are not understood. Whoever
// calls it calls Shutdown.
func Start(c Config) (*Exporter, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s, err := environment(c.Getenv).settings(c.Version)
	if err != nil {
		return nil, err
	}
	if c.Gather == nil {
		s.metrics = target{}
	}
	if s.traces.url == "" && s.metrics.url == "" {
		return nil, nil //nolint:nilnil // a nil Exporter is one that is off
	}
	e, of := new(Exporter), resource.NewSchemaless(s.resource...)
	if s.traces.url != "" {
		if err := e.startTraces(&s, of, c.Log); err != nil {
			return nil, err
		}
	}
	if s.metrics.url != "" {
		if err := e.startMetrics(&s, of, c); err != nil {
			return nil, errors.Join(err, e.Shutdown(context.Background()))
		}
	}
	c.Log.Info("exporting by OTLP", "traces", s.traces.url, "metrics", s.metrics.url)
	return e, nil
}

func (e *Exporter) startTraces(s *settings, of *resource.Resource, log *slog.Logger) error {
	t := s.traces
	compression := otlptracehttp.NoCompression
	if t.gzip {
		compression = otlptracehttp.GzipCompression
	}
	to, err := otlptracehttp.New(context.Background(), // it connects when it first exports
		otlptracehttp.WithEndpointURL(t.url), otlptracehttp.WithHeaders(t.headers), otlptracehttp.WithTimeout(t.timeout),
		otlptracehttp.WithCompression(compression), otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf), otlptracehttp.WithHTTPClient(t.client))
	if err != nil {
		return err
	}
	e.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(of), sdktrace.WithSampler(s.sampler), sdktrace.WithBatcher(heardSpans{to, log}))
	e.tracer = e.traces.Tracer("incipit")
	return nil
}

func (e *Exporter) startMetrics(s *settings, of *resource.Resource, c Config) error {
	t := s.metrics
	compression := otlpmetrichttp.NoCompression
	if t.gzip {
		compression = otlpmetrichttp.GzipCompression
	}
	to, err := otlpmetrichttp.New(context.Background(),
		otlpmetrichttp.WithEndpointURL(t.url), otlpmetrichttp.WithHeaders(t.headers), otlpmetrichttp.WithTimeout(t.timeout),
		otlpmetrichttp.WithCompression(compression), otlpmetrichttp.WithHTTPClient(t.client))
	if err != nil {
		return err
	}
	figures := bridge.NewMetricProducer(bridge.WithGatherer(heardGatherer{c.Gather, c.Log}))
	e.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(of), sdkmetric.WithReader(
		sdkmetric.NewPeriodicReader(heardMetrics{to, c.Log}, sdkmetric.WithInterval(s.interval), sdkmetric.WithProducer(figures))))
	return nil
}

// Shutdown sends what is left and stops, at the latest when ctx is done.
func (e *Exporter) Shutdown(ctx context.Context) error {
	if e == nil {
		return nil
	}
	var errs [2]error
	if e.traces != nil {
		errs[0] = e.traces.Shutdown(ctx)
	}
	if e.metrics != nil {
		errs[1] = e.metrics.Shutdown(ctx)
	}
	return errors.Join(errs[:]...)
}

// What fails is told to the server's log here. OpenTelemetry would tell its
// global handler, which is not ours to set and writes to standard error.

type heardSpans struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (h heardSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := h.SpanExporter.ExportSpans(ctx, spans); err != nil {
		h.log.Warn("traces were not exported", "spans", len(spans), "error", err)
	}
	return nil
}

type heardMetrics struct {
	sdkmetric.Exporter
	log *slog.Logger
}

func (h heardMetrics) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	if err := h.Exporter.Export(ctx, m); err != nil {
		h.log.Warn("metrics were not exported", "error", err)
	}
	return nil
}

// A heardGatherer exports what could be gathered, as the page for Prometheus
// shows it.
type heardGatherer struct {
	prometheus.Gatherer
	log *slog.Logger
}

func (h heardGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := h.Gatherer.Gather()
	if err != nil {
		h.log.Warn("some metrics cannot be exported", "error", err)
	}
	return families, nil
}
