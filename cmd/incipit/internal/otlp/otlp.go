// Package otlp is the door of OpenTelemetry: spans come in and become calls,
// and the server's own traces and metrics go out. Nothing else in the program
// knows OpenTelemetry's types.
//
// In, it reads and answers one request (Read, Answer) and keeps nothing. Out,
// it sends only where the environment says (Start); nothing of OpenTelemetry
// that is global is set.
package otlp

import "mime"

// An Encoding is how a request and its answer are written.
type Encoding int

// The encodings.
const (
	Protobuf Encoding = iota
	JSON
)

// EncodingOf reads a Content-Type. Others than the two of OTLP over HTTP are
// none.
func EncodingOf(contentType string) (kind Encoding, ok bool) {
	name, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return 0, false
	case name == Protobuf.ContentType():
		return Protobuf, true
	case name == JSON.ContentType():
		return JSON, true
	}
	return 0, false
}

// ContentType is what the header of a body says.
func (e Encoding) ContentType() string {
	if e == JSON {
		return "application/json"
	}
	return "application/x-protobuf"
}
