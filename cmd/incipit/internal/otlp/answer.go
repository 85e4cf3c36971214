package otlp

import (
	"fmt"
	"strings"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What an answer tells of the spans that were refused.
const (
	toldReasons = 3
	maxReason   = 240 // characters
)

// Answer is the body of the ExportTraceServiceResponse that tells what became of
// a request. OTLP has no place for duplicates: they are taken. An exporter hears
// of refused spans as a partial success, and does not send them again.
func Answer(in registry.Intake, kind Encoding) []byte {
	m := new(coltrace.ExportTraceServiceResponse)
	if n := len(in.Rejected); n > 0 {
		m.PartialSuccess = &coltrace.ExportTracePartialSuccess{RejectedSpans: int64(n), ErrorMessage: reasons(in.Rejected)}
	}
	var body []byte
	var err error
	if kind == JSON {
		body, err = protojson.Marshal(m)
	} else {
		body, err = proto.Marshal(m)
	}
	if err != nil { // only text that is not UTF-8 cannot be written, and Visible leaves none
		panic("otlp: " + err.Error())
	}
	return body
}

// reasons names the first rejections.
func reasons(all []registry.Rejection) string {
	var b strings.Builder
	for i, r := range all {
		if i == toldReasons {
			fmt.Fprintf(&b, "; and %d more", len(all)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "span %d: %s: %s", r.Index, prompt.Clip(r.Code, 40), prompt.Clip(r.Reason, maxReason))
	}
	return b.String()
}
