package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Rate says something of a call, by its id or the id of its response. It may be
// sent again: feedback replaces what was said before.
func (c *Client) Rate(ctx context.Context, ref string, f registry.Feedback) (registry.FeedbackReceipt, error) {
	var out registry.FeedbackReceipt
	if err := checkRef(ref); err != nil {
		return out, err
	}
	return out, c.post(ctx, path("/v1/calls", ref, "feedback"), FeedbackOf(f), &out)
}

// checkRef reports what names no call. In a path, dots have a meaning of their own.
func checkRef(ref string) error {
	if ref == "." || ref == ".." {
		return registry.Errorf(prompt.ErrInvalid, "%q names no call: give the id of the call or of the response", ref)
	}
	return registry.CheckRef(ref)
}

// Stats is how calls of a prompt fared.
func (c *Client) Stats(ctx context.Context, q registry.StatsQuery) (registry.Stats, error) {
	v := url.Values{"prompt": {string(q.Prompt)}}
	add(v, "environment", q.Environment)
	add(v, "version", q.Version)
	add(v, "arm", q.Arm)
	add(v, "by", q.By)
	addTime(v, "from", q.From)
	addTime(v, "to", q.To)
	var out registry.Stats
	return out, c.get(ctx, "/v1/stats", v, &out)
}

// Trace is what a response was made of.
func (c *Client) Trace(ctx context.Context, ref string) (registry.Trace, error) {
	var out registry.Trace
	if err := checkRef(ref); err != nil {
		return out, err
	}
	return out, c.get(ctx, path("/v1/trace", ref), nil, &out)
}

// WhatRan is what an environment ran at a time; at the zero time, what it runs.
func (c *Client) WhatRan(ctx context.Context, env string, at time.Time) (registry.WhatRan, error) {
	v := url.Values{}
	addTime(v, "at", at)
	var out registry.WhatRan
	return out, c.get(ctx, path("/v1/environments", env, "ran"), v, &out)
}

// Calls lists recorded calls in the order in which they were taken, or the newest
// first: at most limit of them, and the cursor of the next page, "" behind the last. The first
// page has the cursor ""; q.After is a number that only the server knows.
func (c *Client) Calls(ctx context.Context, q registry.CallQuery, cursor string, limit int) (calls []registry.WireCall, next string, err error) {
	v := url.Values{"limit": {strconv.Itoa(limit)}}
	add(v, "prompt", string(q.Prompt))
	add(v, "environment", q.Environment)
	add(v, "version", q.Version)
	add(v, "arm", q.Arm)
	add(v, "outcome", string(q.Outcome))
	add(v, "error_class", q.ErrorClass)
	if q.Score != nil {
		v.Set("score", q.Score.String())
	}
	if q.Newest {
		v.Set("order", "newest")
	}
	add(v, "cursor", cursor)
	addTime(v, "from", q.From)
	addTime(v, "to", q.To)
	var page Page[registry.WireCall]
	err = c.get(ctx, "/v1/calls", v, &page)
	return page.Items, page.NextCursor, err
}

// Erase forgets the calls of a subject, and returns how many there were. It is
// sent once: the count of a second time would be another one.
func (c *Client) Erase(ctx context.Context, subject string) (int64, error) {
	var out Erased
	err := c.Send(ctx, http.MethodPost, "/v1/calls/erase", EraseRequest{Subject: subject}, &out)
	return out.Erased, err
}

func add(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

func addTime(v url.Values, name string, at time.Time) {
	if !at.IsZero() {
		v.Set(name, at.UTC().Format(time.RFC3339Nano))
	}
}
