package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A handler answers a request, or reports why not.
type handler func(w *answer, r *http.Request) error

// An endpoint describes a route in the OpenAPI document and makes its handler.
type endpoint func(*routing, huma.Operation)

// reply is what a JSON handler gives: huma writes the field Body.
type reply[T any] struct{ Body T }

// answered makes a reply of a call's results.
func answered[T any](v T, err error) (*reply[T], error) {
	if err != nil {
		return nil, err
	}
	return &reply[T]{v}, nil
}

// typed is an endpoint whose parameters, body and answer are Go types: huma
// reads, checks and describes them.
func typed[I, O any](h func(context.Context, *I) (*O, error)) endpoint {
	return func(rt *routing, op huma.Operation) {
		op.MaxBodyBytes = cmp.Or(op.MaxBodyBytes, maxBody)
		op.BodyReadTimeout = -1 // Handle has read it
		op.Responses = map[string]*huma.Response{"default": rt.problem()}
		huma.Register(rt.api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(ctx, in)
			if err != nil {
				return nil, &failure{err}
			}
			return out, nil
		})
	}
}

// upTo is an endpoint whose body may be larger than others, in bytes.
func upTo(most int64, e endpoint) endpoint {
	return func(rt *routing, op huma.Operation) {
		op.MaxBodyBytes = most
		e(rt, op)
	}
}

// plain is an endpoint that reads and writes by itself, described by hand.
func plain(h handler, describe func(*routing, *huma.Operation)) endpoint {
	return func(rt *routing, op huma.Operation) {
		op.Responses = map[string]*huma.Response{"default": rt.problem()}
		describe(rt, &op)
		rt.api.OpenAPI().AddOperation(&op)
		rt.handlers[op.OperationID] = h
	}
}

// A routing is the making of the map of routes: huma's adapter.
type routing struct {
	api      huma.API
	handlers map[string]handler // by operation
	now      func() time.Time
}

// Handle is what huma calls with the handler of an operation.
func (rt *routing) Handle(op *huma.Operation, h func(huma.Context)) {
	rt.handlers[op.OperationID] = func(w *answer, r *http.Request) error {
		if err := w.read(r, op.MaxBodyBytes); err != nil {
			return err
		}
		w.unhurried(rt.now())
		ctx := registry.WithCaller(r.Context(), w.caller)
		r = r.WithContext(ctx)
		r.Body = io.NopCloser(bytes.NewReader(w.body))
		x := &exchange{inner: humago.NewContext(op, r, w), w: w}
		h(x)
		return x.failed
	}
}

// ServeHTTP is there for huma.Adapter, and not used: the door serves.
func (rt *routing) ServeHTTP(http.ResponseWriter, *http.Request) {}

// An exchange is huma's view of a request. Errors do not go through huma's own
// writer, whose shape is a package variable: they are kept, and the door
// answers with a problem.
type exchange struct {
	inner
	w      *answer
	failed error
}

// inner is huma's context under another name: it has a method Context.
type inner = huma.Context

// Unwrap is for humago.Unwrap.
func (x *exchange) Unwrap() huma.Context { return x.inner }

// SetStatus writes the header, unless the door is to do that.
func (x *exchange) SetStatus(status int) {
	if x.failed != nil {
		return
	}
	if status != http.StatusNoContent {
		x.w.Header()["Content-Type"] = isJSON
	}
	x.inner.SetStatus(status)
}

// SetHeader is for answers that are no errors.
func (x *exchange) SetHeader(name, value string) {
	if x.failed == nil && name != "Content-Type" {
		x.inner.SetHeader(name, value)
	}
}

// BodyWriter drops what belongs to an error.
func (x *exchange) BodyWriter() io.Writer {
	if x.failed != nil {
		return io.Discard
	}
	return x.inner.BodyWriter()
}

// A failure carries a handler's error through huma.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// GetStatus makes it one that huma hands on to the transformers as it is.
func (f *failure) GetStatus() int { return http.StatusInternalServerError }

// keepErrors is the transformer that sees every answer before its first byte.
func keepErrors(ctx huma.Context, _ string, v any) (any, error) {
	x := ctx.(*exchange) //nolint:errcheck // Handle makes no other
	switch v := v.(type) {
	case *failure:
		x.failed = v.error
	case *huma.ErrorModel:
		x.failed = modelError(v)
	}
	return v, nil
}

// modelError is what huma found wrong with a request.
func modelError(m *huma.ErrorModel) error {
	parts := make([]string, 0, len(m.Errors))
	for _, e := range m.Errors {
		if e != nil {
			parts = append(parts, strings.TrimPrefix(e.Location+": ", ": ")+e.Message)
		}
	}
	if len(parts) == 0 {
		parts = []string{m.Detail}
	}
	err := registry.Errorf(prompt.ErrInvalid, "the request is not one of this route: %s", prompt.Clip(prompt.Visible(strings.Join(parts, "; ")), 600))
	if m.Status >= http.StatusInternalServerError {
		err = errors.New(m.Detail)
	}
	return registry.WithFix(err, "/openapi.json says how to ask")
}

// newRouting is huma with our reading, writing and errors, and without routes
// of its own.
func newRouting(version string, now func() time.Time) *routing {
	rt := &routing{handlers: make(map[string]handler), now: now}
	json := huma.Format{Marshal: write, Unmarshal: read}
	rt.api = huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Incipit", Version: version, Description: "The prompt registry. Errors are problem documents (RFC 9457); ids with slashes are escaped in a path."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{keepErrors},
	}, rt)
	return rt
}

// read is the strict decoder: no key twice, none in another case, none that is
// not known, nothing behind the value. huma asks it twice: for a value of any
// type, which it holds against the schema, and for the Go type.
func read(data []byte, v any) error {
	if err := strictjson.Check(data); err != nil {
		return err
	}
	if err := exactNames(reflect.TypeOf(v).Elem(), data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// write writes v whole, or nothing of it.
func write(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, _ = w.Write(append(data, '\n')) // whoever does not read it is gone
	return nil
}

// marshal is for values that can be.
func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(data, '\n')
}

// Once makes a change that is sent again count once, and lets it say which
// revision it was decided on.
type Once struct {
	Key     string `header:"Idempotency-Key" doc:"Chosen by the client: sent again with the same key, the request is answered as before, for 7 days" maxLength:"128"`
	IfMatch string `header:"If-Match" doc:"The ETag of the environment's snapshot, or its revision, that the caller saw" maxLength:"64"`

	made registry.Once
}

// Resolve is called by huma when the headers are read.
func (o *Once) Resolve(ctx huma.Context) []error {
	if o.Key == "" {
		return nil
	}
	if !isOnce(o.Key) {
		return []error{&huma.ErrorDetail{Location: "header." + api.IdempotencyKey, Message: "letters, digits and . _ - : may stand in it"}}
	}
	w := ctx.(*exchange).w //nolint:errcheck // Handle makes no other
	at := ctx.URL()
	o.made = registry.Once{Caller: sender(w.caller), Key: o.Key, Hash: hashOf(ctx.Method(), at.EscapedPath(), o.IfMatch, string(w.body))}
	return nil
}

func isOnce(key string) bool { return len(key) <= maxOnce && strings.Trim(key, idChars+":") == "" }
