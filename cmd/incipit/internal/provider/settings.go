package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// settings is the config of a Spec, taken apart: how the provider is reached,
// what it costs, and the parameters that go to the model as they are.
type settings struct {
	base         string
	keyVar       string
	organization string
	apiVersion   string
	headers      map[string]string
	priceIn      *float64 // US dollars for a million tokens, in place of what the table says
	priceOut     *float64
	timeout      time.Duration
	retries      *int
	delay        time.Duration
	params       map[string]json.RawMessage

	raw map[string]any // all of it, for exec: and HTTP
}

// Keys of a config that promptfoo gives a meaning which this program does not.
var unsupportedKeys = []string{"functionToolCallbacks", "functions", "function_call", "mcp", "credentials", "tokenCredential", "azureClientSecret"}

// Keys that say how to do what is done here anyhow.
var ignoredKeys = []string{"basePath", "showThinking", "stream", "omitDefaults", "linkedTargetId", "maxConcurrency", "n_ctx"}

// readSettings takes a config apart. What it does not know is a parameter of
// the model. A key of an API in it is refused, since configs are committed.
func readSettings(spec Spec) (settings, error) {
	s := settings{params: make(map[string]json.RawMessage, len(spec.Config)), raw: spec.Config}
	r := reader{spec: spec}
	for _, key := range slices.Sorted(maps.Keys(spec.Config)) {
		v := spec.Config[key]
		switch key {
		case "apiKey", "api_key", "authToken":
			return s, refuse(spec.ID, "take it out, revoke it if it was committed, and put it into the environment; apiKeyEnvar names the variable if it is not the usual one", "the config holds a key (%s)", key)
		case "apiKeyEnvar":
			s.keyVar = r.text(key, v)
		case "apiBaseUrl", "base_url", "baseURL":
			s.base = r.text(key, v)
		case "apiHost":
			if s.base == "" {
				s.base = hostBase(r.text(key, v))
			}
		case "organization":
			s.organization = r.text(key, v)
		case "apiVersion":
			s.apiVersion = r.text(key, v)
		case "headers":
			s.headers = r.headers(key, v)
		case "cost", "inputCost", "outputCost":
			s.setPrice(key, r.number(key, v))
		case "timeout":
			s.timeout = time.Duration(r.number(key, v) * float64(time.Millisecond))
		case "delay":
			s.delay = time.Duration(r.number(key, v) * float64(time.Millisecond))
		case "maxRetries":
			n := int(r.number(key, v))
			s.retries = &n
		case "passthrough", "extra_body":
			for name, value := range r.object(key, v) {
				s.params[name] = r.json(name, value)
			}
		default:
			if slices.Contains(unsupportedKeys, key) {
				r.fail("the setting %s is not supported", key)
			} else if !slices.Contains(ignoredKeys, key) {
				s.params[key] = r.json(key, v)
			}
		}
	}
	if r.err != nil {
		return s, r.err
	}
	return s, nil
}

func hostBase(host string) string {
	if strings.Contains(host, "://") {
		return host
	}
	return "https://" + host + "/v1"
}

// setPrice takes a price as promptfoo writes it: US dollars for one token.
func (s *settings) setPrice(key string, perToken float64) {
	perMillion := perToken * 1e6
	if key != "outputCost" { // "cost" comes first in the order of keys
		s.priceIn = &perMillion
	}
	if key != "inputCost" {
		s.priceOut = &perMillion
	}
}

// A reader keeps the first thing that is wrong with a config.
type reader struct {
	spec Spec
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = refuse(r.spec.ID, "change the provider's config", format, args...)
	}
}

func (r *reader) text(key string, v any) string {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > 2000 {
		r.fail("the setting %s must be a text", key)
	}
	return s
}

func (r *reader) number(key string, v any) float64 {
	var f float64
	switch n := v.(type) {
	case int:
		f = float64(n)
	case int64:
		f = float64(n)
	case float64:
		f = n
	default:
		f = -1
	}
	if !(f >= 0 && f <= 1e9) {
		r.fail("the setting %s must be a number from 0", key)
		return 0
	}
	return f
}

func (r *reader) object(key string, v any) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		r.fail("the setting %s must be an object", key)
	}
	return m
}

func (r *reader) headers(key string, v any) map[string]string {
	out := make(map[string]string)
	for name, value := range r.object(key, v) {
		text := fmt.Sprint(value)
		if !headerName(name) || strings.ContainsAny(text, "\r\n\x00") || len(text) > 8<<10 {
			r.fail("the header %q cannot be sent", name)
			continue
		}
		out[name] = text
	}
	return out
}

func headerName(name string) bool {
	return name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

func (r *reader) json(key string, v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		r.fail("the parameter %s cannot be written as JSON", key)
	}
	return raw
}

// fill puts what the config says beneath what the request says, so that the
// request is whole and its cassette is found by all that was asked.
func (s settings) fill(r Request) (Request, error) {
	if len(s.params) == 0 {
		return r, nil
	}
	merged := maps.Clone(s.params)
	if len(r.Parameters) != 0 {
		var own map[string]json.RawMessage
		if err := json.Unmarshal(r.Parameters, &own); err != nil {
			return r, err
		}
		maps.Copy(merged, own)
	}
	if tools, ok := merged["tools"]; ok {
		if len(r.Tools) == 0 {
			r.Tools = tools
		}
		delete(merged, "tools")
	}
	var err error
	r.Parameters, err = json.Marshal(merged)
	return r, err
}
