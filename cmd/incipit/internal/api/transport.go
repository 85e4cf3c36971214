package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func query(name, value string) url.Values {
	if value == "" {
		return nil
	}
	return url.Values{name: {value}}
}

// path joins segments; a slash inside one is escaped.
func path(base string, segments ...string) string {
	for _, s := range segments {
		base += "/" + url.PathEscape(s)
	}
	return base
}

// All reads a list to its end.
func All[T any](ctx context.Context, c *Client, at string, q url.Values) ([]T, error) {
	out := []T{}
	if q == nil {
		q = url.Values{}
	}
	for {
		var page Page[T]
		if err := c.get(ctx, at, q, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.NextCursor == "" {
			return out, nil
		}
		q.Set("cursor", page.NextCursor)
	}
}

func (c *Client) get(ctx context.Context, at string, q url.Values, out any) error {
	return c.do(ctx, call{method: http.MethodGet, at: at, query: q}, nil, out)
}

// post asks for what may be sent again: a question, or a change that the server
// knows by a key and makes once.
func (c *Client) post(ctx context.Context, at string, body, out any) error {
	r := call{method: http.MethodPost, at: at}
	if c.once != nil {
		r.once = c.once()
	}
	return c.do(ctx, r, body, out)
}

// A call is a request that is sent until an answer comes.
type call struct {
	method, at string
	query      url.Values
	data       []byte // the body; nil if there is none
	once       string // the key by which the server knows it when it comes again
}

// repeatable reports whether it may reach the server twice. What a POST without
// a key makes would be made twice.
func (r call) repeatable() bool { return r.once != "" || r.method != http.MethodPost }

// afterwards is what to do when no answer came.
func (r call) afterwards() string {
	if r.repeatable() {
		return "try again in a moment"
	}
	return "look whether it was done before you try again"
}

// tries is how often a request is sent whose answer does not come.
const tries = 3

func (c *Client) do(ctx context.Context, r call, body, out any) error {
	var err error
	if body != nil {
		if r.data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			}
		}
		var again bool
		if again, err = c.try(ctx, r, out); !again {
			break
		}
	}
	return err
}

// try sends a request, and tells whether it is worth another try.
func (c *Client) try(ctx context.Context, r call, out any) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.String()+r.at, bytes.NewReader(r.data))
	if err != nil {
		return false, err
	}
	req.URL.RawQuery = r.query.Encode()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "incipit-cli")
	if r.data != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.once != "" {
		req.Header.Set(IdempotencyKey, r.once)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		gone := registry.Errorf(registry.ErrUnavailable, "%s does not answer: %v", c.base, unwrapURL(err))
		if r.repeatable() || unsent(err) {
			return true, registry.WithFix(gone, "look whether the server runs: %s/healthz", c.base)
		}
		return false, registry.WithFix(gone, "%s", r.afterwards())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, c.most+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return r.repeatable(), registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the answer of %s broke off: %v", c.base, err), "%s", r.afterwards())
	case int64(len(answer)) > c.most:
		return false, c.foreign("the answer of %s is larger than %d bytes", c.base, c.most)
	case resp.StatusCode >= http.StatusBadRequest:
		err := c.problemOf(resp, answer)
		return r.repeatable() && errors.Is(err, registry.ErrUnavailable) && passing(resp.StatusCode), err
	case resp.StatusCode >= http.StatusMultipleChoices:
		return false, c.foreign("%s answered %s and points to %s, where nothing was sent", c.base, resp.Status, prompt.Clip(prompt.Visible(resp.Header.Get("Location")), 120))
	case resp.StatusCode == http.StatusNoContent && out == nil:
		return false, nil
	case out == nil:
		out = new(struct{}) // an object it must be all the same
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return false, c.foreign("%s answered something that is no answer of Incipit (%s, %s)", c.base, resp.Status, contentType(resp))
	}
	return false, nil
}

// passing reports whether a status may be another one in a moment: the server
// is busy or about to stop.
func passing(status int) bool {
	return status == http.StatusServiceUnavailable || status == statusGivenUp
}

// unsent reports whether a request failed before it was sent.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// foreign is an answer that no server of ours gives.
func (c *Client) foreign(format string, args ...any) error {
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable, format, args...), "look whether a proxy stands between, or whether the address is right")
}

// unwrapURL takes the address out of an error that names it already.
func unwrapURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func contentType(resp *http.Response) string {
	return prompt.Clip(resp.Header.Get("Content-Type"), 60)
}

// problemOf is the error that a problem document stands for: errors.Is finds
// the kind that the server meant. Without such a document somebody else answered.
func (c *Client) problemOf(resp *http.Response, body []byte) error {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" || !strings.HasPrefix(p.Type, problemURN) {
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
			return registry.WithFix(registry.Errorf(registry.ErrForbidden, "%s, or a proxy before it, answered %s", c.base, resp.Status), "look whether a proxy asks to sign in")
		}
		return c.foreign("%s answered %s, and not as Incipit does (%s)", c.base, resp.Status, contentType(resp))
	}
	err := registry.Errorf(kindOf(p.Code, resp.StatusCode), "%s", prompt.Visible(p.Detail))
	if p.Fix != "" {
		err = registry.WithFix(err, "%s", prompt.Visible(p.Fix))
	}
	return err
}

// kindOf finds the sentinel of a code, or of a status where it is not known.
// That the server gave a request up is no interruption of ours.
func kindOf(code string, status int) error {
	switch err := Sentinel(code); {
	case status == statusGivenUp:
		return registry.ErrUnavailable
	case err != nil:
		return err
	case code == codeFailure:
		return errFailure
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return registry.ErrForbidden
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return registry.ErrUnavailable
	}
	return errFailure
}

// errFailure is the kind of a failure that has no other.
var errFailure = errors.New("failure")
