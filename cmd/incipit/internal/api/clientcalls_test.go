package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatIsAskedOfCallsIsAskedAtItsRoute(t *testing.T) {
	at := time.Date(2026, 1, 5, 14, 0, 0, 500, time.FixedZone("", 2*3600))
	var asked, body, once string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, once = r.Method+" "+r.URL.RequestURI(), r.Header.Get(IdempotencyKey)
		var sent json.RawMessage
		json.NewDecoder(r.Body).Decode(&sent) //nolint:errcheck // a GET has none
		body = string(sent)
		w.Write([]byte(`{"items":[{"id":"c1"}],"next_cursor":"n1","erased":3,"total_calls":7,"environment":"dev"}`)) //nolint:errcheck // the client tells
	}))
	defer server.Close()
	c, err := NewClient(ClientConfig{Server: server.URL, Once: func() string { return "key" }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name             string
		ask              func() (bool, error)
		want, body, once string
	}{
		{"statistics", func() (bool, error) {
			s, err := c.Stats(t.Context(), registry.StatsQuery{Prompt: "billing/refunds", Environment: "dev", Version: "1.0.0", Arm: "stable", From: at, To: at.Add(time.Hour), By: "hour"})
			return s.TotalCalls == 7, err
		}, "GET /v1/stats?arm=stable&by=hour&environment=dev&from=2026-01-05T12%3A00%3A00.0000005Z&prompt=billing%2Frefunds&to=2026-01-05T13%3A00%3A00.0000005Z&version=1.0.0", "", ""},
		{"statistics of all", func() (bool, error) {
			s, err := c.Stats(t.Context(), registry.StatsQuery{Prompt: "support"})
			return s.TotalCalls == 7, err
		}, "GET /v1/stats?prompt=support", "", ""},
		{"what ran", func() (bool, error) {
			r, err := c.WhatRan(t.Context(), "dev", at)
			return r.Environment == "dev", err
		}, "GET /v1/environments/dev/ran?at=2026-01-05T12%3A00%3A00.0000005Z", "", ""},
		{"what runs", func() (bool, error) {
			r, err := c.WhatRan(t.Context(), "dev", time.Time{})
			return r.Environment == "dev", err
		}, "GET /v1/environments/dev/ran", "", ""},
		{"calls", func() (bool, error) {
			calls, next, err := c.Calls(t.Context(), registry.CallQuery{Prompt: "support", Environment: "dev", Version: "1.0.0", From: at, To: at, After: 9}, "n0", 50)
			return len(calls) == 1 && calls[0].ID == "c1" && next == "n1", err
		}, "GET /v1/calls?cursor=n0&environment=dev&from=2026-01-05T12%3A00%3A00.0000005Z&limit=50&prompt=support&to=2026-01-05T12%3A00%3A00.0000005Z&version=1.0.0", "", ""},
		{"an id with everything in it", func() (bool, error) {
			f := registry.Feedback{Name: "relevance", Value: 0}
			_, err := c.Rate(t.Context(), "resp/1?x#y z%", f)
			return true, err
		}, "POST /v1/calls/resp%2F1%3Fx%23y%20z%25/feedback", `{"name":"relevance","value":0}`, "key"},
		{"a score", func() (bool, error) {
			_, err := c.Rate(t.Context(), "c1", registry.Feedback{Value: 4, Comment: "good"})
			return true, err
		}, "POST /v1/calls/c1/feedback", `{"score":4,"comment":"good"}`, "key"},
		{"erasing, which is sent once", func() (bool, error) {
			n, err := c.Erase(t.Context(), "user-12")
			return n == 3, err
		}, "POST /v1/calls/erase", `{"subject":"user-12"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ok, err := tt.ask()
			if err != nil || !ok || asked != tt.want || body != tt.body || once != tt.once {
				t.Errorf("%t, %v\nasked %s\nwant  %s\nsent %q, want %q; key %q, want %q", ok, err, asked, tt.want, body, tt.body, once, tt.once)
			}
		})
	}
}

func TestATraceIsReadAsItWasWritten(t *testing.T) {
	want := registry.Trace{
		Release: registry.Release{Prompt: "support", Tag: "support@1.0.0"}, Evidence: []registry.Evidence{},
		Before: &registry.TracedBefore{Changes: []prompt.Change{{Bump: prompt.Major, Detail: "variable x removed"}, {Bump: prompt.Patch}}},
		Share:  new(registry.Share(250)), Deployment: &registry.Deployment{Seq: 2},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/v1/trace/resp%2F1" {
			t.Error(r.URL)
		}
		json.NewEncoder(w).Encode(want) //nolint:errcheck // the client tells
	}))
	defer server.Close()
	c, err := NewClient(ClientConfig{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Trace(t.Context(), "resp/1")
	if err != nil || got.Release.Tag != want.Release.Tag || got.Before.Changes[0] != want.Before.Changes[0] || *got.Share != 250 || got.Deployment.Seq != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatNamesNoCallIsNotAskedFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked: %s", r.URL) }))
	defer server.Close()
	c, err := NewClient(ClientConfig{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"", ".", "..", "a\x1b", strings.Repeat("r", 257)} {
		if _, err := c.Rate(t.Context(), ref, registry.Feedback{Value: 4}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("rate %q: %v", ref, err)
		}
		if _, err := c.Trace(t.Context(), ref); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("trace %q: %v", ref, err)
		}
	}
}
