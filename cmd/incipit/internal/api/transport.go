package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
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
	return c.do(ctx, http.MethodGet, at, q, nil, out)
}

// tries is how often a request is sent whose answer does not come. One that
// changes something carries a key, so that it counts once.
const tries = 3

func (c *Client) do(ctx context.Context, method, at string, q url.Values, body, out any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	once := ""
	if method != http.MethodGet && c.once != nil {
		once = c.once()
	}
	var err error
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			}
		}
		var again bool
		if again, err = c.try(ctx, method, at, q, data, once, out); !again {
			break
		}
	}
	return err
}

// try sends a request, and tells whether it is worth another try.
func (c *Client) try(ctx context.Context, method, at string, q url.Values, data []byte, once string, out any) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+at, bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	req.URL.RawQuery = q.Encode()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "incipit-cli")
	if data != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if once != "" {
		req.Header.Set("Idempotency-Key", once)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return true, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%s does not answer: %v", c.base, unwrapURL(err)), "look whether the server runs: %s/healthz", c.base)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return true, registry.Errorf(registry.ErrUnavailable, "the answer of %s broke off: %v", c.base, err)
	case len(answer) > maxAnswer:
		return false, registry.Errorf(registry.ErrUnavailable, "the answer of %s is larger than %d bytes", c.base, maxAnswer)
	case resp.StatusCode >= http.StatusBadRequest:
		return resp.StatusCode == http.StatusServiceUnavailable, problemOf(c.base, resp, answer)
	case out == nil || resp.StatusCode == http.StatusNoContent:
		return false, nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return false, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%s answered something that is no answer of Incipit (%s, %s)", c.base, resp.Status, contentType(resp)), "look whether a proxy stands between, or whether the address is right")
	}
	return false, nil
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
// the kind that the server meant.
func problemOf(base *url.URL, resp *http.Response, body []byte) error {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return registry.Errorf(kindOf("", resp.StatusCode), "%s answered %s", base, strconv.Itoa(resp.StatusCode))
	}
	err := registry.Errorf(kindOf(p.Code, resp.StatusCode), "%s", prompt.Visible(p.Detail))
	if p.Fix != "" {
		err = registry.WithFix(err, "%s", prompt.Visible(p.Fix))
	}
	return err
}

// kindOf finds the sentinel of a code, or of a status where there is none.
func kindOf(code string, status int) error {
	if err := Sentinel(code); err != nil {
		return err
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return registry.ErrForbidden
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return registry.ErrUnavailable
	}
	return fmt.Errorf("status %d", status)
}
