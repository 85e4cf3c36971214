package incipit

import (
	"maps"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Call is one model call. Prompt.Call fills in the first part; Latency and
// Outcome are needed too. What is left at zero was not measured.
type Call struct {
	ID          string // Client.Record makes one up if it is empty
	Prompt      string
	Version     string
	Environment string
	Arm         string
	Rollout     string
	Share       float64 // of the arm at that moment, in percent
	Subject     string
	Model       string

	StartedAt    time.Time // if it is zero, Latency before now
	Latency      time.Duration
	FirstToken   time.Duration // from the start until the first token came
	Outcome      string        //nolint:misspell // ok, error or cancelled, as on the wire
	ErrorClass   string        // provider, prompt or timeout
	FinishReason string
	ResponseID   string // the provider's
	InputTokens  int64
	OutputTokens int64
	CachedTokens int64
	CostUSD      float64
	Satisfaction float64 // from 1 to 5
	Tags         map[string]string
	Input        string // kept only where the server is told to
	Output       string
}

// Record notes a model call. It never waits: the call is put in a queue, and
// where the queue is full the oldest is dropped and counted.
//
// Nothing delivers the queue yet. Close says how many calls that were.
func (c *Client) Record(call Call) {
	if call.ID == "" {
		call.ID = registry.NewCallID(c.clock.now(), c.clock.random())
	}
	if call.StartedAt.IsZero() {
		call.StartedAt = c.clock.now().Add(-call.Latency)
	}
	if call.Environment == "" {
		call.Environment = c.view.Load().snapshot.Environment
	}
	call.Tags = maps.Clone(call.Tags)
	c.calls.put(call)
}

// A queue holds calls that are to be delivered, the oldest first. It is
// bounded in number and in bytes.
type queue struct {
	mu       sync.Mutex
	calls    []Call // from head on
	head     int
	bytes    int
	dropped  int64
	closed   bool
	maxCalls int
	maxBytes int
}

func (q *queue) put(c Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := c.size(); q.closed || n > q.maxBytes {
		q.dropped++
		return
	} else if q.bytes += n; len(q.calls) == cap(q.calls) && q.head > len(q.calls)/2 {
		rest := copy(q.calls, q.calls[q.head:])
		clear(q.calls[rest:])
		q.calls, q.head = q.calls[:rest], 0
	}
	q.calls = append(q.calls, c)
	for len(q.calls)-q.head > q.maxCalls || q.bytes > q.maxBytes {
		q.bytes -= q.calls[q.head].size()
		q.calls[q.head] = Call{} // so that its texts can go
		q.head++
		q.dropped++
	}
}

// close ends the queue, and answers how many calls were not delivered.
func (q *queue) close() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.dropped += int64(len(q.calls) - q.head)
	q.calls, q.head, q.bytes = nil, 0, 0
	return q.dropped
}

// lost is how many calls were dropped so far.
func (q *queue) lost() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// size is about how many bytes a call holds.
func (c *Call) size() int {
	n := 512
	for _, s := range [...]string{
		c.ID, c.Prompt, c.Version, c.Environment, c.Arm, c.Rollout, c.Subject, c.Model,
		c.Outcome, c.ErrorClass, c.FinishReason, c.ResponseID, c.Input, c.Output,
	} {
		n += len(s)
	}
	for k, v := range c.Tags {
		n += len(k) + len(v) + 64
	}
	return n
}
