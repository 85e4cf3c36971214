package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/incipit-dev/incipit"
)

// A chat answers questions of users.
type chat struct {
	prompts *incipit.Client
	record  func(incipit.Call) // Client.Record
	model   openai.Client
	timeout time.Duration // for one model call, with the client's retries
	log     *slog.Logger
}

type question struct {
	User     string `json:"user"` // whom a rollout keeps on one release
	Question string `json:"question"`
}

type answer struct {
	Answer string `json:"answer"`
	Call   string `json:"call"` // by this id, feedback names the call later
}

func (c *chat) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chat", c.ask)
	mux.HandleFunc("POST /feedback", c.rate)
	mux.HandleFunc("GET /healthz", c.health)
	return mux
}

// ask answers one question.
func (c *chat) ask(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&q); err != nil || q.User == "" || q.Question == "" {
		http.Error(w, `send {"user": "…", "question": "…"}`, http.StatusBadRequest)
		return
	}
	// Nothing is fetched here: the prompt lies in memory. ^1 is what this
	// program was written for; a release 2.0.0 would want other values.
	p, err := c.prompts.Prompt(r.Context(), "customer-support", incipit.Subject(q.User),
		incipit.Vars{"question": q.Question}, incipit.WithVersion("^1"))
	switch {
	case errors.Is(err, incipit.ErrInvalid):
		c.log.Warn("chat-http: the question does not fit the prompt", "error", err)
		http.Error(w, "the question does not fit: it may be too long", http.StatusBadRequest)
		return
	case err != nil:
		c.log.Error("chat-http: there is no prompt", "error", err)
		http.Error(w, "the assistant is not available", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-Incipit-Prompt", p.ID+"@"+p.Version)

	ctx, cancel := context.WithTimeout(r.Context(), c.timeout)
	defer cancel()
	call := p.Call()
	call.StartedAt = time.Now()
	completion, err := complete(ctx, c.model, p)
	call.Latency = time.Since(call.StartedAt)
	describe(&call, completion, err)
	c.record(call)

	if err != nil {
		c.log.Error("chat-http: the model call failed", "call", call.ID, "prompt", p.ID+"@"+p.Version, "class", call.ErrorClass, "error", err)
		status := http.StatusBadGateway
		if call.ErrorClass == "timeout" {
			status = http.StatusGatewayTimeout
		}
		http.Error(w, "the assistant could not answer", status)
		return
	}
	reply(w, answer{Answer: text(completion), Call: call.ID})
}

// rate takes what a user says of an answer, perhaps days later.
func (c *chat) rate(w http.ResponseWriter, r *http.Request) {
	var said struct {
		Call  string  `json:"call"`
		Score float64 `json:"score"` // from 1 to 5
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&said); err != nil {
		http.Error(w, `send {"call": "…", "score": 4}`, http.StatusBadRequest)
		return
	}
	switch err := c.prompts.Rate(r.Context(), said.Call, incipit.Feedback{Score: said.Score}); {
	case errors.Is(err, incipit.ErrInvalid):
		http.Error(w, "a score is from 1 to 5, and the call is one that was answered here", http.StatusBadRequest)
	case err != nil:
		c.log.Error("chat-http: the feedback was not taken", "error", err)
		http.Error(w, "the feedback was not taken", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// health says how the prompts fare. A server that cannot be reached is no
// reason to restart this program: it serves what it knows.
func (c *chat) health(w http.ResponseWriter, _ *http.Request) {
	s := c.prompts.Status()
	reply(w, map[string]any{"prompts": s.Prompts, "source": s.Source, "revision": s.Revision, "age_seconds": int(s.Age.Seconds())})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the other side may be gone: nobody is left to tell
}
