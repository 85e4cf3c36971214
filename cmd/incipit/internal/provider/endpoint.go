package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An endpoint is any HTTP address, asked as a suite's config says.
type endpoint struct {
	*wire
	at        *url.URL
	method    string
	headers   map[string]string
	secrets   map[string]string // headers whose values come from the environment
	body      any               // nil: none; a text or a tree, with templates
	transform string            // JavaScript, "" for the body as it is
	path      []string          // the transform, if it is a path and needs no interpreter
	run       func(ctx context.Context, code string, vars map[string]any) (any, error)
	closed    error
	set       settings
}

// endpointKeys are what a config of HTTP may hold beside what any may.
var endpointKeys = []string{"url", "method", "headers", "body", "queryParams", "transformResponse", "responseParser", "timeout", "apiKeyEnvar", "cost", "inputCost", "outputCost", "delay", "maxRetries", "basePath"}

func openHTTP(spec Spec, set settings, c Config) (*endpoint, error) {
	raw := spec.ID
	if named, ok := set.raw["url"].(string); ok && !strings.Contains(raw, "://") {
		raw = named
	}
	u, err := checkBase(spec, raw, false)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(set.raw)) {
		if !slices.Contains(endpointKeys, key) {
			return nil, refuse(spec.ID, "use "+strings.Join(endpointKeys, ", "), "the setting %q of an HTTP provider is not supported", key)
		}
	}
	e := &endpoint{at: u, set: set, method: http.MethodGet, body: set.raw["body"], headers: make(map[string]string), secrets: make(map[string]string), run: c.Transform}
	if e.body != nil {
		e.method = http.MethodPost
	}
	if m, ok := set.raw["method"].(string); ok {
		e.method = strings.ToUpper(m)
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, e.method) {
		return nil, refuse(spec.ID, "use GET or POST", "%q is no method of HTTP", prompt.Clip(e.method, 20))
	}
	if e.body == nil && e.method != http.MethodGet {
		return nil, refuse(spec.ID, `write a body, such as {question: "{{prompt}}"}`, "the provider sends nothing of the prompt: its config has no body")
	}
	query := u.Query()
	if params, ok := set.raw["queryParams"].(map[string]any); ok {
		for name, v := range params {
			query.Set(name, fmt.Sprint(v))
		}
		u.RawQuery = query.Encode()
	}
	for _, key := range []string{"transformResponse", "responseParser"} {
		if v, ok := set.raw[key]; ok && e.transform == "" {
			code, isText := v.(string)
			if !isText || strings.HasPrefix(code, "file://") {
				return nil, refuse(spec.ID, "write the expression itself", "the setting %s must be an expression", key)
			}
			e.transform = code
		}
	}
	e.path = readPath(e.transform)
	e.open(spec, set, c)
	shown := *u
	shown.RawQuery = ""
	e.wire = newWire(prompt.Clip(shown.String(), 300)+"#"+fingerprint(map[string]any{"url": u.String(), "config": set.raw}), c, set.timeout, slices.Collect(maps.Values(e.secrets))...)
	e.wire.json = false
	return e, nil
}

// open puts the headers together. A value of the environment goes only where
// the workspace allows it; else the endpoint stays closed, and says so when it
// is called.
func (e *endpoint) open(spec Spec, set settings, c Config) {
	if set.keyVar != "" {
		set.headers = maps.Clone(set.headers)
		if set.headers == nil {
			set.headers = make(map[string]string)
		}
		set.headers["Authorization"] = "Bearer {{env." + set.keyVar + "}}"
	}
	for name, value := range set.headers {
		filled, err := fillTemplate(value, func(expr string) (string, bool) {
			variable, ok := strings.CutPrefix(expr, "env.")
			if !ok {
				return "", false
			}
			v := strings.TrimSpace(c.Getenv(variable))
			switch {
			case !c.allows(variable, e.at):
				e.closed = &Error{
					Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: fmt.Sprintf("the value of %s may not be sent to %s", prompt.Clip(variable, 60), e.at.Host),
					Fix: fmt.Sprintf("if that is meant, say so in the environment: INCIPIT_KEY_HOSTS=%s=%s", prompt.Clip(variable, 60), e.at.Host),
				}
				return "", true
			case v == "" || strings.ContainsAny(v, "\r\n\x00"):
				e.closed = &Error{Kind: Denied, Provider: prompt.Clip(spec.ID, 200), Text: "the environment has no " + prompt.Clip(variable, 60), Fix: "set it, or replay recorded answers"}
				return "", true
			}
			e.secrets[variable] = v
			return v, true
		})
		if err != nil {
			e.closed = refuse(spec.ID, "use {{env.NAME}} alone", "the header %s: %v", name, err)
			continue
		}
		e.headers[name] = filled
	}
}

// ID is the address without its query, and a fingerprint of the config.
func (e *endpoint) ID() string { return e.id }

func (e *endpoint) tuned() settings { return e.set }

// Call asks the endpoint once.
func (e *endpoint) Call(ctx context.Context, r Request) (Response, error) {
	if e.closed != nil {
		return Response{}, e.closed
	}
	req, err := e.request(ctx, r)
	if err != nil {
		return Response{}, refuse(e.id, "use {{prompt}}, {{messages}} or {{model}}", "%v", err)
	}
	t := e.trip()
	resp, err := t.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	output, err := e.output(ctx, t.seen, resp)
	if err != nil {
		return Response{}, err
	}
	return Response{Output: output, FinishReason: "stop", LatencyMS: milliseconds(t.took)}, nil
}

func (e *endpoint) request(ctx context.Context, r Request) (*http.Request, error) {
	values := func(expr string) (string, bool) {
		switch expr {
		case "prompt":
			return PromptText(r), true
		case "messages":
			return chatText(r.Messages), true
		case "model":
			return r.Model, true
		}
		return "", false
	}
	at := *e.at
	raw, err := fillQuery(at.RawQuery, values)
	if err != nil {
		return nil, err
	}
	at.RawQuery = raw
	if at.Path, err = fillTemplate(at.Path, values); err != nil {
		return nil, err
	}
	at.RawPath = ""
	var body io.Reader
	kind := ""
	if e.body != nil {
		text, isJSON, err := fillBody(e.body, values)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		if isJSON {
			kind = "application/json"
		}
	}
	req, err := http.NewRequestWithContext(ctx, e.method, at.String(), body)
	if err != nil {
		return nil, errors.New("the address cannot be asked")
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("User-Agent", "incipit")
	for name, value := range e.headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// output makes a text of what came: what the transform says, or the body.
func (e *endpoint) output(ctx context.Context, text string, resp *http.Response) (string, error) {
	var tree any
	isJSON := json.Unmarshal([]byte(text), &tree) == nil
	if e.transform == "" {
		if s, ok := tree.(string); ok {
			return s, nil
		}
		return text, nil
	}
	if e.path != nil {
		root := tree
		if e.path[0] == "text" {
			root = text
		} else if !isJSON {
			return "", garbled(e.id, "the answer is not JSON, which transformResponse asks for: %s", prompt.Clip(e.hide(text[:min(len(text), 1000)]), 100))
		}
		v, found := walk(root, e.path[1:])
		if !found {
			return "", garbled(e.id, "the answer has nothing at %s", prompt.Clip(e.transform, 100))
		}
		return outputText(v), nil
	}
	if e.run == nil {
		return "", refuse(e.id, "write a path such as json.choices[0].text", "transformResponse is code, which is not run here")
	}
	headers := make(map[string]any)
	for name := range resp.Header {
		headers[strings.ToLower(name)] = resp.Header.Get(name)
	}
	response := map[string]any{"status": resp.StatusCode, "statusText": http.StatusText(resp.StatusCode), "headers": headers}
	v, err := e.run(ctx, callable(e.transform), map[string]any{"json": tree, "text": text, "context": map[string]any{"response": response}})
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", garbled(e.id, "transformResponse failed: %s", prompt.Clip(e.hide(err.Error()), 200))
	}
	return outputText(v), nil
}

// outputText is what a transform gave, as a text. An object with an output is
// that output, as promptfoo has it.
func outputText(v any) string {
	if m, ok := v.(map[string]any); ok {
		if inner, ok := m["output"]; ok {
			v = inner
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	return string(mustJSON(v))
}
