package api

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Client is a server's registry, seen from afar: the same questions and
// answers as *lifecycle.Service near by.
type Client struct {
	base *url.URL
	key  string
	http *http.Client
	once func() string // a new idempotency key
	most int64         // bytes of an answer
}

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Server  string        // https://incipit.example.com
	Key     string        // "" where the server asks for none
	Once    func() string // a new idempotency key; without it a change is sent once
	Timeout time.Duration // of one request; 0 is a minute
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 20

// NewClient returns a client. It reports ErrInvalid for an address that is none.
func NewClient(c ClientConfig) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(c.Server, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no address of a server", prompt.Clip(redacted(c.Server), 120)), "write one such as https://incipit.example.com, without name and password")
	}
	if c.Key != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a key would cross the network unprotected to %s", u.Host), "use https")
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	return &Client{u, c.Key, &http.Client{Timeout: c.Timeout, CheckRedirect: sameHost}, c.Once, maxAnswer}, nil
}

// redacted is an address without a password.
func redacted(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return "…"
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// sameHost keeps a key from following a redirect to somebody else, and a change
// from becoming a question.
func sameHost(next *http.Request, via []*http.Request) error {
	if len(via) > 5 || next.Method != via[0].Method || next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Environments lists the environments in their order.
func (c *Client) Environments(ctx context.Context) ([]registry.Environment, error) {
	return All[registry.Environment](ctx, c, "/v1/environments", nil)
}

// List is every prompt; with env only those that run there.
func (c *Client) List(ctx context.Context, env string) ([]registry.Row, error) {
	return All[registry.Row](ctx, c, "/v1/prompts", query("environment", env))
}

// History lists what was done to a prompt.
func (c *Client) History(ctx context.Context, id prompt.ID, env string) (map[string]registry.Track, error) {
	var out map[string]registry.Track
	return out, c.get(ctx, path("/v1/prompts", string(id), "history"), query("environment", env), &out)
}

// Snapshot is what an environment runs, of the given prompts or of all.
func (c *Client) Snapshot(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error) {
	q := url.Values{}
	for _, id := range ids {
		q.Add("prompt", string(id))
	}
	var out registry.Snapshot
	return &out, c.get(ctx, path("/v1/environments", env, "snapshot"), q, &out)
}

// Release finds a release.
func (c *Client) Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error) {
	r, err := c.release(ctx, id, v)
	return r.Release, err
}

func (c *Client) release(ctx context.Context, id prompt.ID, v prompt.Version) (out Release, err error) {
	return out, c.get(ctx, path("/v1/prompts", string(id), "releases", v.String()), nil, &out)
}

// Releases lists the releases of a prompt, the newest version last.
func (c *Client) Releases(ctx context.Context, id prompt.ID) ([]registry.Release, error) {
	return All[registry.Release](ctx, c, path("/v1/prompts", string(id), "releases"), nil)
}

// Released reads the prompt of a release, and holds its digest against the one
// that was released.
func (c *Client) Released(ctx context.Context, r registry.Release) (prompt.Draft, error) {
	full, err := c.release(ctx, r.Prompt, r.Version)
	if err != nil {
		return prompt.Draft{}, err
	}
	digest, err := full.Content.Digest()
	if err == nil && digest != r.Digest {
		err = registry.Errorf(registry.ErrConflict, "the server's text of %s has the digest %s, not %s", r.Tag, digest, r.Digest)
	}
	return prompt.Draft{Prompt: full.Content, Metadata: full.Metadata, Pins: full.Pins}, err
}

// Plan works a change out without making it.
func (c *Client) Plan(ctx context.Context, req registry.Request) (*registry.Plan, error) {
	var out registry.Plan
	if err := c.post(ctx, c.place(req, "plan"), ChangeOf(req), &out); err != nil {
		return nil, err
	}
	out.Confirm, out.Request.Revision = req.Confirm, req.Revision
	return &out, nil
}

// Replan works a plan out again. It reports ErrConflict if it no longer holds.
func (c *Client) Replan(ctx context.Context, seen *registry.Plan) (*registry.Plan, error) {
	var out registry.Plan
	return &out, c.post(ctx, c.place(seen.Request, "plan"), seenChange(seen), &out)
}

// Do plans a change and makes it.
func (c *Client) Do(ctx context.Context, req registry.Request) (*registry.Receipt, error) {
	return c.change(ctx, req, ChangeOf(req))
}

// Apply makes a change that was planned before.
func (c *Client) Apply(ctx context.Context, seen *registry.Plan) (*registry.Receipt, error) {
	return c.change(ctx, seen.Request, seenChange(seen))
}

func seenChange(p *registry.Plan) Change {
	body := ChangeOf(p.Request)
	body.Seen = &Seen{Seq: p.SeenSeq, To: p.To, Digest: p.Deployment.Digest}
	return body
}

func (c *Client) change(ctx context.Context, req registry.Request, body Change) (*registry.Receipt, error) {
	body.Action = ""
	out := registry.Receipt{Plan: new(registry.Plan)}
	return &out, c.post(ctx, c.place(req, string(req.Action)), body, &out)
}

func (c *Client) place(req registry.Request, verb string) string {
	return path("/v1/environments", req.Environment, "prompts", string(req.Prompt), verb)
}

// Import takes in what a registry file says.
func (c *Client) Import(ctx context.Context, req registry.ImportRequest) (*registry.Imported, error) {
	var out registry.Imported
	return &out, c.post(ctx, "/v1/registry", req, &out)
}

// Export is the registry in the shape of registry.json.
func (c *Client) Export(ctx context.Context) ([]byte, error) {
	var out json.RawMessage
	return out, c.get(ctx, "/v1/registry", nil, &out)
}

// Get asks for anything else that the server answers as JSON.
func (c *Client) Get(ctx context.Context, at string, q url.Values, out any) error {
	return c.get(ctx, at, q, out)
}

// Send asks for any other change; body and out may be nil. A POST is sent once:
// the server would make it twice.
func (c *Client) Send(ctx context.Context, method, at string, body, out any) error {
	return c.do(ctx, call{method: method, at: at}, body, out)
}
