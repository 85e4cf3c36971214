package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A parcel is a batch of calls that a recorder sends, and what it was told.
type parcel struct {
	key    string
	calls  []registry.WireCall
	body   []byte
	intake *registry.Intake // nil until it was answered
	sent   int
}

// A rated is feedback that was acknowledged for a response.
type rated struct {
	response string
	score    float64
}

// A daybook is all that recorders sent, and were told.
type daybook struct {
	*fault
	mu      sync.Mutex
	parcels []*parcel
	ratings map[string]rated // by response; the last that was acknowledged
	acks    int
	full    int // how often the answer was that it cannot be kept now
}

func (f *fault) daybook() *daybook { return &daybook{fault: f, ratings: make(map[string]rated)} }

func (d *daybook) acked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.acks
}

func (d *daybook) refusals() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// A recorder sends one parcel after the other. One that was not answered is
// sent again, the same bytes under the same key, until it is.
type recorder struct {
	*daybook
	name    string
	n       int
	pending *parcel
}

func (d *daybook) recorders(n int) []*recorder {
	rs := make([]*recorder, n)
	for i := range rs {
		rs[i] = &recorder{daybook: d, name: fmt.Sprintf("recorder-%d", i)}
	}
	return rs
}

// pack makes the next parcel: calls of every prompt, of now and of yesterday,
// half of the parcels without ids.
func (r *recorder) pack() *parcel {
	p := &parcel{key: fmt.Sprintf("%s-%d", r.name, r.n)}
	for i := range 1 + rand.N(60) {
		w := served()[rand.N(len(served()))]
		at := time.Now().Add(-rand.N(3 * time.Hour)).UTC().Truncate(time.Microsecond)
		if rand.N(8) == 0 {
			at = at.Add(-24 * time.Hour)
		}
		c := registry.WireCall{
			Prompt: prompt.ID(w.id), Version: w.first, Environment: servedIn, Arm: registry.StableArm, StartedAt: at,
			LatencyMS: float64(1 + rand.N(4000)), OutputTokens: new(int64(rand.N(500))), Outcome: registry.OK, Model: "a-model",
			ResponseID: fmt.Sprintf("%s-%d", p.key, i),
		}
		if rand.N(10) == 0 {
			c.Outcome, c.ErrorClass = registry.Failed, registry.ProviderError
		}
		if r.n%2 == 0 {
			c.ID = registry.NewCallID(at, [10]byte(fmt.Appendf(nil, "%10d", rand.N(1_000_000_000))))
		}
		p.calls = append(p.calls, c)
	}
	var err error
	if p.body, err = json.Marshal(p.calls); err != nil {
		r.Fatal(err)
	}
	r.n++
	return p
}

// record sends parcels until ctx is done.
func (r *recorder) record(ctx context.Context, at string) {
	for ctx.Err() == nil && !r.Failed() {
		r.once(ctx, at)
	}
}

func (r *recorder) once(ctx context.Context, at string) {
	if r.pending == nil {
		r.pending = r.pack()
		r.mu.Lock()
		r.parcels = append(r.parcels, r.pending)
		r.mu.Unlock()
		if rand.N(8) == 0 { // before the call has arrived
			r.rate(ctx, at, r.pending.calls[0].ResponseID)
		}
	}
	p := r.pending
	in, err := r.send(ctx, at, p)
	switch {
	case ctx.Err() != nil: // nobody knows
	case err != nil:
		pauseFor(ctx, 20*time.Millisecond)
	default:
		if in.Accepted+in.Duplicates != len(p.calls) || len(in.Rejected) > 0 {
			r.Errorf("%s of %d calls came to %+v", p.key, len(p.calls), in)
		}
		r.mu.Lock()
		p.intake = in
		r.acks += len(p.calls)
		r.mu.Unlock()
		r.pending = nil
		if rand.N(2) == 0 {
			r.rate(ctx, at, p.calls[rand.N(len(p.calls))].ResponseID)
		}
	}
}

// send sends a parcel, and reports an error unless it was taken.
func (r *recorder) send(ctx context.Context, at string, p *parcel) (*registry.Intake, error) {
	p.sent++
	var in registry.Intake
	status, err := post(ctx, at+"/v1/calls", p.key, p.body, &in)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return &in, nil
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests || status == http.StatusInsufficientStorage:
		r.mu.Lock()
		r.full++
		r.mu.Unlock()
		return nil, fmt.Errorf("status %d", status)
	}
	r.Errorf("%s was answered with %d", p.key, status)
	return nil, fmt.Errorf("status %d", status)
}

// rate sends feedback, and another that replaces it.
func (r *recorder) rate(ctx context.Context, at, response string) {
	for range 1 + rand.N(2) {
		score := float64(1 + rand.N(5))
		status, err := post(ctx, at+"/v1/calls/"+url.PathEscape(response)+"/feedback", "", fmt.Appendf(nil, `{"score":%g}`, score), new(registry.FeedbackReceipt))
		if err != nil || status != http.StatusOK {
			r.mu.Lock()
			delete(r.ratings, response) // nobody knows which one stands
			r.mu.Unlock()
			return
		}
		r.mu.Lock()
		r.ratings[response] = rated{response, score}
		r.mu.Unlock()
	}
}

// post sends JSON, and reads the answer if the status is 200.
func post(ctx context.Context, to, key string, body []byte, answer any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set(api.IdempotencyKey, key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp.StatusCode, err
	}
	return resp.StatusCode, json.Unmarshal(data, answer)
}

// during lets the recorders record while do runs.
func (d *daybook) during(rs []*recorder, at func(i int) string, do func()) {
	d.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for i, r := range rs {
		all.Go(func() { r.record(ctx, at(i)) })
	}
	do()
}

// more waits until n more calls are acknowledged.
func (d *daybook) more(n int) {
	d.Helper()
	want := d.acked() + n
	d.until(fmt.Sprintf("%d more calls are acknowledged", n), func() bool { return d.acked() >= want || d.Failed() })
	if d.Failed() {
		d.FailNow()
	}
}

// settle has each recorder get its answer.
func (d *daybook) settle(rs []*recorder, at string) {
	d.Helper()
	for _, r := range rs {
		d.until(r.name+" gets its answer", func() bool {
			if r.pending != nil && !d.Failed() {
				r.once(d.Context(), at)
			}
			return r.pending == nil || d.Failed()
		})
	}
}

// again sends every parcel once more: each call is known already.
func (d *daybook) again(at string) {
	d.Helper()
	r := &recorder{daybook: d, name: "again"}
	for _, p := range d.parcels {
		if p.intake == nil {
			continue
		}
		in, err := r.send(d.Context(), at, p)
		if err != nil || in.Accepted != 0 || in.Duplicates != len(p.calls) {
			d.Errorf("%s, sent again, came to %+v, %v", p.key, in, err)
		}
	}
}

// hold holds what the server says against the daybook. It must not be called
// while the recorders record.
func (d *daybook) hold(v *serving) {
	d.Helper()
	c := v.client(nil)
	there := make(map[string][]registry.WireCall) // by response
	for _, w := range served() {
		n, tokens, failed, ratings := int64(0), int64(0), int64(0), int64(0)
		for cursor := ""; ; {
			var page api.Page[registry.WireCall]
			if err := c.Get(d.Context(), "/v1/calls", url.Values{"prompt": {w.id}, "limit": {"1000"}, "cursor": {cursor}}, &page); err != nil {
				d.Fatal(err)
			}
			for _, call := range page.Items {
				there[call.ResponseID] = append(there[call.ResponseID], call)
				n, tokens = n+1, tokens+*call.OutputTokens
				if call.Outcome == registry.Failed {
					failed++
				}
				if call.Satisfaction != nil {
					ratings++
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		var s registry.Stats
		if err := c.Get(d.Context(), "/v1/stats", url.Values{"prompt": {w.id}, "since": {"96h"}}, &s); err != nil {
			d.Fatal(err)
		}
		if s.TotalCalls != n || s.Errors != failed || s.Ratings != ratings || n > 0 && (s.OutputTokens == nil || *s.OutputTokens != tokens) {
			d.Errorf("of %s there are %d calls, %d errors, %d tokens and %d ratings, and the rollups say %+v", w.id, n, failed, tokens, ratings, s.Figures)
		}
	}
	d.compare(there)
	if d.Failed() {
		d.Fatalf("the server said:\n%s", tail(v.said()))
	}
}

// compare holds the calls that are there against those that were sent.
func (d *daybook) compare(there map[string][]registry.WireCall) {
	d.Helper()
	lost, doubled := 0, 0
	for _, p := range d.parcels {
		for _, sent := range p.calls {
			got := there[sent.ResponseID]
			delete(there, sent.ResponseID)
			switch {
			case len(got) > 1:
				doubled++
				d.Errorf("%s is there %d times", sent.ResponseID, len(got))
			case len(got) == 0 && p.intake != nil:
				lost++
				d.Errorf("%s was acknowledged and is not there", sent.ResponseID)
			case len(got) == 1:
				d.whole(sent, got[0])
			}
		}
	}
	for response := range there {
		d.Errorf("there is a call that nobody sent: %q", response)
	}
	d.Acked, d.Lost, d.Dup = max(d.Acked, d.acks), max(d.Lost, lost), max(d.Dup, doubled)
}

func (d *daybook) whole(sent, got registry.WireCall) {
	d.Helper()
	if got.Prompt != sent.Prompt || got.Version != sent.Version || got.LatencyMS != sent.LatencyMS || *got.OutputTokens != *sent.OutputTokens ||
		got.Outcome != sent.Outcome || got.ErrorClass != sent.ErrorClass || !got.StartedAt.Equal(sent.StartedAt) || got.Model != sent.Model ||
		sent.ID != "" && got.ID != sent.ID {
		d.Errorf("%s is not what was sent: %+v", sent.ResponseID, got)
	}
	if r, ok := d.ratings[sent.ResponseID]; ok && (got.Satisfaction == nil || *got.Satisfaction != r.score) {
		d.Errorf("%s was rated %g, and says %v", sent.ResponseID, r.score, got.Satisfaction)
	}
}
