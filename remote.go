package incipit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A remote is the server, as far as applications need it: the stream and the
// snapshot of one environment, and recorded calls.
type remote struct {
	http  *http.Client
	root  *url.URL
	base  *url.URL // …/v1/environments/{env}
	key   string
	clock clock
	owned *http.Transport // nil if the program gave the client
}

func newRemote(o *Options, c clock) (*remote, error) {
	root, err := o.address()
	if err != nil {
		return nil, err
	}
	r := &remote{root: root, base: root.JoinPath("v1", "environments", url.PathEscape(o.Environment)), key: o.Key, clock: c, http: &http.Client{}}
	if o.HTTPClient != nil {
		*r.http = *o.HTTPClient
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok && r.http.Transport == nil {
		r.owned = t.Clone()
		r.http.Transport = r.owned
	}
	r.http.Timeout = 0 // it would end the stream; each request has a time of its own
	r.http.Jar = nil
	r.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return r, nil
}

// close ends the connections that are kept open.
func (r *remote) close() {
	if r.owned != nil {
		r.owned.CloseIdleConnections()
	}
}

// get asks for the environment's stream or snapshot. An answer that is not
// status and kind of content is an ending, and its body is closed.
func (r *remote) get(ctx context.Context, what, kind string, header http.Header) (*http.Response, ending) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(what).String(), http.NoBody)
	if err != nil {
		return nil, ending{err: unavailable("%v", err)}
	}
	resp, e := r.do(req, kind, header)
	if e.err != nil || resp.StatusCode == http.StatusNotModified {
		return resp, e
	}
	if resp.StatusCode != http.StatusOK {
		e := r.refusal(resp, "resolve")
		_ = resp.Body.Close()
		return nil, e
	}
	if e := r.expect(resp, kind); e.err != nil {
		_ = resp.Body.Close()
		return nil, e
	}
	return resp, ending{}
}

// post sends body, and reads the answer into answer. What is not 200 and JSON
// is an ending; the status is 0 where no answer came.
func (r *remote) post(ctx context.Context, to *url.URL, header http.Header, body []byte, answer any) (status int, e ending) {
	const kind = "application/json"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return 0, ending{err: unavailable("%v", err)}
	}
	resp, e := r.do(req, kind, header)
	if e.err != nil {
		return 0, e
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, r.refusal(resp, "record")
	}
	if e := r.expect(resp, kind); e.err != nil {
		return http.StatusOK, e
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(data, answer)
	}
	if err != nil {
		return http.StatusOK, ending{err: unavailable("the answer cannot be read: %s", prompt.Clip(err.Error(), 200))}
	}
	return http.StatusOK, ending{}
}

// do sends a request, and shows the key.
func (r *remote) do(req *http.Request, kind string, header http.Header) (*http.Response, ending) {
	req.Header = header
	header.Set("Accept", kind)
	header.Set("User-Agent", "incipit-go")
	if r.key != "" {
		header.Set("Authorization", "Bearer "+r.key)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, ending{err: unavailable("%s", prompt.Clip(err.Error(), 300))}
	}
	return resp, ending{}
}

// expect reports an answer that is of another kind.
func (r *remote) expect(resp *http.Response, kind string) ending {
	if got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); got != kind {
		return ending{err: unavailable("the address answers with %q and not with %s: something that is not Incipit stands there, perhaps a sign-in page",
			prompt.Clip(resp.Header.Get("Content-Type"), 60), kind)}
	}
	return ending{}
}

// refusal reads an answer that is none, to a request that a key needs the
// permission need for.
func (r *remote) refusal(resp *http.Response, need string) ending {
	e := ending{
		refused: resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden,
		wait:    retryAfter(resp.Header, r.clock.now()),
	}
	var problem struct{ Title, Detail, Fix string }
	if got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); got == "application/problem+json" {
		data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		e.ours = err == nil && json.Unmarshal(data, &problem) == nil
	}
	said := prompt.Clip(strings.TrimRight(problem.Detail, "."), 300)
	if said == "" {
		said = prompt.Clip(problem.Title, 100)
	}
	if said != "" {
		said = ": " + said
	}
	if problem.Fix != "" {
		said += "; " + prompt.Clip(problem.Fix, 200)
	}
	where := prompt.Clip(r.base.Host, 100)
	switch {
	case e.refused:
		e.err = registry.Errorf(ErrForbidden, "%s refuses the key with status %d%s; give Options.Key a key that may %s here", where, resp.StatusCode, said, need)
	case resp.StatusCode/100 == 3:
		e.err = unavailable("%s answers with a redirection to %s; write the final address into Options.Server", where, prompt.Clip(withoutQuery(resp.Header.Get("Location")), 200))
	default:
		e.err = unavailable("%s answers with status %d%s", where, resp.StatusCode, said)
	}
	return e
}

// withoutQuery keeps what a redirection carries along out of a message.
func withoutQuery(location string) string {
	location, _, _ = strings.Cut(location, "?")
	return location
}

func unavailable(format string, args ...any) error {
	return registry.Errorf(ErrUnavailable, format, args...)
}
