package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/incipit-dev/incipit"
)

// maxStaleness is how old the prompts may be before the log says so. They are
// served all the same: an old prompt is better than none.
const maxStaleness = 24 * time.Hour

// A worker sorts tickets.
type worker struct {
	prompts *incipit.Client
	record  func(incipit.Call) // Client.Record
	model   anthropic.Client
	timeout time.Duration // for one model call, with the client's retries
	log     *slog.Logger
}

// A job is one line of the input.
type job struct {
	ID       string `json:"id"`
	Customer string `json:"customer"` // whom a rollout keeps on one release
	Ticket   string `json:"ticket"`
}

// A result is one line of the output.
type result struct {
	ID     string          `json:"id"`
	Prompt string          `json:"prompt,omitempty"` // id@version
	Call   string          `json:"call,omitempty"`
	Filed  json.RawMessage `json:"filed,omitempty"` // what the model gave the tool file_ticket
	Text   string          `json:"text,omitempty"`  // what it said besides
	Error  string          `json:"error,omitempty"`
}

// work does the jobs of in, until it ends or ctx is done.
func (w *worker) work(ctx context.Context, in io.Reader, out io.Writer) error {
	lines, ended := make(chan []byte), make(chan error, 1)
	// A Read of standard input can be ended by nothing but the process, so
	// work does not wait for this goroutine once ctx is done.
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			select {
			case lines <- append([]byte(nil), s.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		ended <- s.Err()
	}()
	results := json.NewEncoder(out)
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				select {
				case err := <-ended:
					return err
				case <-ctx.Done():
					return nil
				}
			}
			if err := results.Encode(w.do(context.WithoutCancel(ctx), line)); err != nil {
				return err
			}
		}
	}
}

// do does one job. Whatever goes wrong with it, the next one is done too.
func (w *worker) do(ctx context.Context, line []byte) result {
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		return result{Error: "this line is no job: " + err.Error()}
	}
	r := result{ID: j.ID}
	p, err := w.prompts.Prompt(ctx, "ticket-triage", incipit.Subject(j.Customer), incipit.Vars{"ticket": j.Ticket},
		incipit.WithVersion("^1"), incipit.WithMaxStaleness(maxStaleness, incipit.Serve))
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.Prompt, r.Call = p.ID+"@"+p.Version, p.CallID
	call := p.Call()
	if p.Stale {
		w.log.Warn("worker: the prompt is old; see that the server can be reached", "prompt", r.Prompt, "from", p.Source, "age", w.prompts.Age().Round(time.Second))
		call.Tags = map[string]string{"prompt": "stale"}
	}

	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	call.StartedAt = time.Now()
	message, err := ask(ctx, w.model, p)
	call.Latency = time.Since(call.StartedAt)
	describe(&call, message, err)
	w.record(call)

	if err != nil {
		w.log.Error("worker: the model call failed", "job", j.ID, "call", call.ID, "prompt", r.Prompt, "class", call.ErrorClass, "error", err)
		r.Error = "the model call failed: " + call.ErrorClass
		return r
	}
	for _, block := range message.Content {
		switch block.Type {
		case "text":
			r.Text += block.Text
		case "tool_use":
			r.Filed = block.Input
		}
	}
	return r
}
