package otlp

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Request begins the span of a request, below the one that its traceparent
// names. The request it returns carries the span; ended ends it. Where no traces
// are exported it returns r itself, and costs nothing.
//
// A span says method, route, status and request id: no path, no header and no
// address, which may be about people.
func (e *Exporter) Request(r *http.Request) (with *http.Request, ended func(route string, status int, request string)) {
	if e == nil || e.tracer == nil {
		return r, notTraced
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := e.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", method(r.Method))))
	return r.WithContext(ctx), func(route string, status int, request string) {
		if span.IsRecording() {
			span.SetName(route)
			span.SetAttributes(attribute.String("incipit.route.name", route), attribute.Int("http.response.status_code", status), attribute.String("incipit.request.id", request))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}

func notTraced(string, int, string) {}

// method is one that HTTP knows: others come from outside, in any number.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}
