package otlp

import (
	"encoding/json"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Read makes calls of the spans of an ExportTraceServiceRequest. A span is a
// call if it names a prompt and does not say that it is something else than a
// model call; the others are counted, not rejected. What a span has no attribute
// for is missing in its call: Check says so. The indexes of the batch count all
// spans of the request.
//
// A version passes on as it is. The numbers that Langfuse and Traceloop count
// versions by name no release here, and are refused as unknown, unless the
// application names its prompts by our versions. Only what can mean one thing is
// made ours: v1.3.2 is 1.3.2, and where Traceloop tells a number, a name and a
// hash, the one that is a version wins.
//
// It reports prompt.ErrInvalid for a body that is no such request, and for one
// that holds too much.
func Read(body []byte, kind Encoding) (b registry.Batch, ignored int, err error) {
	traces, err := decode(body, kind)
	if err != nil {
		return registry.Batch{}, 0, err
	}
	index := 0
	for _, rs := range traces.ResourceSpans().All() {
		resource := gather(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			for _, sp := range ss.Spans().All() {
				if !namesPrompt(sp.Attributes()) {
					ignored++
				} else if r := newReading(sp, resource); !r.isModelCall() {
					ignored++
				} else if c := r.call(); r.rejection != nil {
					r.rejection.Index = index
					b.Rejected = append(b.Rejected, *r.rejection)
				} else {
					b.Calls, b.Index = append(b.Calls, c), append(b.Index, index)
				}
				index++
			}
		}
	}
	return b, ignored, nil
}

// decode reads a body. OTLP's request and the collector's traces are the same
// message.
func decode(body []byte, kind Encoding) (ptrace.Traces, error) {
	if err := scan(body, kind); err != nil {
		return ptrace.Traces{}, err
	}
	var traces ptrace.Traces
	var err error
	if kind == JSON {
		if !json.Valid(body) { // the decoder takes what follows the document for nothing
			return ptrace.Traces{}, errBroken()
		}
		traces, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(body)
	} else {
		traces, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	}
	if err != nil {
		return ptrace.Traces{}, errBroken() // the decoder's text quotes the body
	}
	return traces, nil
}

// namesPrompt reports whether a span names a prompt in any way that is known.
func namesPrompt(attrs pcommon.Map) bool {
	for name, v := range attrs.All() {
		for _, c := range conventions {
			for _, known := range c.name {
				if name == known && textOf(v) != "" {
					return true
				}
			}
		}
	}
	return false
}
