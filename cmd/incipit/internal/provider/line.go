package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3/option"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A line leads to one API: where it is, what opens it, and what the config
// adds to each request.
type line struct {
	*wire
	api    address
	model  string
	base   *url.URL
	key    string
	closed error // why no request may be sent: no key, or one that may not go there
	set    settings
	local  bool // it runs on this machine: nobody asks money for it
}

// azureVersion is the version of Azure's API that is asked for if the config
// names none.
const azureVersion = "2024-10-21"

func openLine(spec Spec, api address, model string, set settings, c Config) (*line, error) {
	base, own, err := c.baseOf(spec, api, set)
	if err != nil {
		return nil, err
	}
	if api.azure && (model == "." || model == "..") {
		return nil, refuse(spec.ID, "write the name of the deployment", "%q is no deployment", model)
	}
	key, closed := c.keyFor(spec, api, set, base, own)
	for name := range set.headers {
		switch strings.ToLower(name) {
		case "authorization", "api-key", "x-api-key", "host", "cookie", "proxy-authorization":
			return nil, refuse(spec.ID, "leave it out: the key comes from the environment", "the config sets the header %s", name)
		}
	}
	id := api.scheme + ":" + string(api.wire)
	if !official(api, base) || api.azure {
		shown := *base
		shown.RawQuery = ""
		id += "@" + prompt.Clip(strings.TrimRight(shown.String(), "/"), 300)
	}
	return &line{
		wire: newWire(id, c, set.timeout, key), api: api, model: model, base: base, key: key, closed: closed, set: set,
		local: api.own && loopback(base.Hostname()),
	}, nil
}

// ID is the scheme, the wire, and the base URL if it is not the official one.
func (l *line) ID() string { return l.id }

func (l *line) free() bool      { return l.local }
func (l *line) tuned() settings { return l.set }

// fill makes a request whole: its model, and what the config says.
func (l *line) fill(r Request) (Request, error) {
	r.Model = cmp.Or(r.Model, l.model)
	return l.set.fill(r)
}

// options are those of OpenAI's client. Its own retries are off: whoever
// called decides whether to call again. Clients are made without what they
// would read from the environment.
func (l *line) options(t *trip, model string) []option.RequestOption {
	opts := []option.RequestOption{
		option.WithHTTPClient(t), option.WithMaxRetries(0), option.WithHeader("User-Agent", "incipit"),
	}
	if l.api.azure {
		u := *l.base
		u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1") + "/openai/deployments/"
		u = *u.JoinPath(url.PathEscape(model), "/")
		opts = append(opts, option.WithBaseURL(u.String()), option.WithQuery("api-version", cmp.Or(l.set.apiVersion, azureVersion)))
		if l.key != "" {
			opts = append(opts, option.WithHeader("Api-Key", l.key))
		}
	} else {
		opts = append(opts, option.WithBaseURL(strings.TrimRight(l.base.String(), "/")+"/"))
		if l.key != "" {
			opts = append(opts, option.WithAPIKey(l.key))
		}
	}
	if l.set.organization != "" {
		opts = append(opts, option.WithHeader("OpenAI-Organization", l.set.organization))
	}
	for name, value := range l.set.headers {
		opts = append(opts, option.WithHeader(name, value))
	}
	return opts
}

// fail makes an *Error of what a client reports, unless it is one already or
// the context's.
func (l *line) fail(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return garbled(l.id, "the answer is not what this API answers: %s", prompt.Clip(l.hide(err.Error()), 200))
}

// body is the JSON of a request: its parameters, and beside them what this
// program decides.
func (l *line) body(r Request) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage)
	if len(r.Parameters) > 0 {
		if err := json.Unmarshal(r.Parameters, &out); err != nil || out == nil {
			return nil, refuse(l.id, "write an object", "the parameters are no JSON object")
		}
	}
	for _, name := range []string{"messages", "input", "model"} {
		if _, ok := out[name]; ok {
			return nil, refuse(l.id, "leave it out", "the parameters hold %q, which comes from the prompt", name)
		}
	}
	if string(out["stream"]) == "true" {
		return nil, refuse(l.id, "leave it out", "streaming is not supported")
	}
	delete(out, "stream")
	out["model"] = mustJSON(r.Model)
	return out, nil
}

// mustJSON writes what can always be written: texts, numbers, lists of them.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

// milliseconds of a trip, to a microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
