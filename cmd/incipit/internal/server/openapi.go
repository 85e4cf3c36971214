package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// schemaName names a schema after its type. Two rooms have types of the same
// name for different things.
func schemaName(t reflect.Type, hint string) string {
	switch t {
	case reflect.TypeFor[api.Release]():
		return "ReleaseContent"
	case reflect.TypeFor[prompt.Change]():
		return "PromptChange"
	case reflect.TypeFor[api.Feedback]():
		return "FeedbackRequest"
	case reflect.TypeFor[registry.Problem]():
		return "TagProblem"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// schema is that of a type, as a reference.
func schema[T any](rt *routing) *huma.Schema {
	return rt.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

func jsonOf(s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: s}}
}

// problem is the answer to whatever went wrong.
func (rt *routing) problem() *huma.Response {
	return &huma.Response{Description: "A problem", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: schema[api.Problem](rt)}}}
}

// document is what /openapi.json says: sorted, indented, the same each time.
func (rt *routing) document() ([]byte, error) {
	doc := rt.api.OpenAPI()
	maps.DeleteFunc(doc.Components.Schemas.Map(), func(name string, _ *huma.Schema) bool {
		return name == "ErrorModel" || name == "ErrorDetail" // huma's, which nobody is answered with
	})
	all := doc.Components.Schemas.Map()
	entry := all["Entry"] // one that was removed says only that
	all["Entry"] = &huma.Schema{Type: entry.Type, Properties: entry.Properties, AdditionalProperties: entry.AdditionalProperties}
	all["Entry"].PrecomputeMessages()
	metrics := all["Metadata"].Properties
	metrics["performance_metrics"] = &huma.Schema{AnyOf: []*huma.Schema{metrics["performance_metrics"], {Type: "null"}}}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(tree)
	return out.Bytes(), err
}

func inPathParam(names ...string) []*huma.Param {
	var out []*huma.Param
	for _, name := range names {
		out = append(out, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	return out
}

func headerParam(name, about string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
}

func describeSnapshot(rt *routing, op *huma.Operation) {
	op.Parameters = append(inPathParam("environment"), headerParam("If-None-Match", "The ETag of the last answer"), &huma.Param{
		Name: "prompt", In: "query", Description: "Only these, each of which must run", Schema: &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}},
	})
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: jsonOf(schema[registry.Snapshot](rt)), Headers: map[string]*huma.Param{
		"ETag": {Description: `"generation.revision", with more behind it where the caller sees a part`, Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	op.Responses["304"] = &huma.Response{Description: http.StatusText(http.StatusNotModified)}
}

func describeStream(rt *routing, op *huma.Operation) {
	op.Description += " Events: snapshot and patch, each with id generation.revision, and goaway when the server is about to stop; comments keep the connection open." +
		" A caller who sees a part of the environment gets a snapshot instead of patches that would leave a gap."
	op.Parameters = append(inPathParam("environment"), headerParam("Last-Event-ID", "Continue after it; without it, or if that cannot be, a snapshot comes first"))
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{OneOf: []*huma.Schema{schema[registry.Snapshot](rt), schema[registry.Patch](rt), schema[api.Goaway](rt)}}},
	}}
}

func describeResolve(rt *routing, op *huma.Operation) {
	op.Parameters = inPathParam("environment")
	op.RequestBody = &huma.RequestBody{Required: true, Content: jsonOf(schema[api.ResolveRequest](rt))}
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: jsonOf(schema[api.Resolved](rt))}
}

func describeRecord(rt *routing, op *huma.Operation) {
	call := schema[registry.WireCall](rt)
	several := &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeArray, Items: call},
		{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"calls": {Type: huma.TypeArray, Items: call}}, Required: []string{"calls"}},
		call,
	}}
	op.Description += " At most 1,000 calls and 4 MiB, also when they are unpacked. A call that cannot be taken is told, and keeps no other from being taken. " + ofCrowds
	op.Parameters = []*huma.Param{headerParam(api.IdempotencyKey, "What the sender calls the batch; it counts for calls without an id. Without it the content counts"), packedParam()}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: several}, "application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString, Description: "A call on each line"}},
	}}
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: jsonOf(schema[registry.Intake](rt))}
}

func describeSpans(_ *routing, op *huma.Operation) {
	op.Description += " An ExportTraceServiceRequest of OTLP, of at most 4 MiB, also when it is unpacked. " + ofCrowds
	op.Parameters = []*huma.Param{packedParam()}
	message := map[string]*huma.MediaType{
		"application/json":       {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}},
		"application/x-protobuf": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: message}
	op.Responses["200"] = &huma.Response{Description: "An ExportTraceServiceResponse, which names the spans that were not taken", Content: message}
}

const ofCrowds = "If more come than can be taken, the answer is 429, with Retry-After."

func packedParam() *huma.Param {
	return &huma.Param{Name: "Content-Encoding", In: "header", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"gzip", "identity"}}}
}

func describeExport(_ *routing, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: jsonOf(&huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})}
}

func describeHook(_ *routing, op *huma.Operation) {
	op.Parameters = inPathParam("kind")
	op.RequestBody = &huma.RequestBody{Required: true, Content: jsonOf(&huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})}
	op.Responses["202"] = &huma.Response{Description: "Git will be read"}
}

func describeHealth(rt *routing, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: jsonOf(schema[api.Health](rt))}
	if op.OperationID == "readyz" {
		op.Responses["503"] = &huma.Response{Description: "Not ready", Content: jsonOf(schema[api.Health](rt))}
	}
}

func describeText(_ *routing, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}
}
