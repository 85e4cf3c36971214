package otlp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/incipit-dev/incipit/internal/registry"
)

// spansOfAnApplication are three spans as an application with the official SDK
// makes them: a chain, and a call that went well and one that did not below it.
func spansOfAnApplication(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.String("deployment.environment.name", "production"))))
	tracer := provider.Tracer("shop")
	ctx, chain := tracer.Start(t.Context(), "answer", trace.WithTimestamp(began))
	for i, version := range []string{"1.0.0", "1.0.1"} {
		_, call := tracer.Start(ctx, "chat a-model", trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.prompt.name", "greeting"), attribute.String("gen_ai.prompt.version", version),
			attribute.Int("gen_ai.usage.input_tokens", 120), attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop"})))
		if i == 1 {
			call.SetStatus(codes.Error, "overloaded")
		}
		call.End(trace.WithTimestamp(began.Add(time.Second)))
	}
	chain.End(trace.WithTimestamp(began.Add(2 * time.Second)))
	return recorder.Ended()
}

// The official exporter, in both encodings and compressed, is the client here.
func TestTheOfficialExporterIsUnderstoodAndUnderstands(t *testing.T) {
	for name, tt := range map[string]struct {
		encoding otlptracehttp.Encoding
		kind     Encoding
		options  []otlptracehttp.Option
		zipped   int
	}{
		"protobuf":        {encoding: otlptracehttp.EncodingProtobuf, kind: Protobuf},
		"protobuf, gzip":  {encoding: otlptracehttp.EncodingProtobuf, kind: Protobuf, options: []otlptracehttp.Option{otlptracehttp.WithCompression(otlptracehttp.GzipCompression)}, zipped: 2},
		"JSON":            {encoding: otlptracehttp.EncodingJSON, kind: JSON},
		"JSON, with gzip": {encoding: otlptracehttp.EncodingJSON, kind: JSON, options: []otlptracehttp.Option{otlptracehttp.WithCompression(otlptracehttp.GzipCompression)}, zipped: 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			exporter, err := otlptracehttp.New(t.Context(), append(tt.options, otlptracehttp.WithEndpointURL(c.URL+"/v1/otlp/v1/traces"), otlptracehttp.WithEncoding(tt.encoding))...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = exporter.Shutdown(context.Background()) }()
			spans := spansOfAnApplication(t)
			if err := exporter.ExportSpans(t.Context(), spans); err != nil {
				t.Fatal(err)
			}

			// The same spans again, of which the service now refuses one.
			c.refuse = func(b registry.Batch) []registry.Rejection {
				return []registry.Rejection{{Index: b.Index[1], Code: registry.RejectVersion, Reason: "greeting has no release 1.0.1"}}
			}
			err = exporter.ExportSpans(t.Context(), spans)
			if err == nil || !strings.Contains(err.Error(), "span 1: unknown_version: greeting has no release 1.0.1") || !strings.Contains(err.Error(), "1 spans rejected") {
				t.Errorf("the exporter was told %v", err)
			}

			if len(c.batches) != 2 || c.zipped != tt.zipped || c.kinds[0] != tt.kind || c.ignored != 2 {
				t.Fatalf("%d requests, %d compressed, as %v, %d spans ignored", len(c.batches), c.zipped, c.kinds, c.ignored)
			}
			first, again := c.batches[0].Calls, c.batches[1].Calls
			if len(first) != 2 || len(again) != 2 {
				t.Fatalf("%d and %d calls", len(first), len(again))
			}
			for i, c := range first {
				if c.ID != again[i].ID {
					t.Errorf("call %d came as %s and as %s", i, c.ID, again[i].ID)
				}
			}
			got := first[1]
			if got.Prompt != "greeting" || got.Version != "1.0.1" || got.Environment != "production" || got.Latency != time.Second || !got.StartedAt.Equal(began) ||
				got.Outcome != registry.Failed || got.ErrorClass != registry.ProviderError || got.InputTokens.Value != 120 || got.FinishReason != "stop" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What the exporter sent as protobuf and what the collector writes as JSON are
// the same calls.
func TestTheCollectorsJSONSaysTheSame(t *testing.T) {
	c := newCollector(t)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = exporter.Shutdown(context.Background()) }()
	if err := exporter.ExportSpans(t.Context(), spansOfAnApplication(t)); err != nil {
		t.Fatal(err)
	}
	traces, err := decode(c.bodies[0], Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	b, ignored, err := Read(encode(t, traces, JSON), JSON)
	if err != nil || ignored != 1 || len(b.Calls) != 2 {
		t.Fatalf("%d calls, ignored %d, %v", len(b.Calls), ignored, err)
	}
	for i, call := range b.Calls {
		if fmt.Sprint(call) != fmt.Sprint(c.batches[0].Calls[i]) {
			t.Errorf("%+v\n%+v", call, c.batches[0].Calls[i])
		}
	}
}

func TestAnAnswerTellsTheFirstReasons(t *testing.T) {
	if body := Answer(registry.Intake{Accepted: 3, Duplicates: 2}, Protobuf); len(body) != 0 {
		t.Errorf("%x, want nothing: OTLP says success by an empty message", body)
	}
	if body := Answer(registry.Intake{Accepted: 3}, JSON); string(body) != "{}" {
		t.Errorf("%s", body)
	}
	var in registry.Intake
	for i := range 5 {
		in.Rejected = append(in.Rejected, registry.Rejection{Index: i, Code: registry.RejectArm, Reason: "no arm \u202e" + strings.Repeat("x", 9999)})
	}
	both(t, func(t *testing.T, kind Encoding) {
		got := open(t, Answer(in, kind), kind).GetPartialSuccess()
		if got.GetRejectedSpans() != 5 || !strings.HasSuffix(got.GetErrorMessage(), "; and 2 more") || len(got.GetErrorMessage()) > 1100 ||
			!strings.HasPrefix(got.GetErrorMessage(), "span 0: unknown_arm: no arm ⟨U+202E⟩xx") {
			t.Errorf("%d: %s", got.GetRejectedSpans(), got.GetErrorMessage())
		}
	})
}

func TestAnyReasonCanBeTold(t *testing.T) {
	law := func(code, reason []byte, index int, json bool) bool {
		kind := Protobuf
		if json {
			kind = JSON
		}
		body := Answer(registry.Intake{Rejected: []registry.Rejection{{Index: index, Code: string(code), Reason: string(reason)}}}, kind)
		got := open(t, body, kind).GetPartialSuccess()
		return got.GetRejectedSpans() == 1 && utf8.ValidString(got.GetErrorMessage())
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

// open reads an answer as an exporter does.
func open(t *testing.T, body []byte, kind Encoding) *coltrace.ExportTraceServiceResponse {
	t.Helper()
	m := new(coltrace.ExportTraceServiceResponse)
	read := func() error { return proto.Unmarshal(body, m) }
	if kind == JSON {
		read = func() error { return protojson.Unmarshal(body, m) }
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAContentTypeIsAnEncoding(t *testing.T) {
	for header, want := range map[string]string{
		"application/x-protobuf": "application/x-protobuf", "application/json": "application/json", "Application/JSON; charset=utf-8": "application/json",
		"": "", "text/plain": "", "application/grpc": "", "application/json;;": "", "/": "",
	} {
		kind, ok := EncodingOf(header)
		if ok != (want != "") || ok && kind.ContentType() != want {
			t.Errorf("%q: %v, %v", header, kind.ContentType(), ok)
		}
	}
}
