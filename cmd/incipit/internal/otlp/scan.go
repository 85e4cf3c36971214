package otlp

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What a request may hold. Two bytes of protobuf are an empty span, which takes
// a hundred times that in memory, and values nest as deeply as the body is long:
// so a body is looked through before it is decoded.
const (
	maxSpans = 20_000
	maxParts = 250_000 // messages of any kind: spans, events, attributes, values
	maxDepth = 64      // of messages; 29 arrays of arrays
	maxJSON  = 128     // of braces and brackets: JSON has two or three for a message
)

// ErrTooMany is a request that holds more than is read at once. It is a
// prompt.ErrInvalid, too.
var ErrTooMany = fmt.Errorf("too much in one request: %w", prompt.ErrInvalid)

// scan refuses a body that would be much larger decoded, or nested too deeply.
// Whether it is well formed is for the decoder to say.
func scan(body []byte, kind Encoding) error {
	if kind == JSON {
		return scanJSON(body)
	}
	s := scanner{}
	return s.message(inTraces, body, 0)
}

// scanJSON counts objects, and how deeply they lie.
func scanJSON(body []byte) error {
	depth, parts := 0, 0
	quoted, escaped := false, false
	for _, c := range body {
		switch {
		case quoted:
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > maxJSON {
				return errDeep()
			}
			if c == '{' {
				if parts++; parts > maxParts {
					return errMany()
				}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// A message is one of OTLP's kinds that hold others.
type message int

const (
	inOther message = iota // holds nothing that could nest
	inTraces
	inResourceSpans
	inResource
	inScopeSpans
	inScope
	inSpan
	inEventOrLink
	inKeyValue
	inValue
	inArray
	inList
)

// field is what lies in a field of m; false if it is no message.
func (m message) field(n protowire.Number) (message, bool) {
	switch m {
	case inTraces:
		return inResourceSpans, n == 1
	case inResourceSpans:
		switch n {
		case 1:
			return inResource, true
		case 2, 1000: // 1000 is what field 2 was called before
			return inScopeSpans, true
		}
	case inResource:
		if n == 3 {
			return inOther, true
		}
		return inKeyValue, n == 1
	case inScopeSpans:
		switch n {
		case 1:
			return inScope, true
		case 2:
			return inSpan, true
		}
	case inScope:
		return inKeyValue, n == 3
	case inSpan:
		switch n {
		case 9:
			return inKeyValue, true
		case 11, 13:
			return inEventOrLink, true
		case 15:
			return inOther, true
		}
	case inEventOrLink: // an event has its attributes in 3, a link in 4
		return inKeyValue, n == 3 || n == 4
	case inKeyValue:
		return inValue, n == 2
	case inValue:
		switch n {
		case 5:
			return inArray, true
		case 6:
			return inList, true
		}
	case inArray:
		return inValue, n == 1
	case inList:
		return inKeyValue, n == 1
	}
	return inOther, false
}

type scanner struct{ parts, spans int }

// message looks through the fields of m, which lies so many messages deep.
func (s *scanner) message(m message, b []byte, depth int) error {
	if depth > maxDepth {
		return errDeep()
	}
	for len(b) > 0 {
		n, wire, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errBroken()
		}
		b = b[size:]
		inner, nests := m.field(n)
		if wire != protowire.BytesType || !nests {
			if wire == protowire.StartGroupType {
				return errBroken() // OTLP has no groups, and they nest, too
			}
			if size = protowire.ConsumeFieldValue(n, wire, b); size < 0 {
				return errBroken()
			}
			b = b[size:]
			continue
		}
		value, size := protowire.ConsumeBytes(b)
		if size < 0 {
			return errBroken()
		}
		b = b[size:]
		if s.parts++; s.parts > maxParts {
			return errMany()
		}
		if inner == inSpan {
			if s.spans++; s.spans > maxSpans {
				return errSpans()
			}
		}
		if err := s.message(inner, value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func errBroken() error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the body is not an OTLP request for traces"),
		"send an ExportTraceServiceRequest with Content-Type application/x-protobuf or application/json, as an OTLP exporter over HTTP does")
}

func errDeep() error {
	return registry.Errorf(prompt.ErrInvalid, "the values of an attribute are nested too deeply")
}

func errMany() error {
	return registry.WithFix(registry.Errorf(ErrTooMany, "the request holds more than %d attributes, events and values", maxParts), "send smaller batches")
}

func errSpans() error {
	return registry.WithFix(registry.Errorf(ErrTooMany, "the request holds more than %d spans", maxSpans), "send smaller batches")
}
