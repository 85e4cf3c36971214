package assertion

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	webhookTimeout = 5 * time.Second
	maxWebhookURL  = 2000    // bytes
	maxWebhookBody = 1 << 20 // bytes of an answer
)

// webhook posts {output, context: {prompt, vars}} to the address that is its
// value, and holds if the answer is {"pass": true}. A failure of the webhook is
// an error and never a failed assertion. Its answer is not shown but for the
// reason in it.
func (c *Checker) webhook(ctx context.Context, q question) (finding, error) {
	u, err := c.webhookURL(q.a, wordOf(q.value))
	if err != nil {
		return finding{}, err
	}
	if c.Webhook == nil {
		return finding{}, missing(q.a, "the network", "this run was started without it")
	}
	vars := q.s.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{"output": q.s.Output, "context": map[string]any{"prompt": q.s.Prompt, "vars": vars}})
	if err != nil {
		return finding{}, fmt.Errorf("what the webhook is sent cannot be written as JSON: %w", err)
	}
	timeout := c.WebhookTimeout
	if timeout <= 0 {
		timeout = webhookTimeout
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	answer, err := c.post(ctx, u, body)
	if err != nil {
		return finding{}, fmt.Errorf("the webhook at %s: %w", prompt.Clip(u.Host, 80), err)
	}
	return webhookVerdict(u, answer)
}

// webhookURL reads an address: https, or http to this machine by consent.
func (c *Checker) webhookURL(a Assertion, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxWebhookURL || u.Hostname() == "" || u.Opaque != "" {
		return nil, invalid(a, "has no address as its value", "write one such as https://checks.example.com/tone")
	}
	switch {
	case u.User != nil:
		return nil, invalid(a, "has a name or password in its address", "leave it out: a suite is read by many")
	case u.Scheme == "https" && (c.Loopback || !loopback(u.Hostname())), u.Scheme == "http" && c.Loopback && loopback(u.Hostname()):
		return u, nil
	case loopback(u.Hostname()):
		return nil, invalid(a, "is at this machine, which was not allowed", "allow it for this run, or use an address that is public")
	}
	return nil, invalid(a, "has an address that is not https", "write one such as https://checks.example.com/tone")
}

// loopback reports whether a host is this machine by its very name. What other
// names stand for is looked at when they are dialed.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// post sends body and returns the answer. A redirect is not followed: it is an
// answer that is not 2xx.
func (c *Checker) post(ctx context.Context, u *url.URL, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("it is no address that can be asked")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := c.Webhook.RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("it did not answer in time")
		}
		return nil, errors.New("it was not reached: " + prompt.Clip(err.Error(), maxShown))
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("it answered with the status %d", resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxWebhookBody+1))
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("it did not answer in time")
	case err != nil:
		return nil, errors.New("its answer broke off")
	case len(answer) > maxWebhookBody:
		return nil, fmt.Errorf("its answer has more than %d bytes", maxWebhookBody)
	}
	return answer, nil
}

func webhookVerdict(u *url.URL, answer []byte) (finding, error) {
	var said struct {
		Pass   *bool    `json:"pass"`
		Score  *float64 `json:"score"`
		Reason string   `json:"reason"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Pass == nil {
		return finding{}, fmt.Errorf(`the webhook at %s answered without a verdict: it must send {"pass": true or false}`, prompt.Clip(u.Host, 80))
	}
	f := plain(*said.Pass, fmt.Sprintf("the webhook at %s said pass: %t", prompt.Clip(u.Host, 80), *said.Pass))
	if said.Score != nil {
		f.score = *said.Score
	}
	if strings.TrimSpace(said.Reason) != "" {
		f.reason += ": " + quote(said.Reason)
	}
	return f, nil
}
