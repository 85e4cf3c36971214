package incipit

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// books are the part of a server that takes calls and feedback, and whatever
// goes wrong on the way.
type books struct {
	mu       sync.Mutex
	calls    map[string]registry.WireCall // by id
	order    []string                     // in which they first came
	keys     map[string][32]byte          // of batches, and what was sent under them
	requests []time.Time
	sizes    []int // of the batches, in calls
	headers  []http.Header
	feedback []string // path and body
	broken   []string // what a client must never do
	refuse   func(registry.WireCall) string
	before   http.HandlerFunc // runs before anything is counted; it may answer, or panic with http.ErrAbortHandler
	after    http.HandlerFunc // runs in place of the answer
}

// An answered response notes whether somebody has written to it.
type answered struct {
	http.ResponseWriter
	done bool
}

func (a *answered) WriteHeader(status int) { a.done = true; a.ResponseWriter.WriteHeader(status) }
func (a *answered) Write(p []byte) (int, error) {
	a.done = true
	return a.ResponseWriter.Write(p)
}

func (b *books) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.requests = append(b.requests, time.Now())
	before, after := b.before, b.after
	b.mu.Unlock()
	if before != nil {
		a := &answered{ResponseWriter: w}
		if before(a, r); a.done {
			return
		}
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if ref := r.PathValue("ref"); ref != "" {
		b.feedback = append(b.feedback, ref+" "+string(data))
		_, _ = io.WriteString(w, `{"waiting":true,"replaced":false,"feedback":null}`)
		return
	}
	in := b.take(r, data)
	if after != nil {
		after(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(in)
}

// take counts a batch as Incipit does: each id once.
func (b *books) take(r *http.Request, data []byte) registry.Intake {
	if b.calls == nil {
		b.calls, b.keys = make(map[string]registry.WireCall), make(map[string][32]byte)
	}
	key := r.Header.Get("Idempotency-Key")
	if sum, known := b.keys[key]; known && sum != sha256.Sum256(data) {
		b.broken = append(b.broken, "other bytes came under the key "+key)
	}
	b.keys[key] = sha256.Sum256(data)
	b.headers = append(b.headers, r.Header.Clone())
	in := registry.Intake{Rejected: []registry.Rejection{}}
	z, err := gzip.NewReader(strings.NewReader(string(data)))
	if err != nil {
		b.broken = append(b.broken, err.Error())
		return in
	}
	lines := json.NewDecoder(z)
	lines.DisallowUnknownFields()
	n := 0
	for ; ; n++ {
		var c registry.WireCall
		if err := lines.Decode(&c); err == io.EOF {
			break
		} else if err != nil {
			b.broken = append(b.broken, err.Error())
			return in
		}
		switch _, known := b.calls[c.ID]; {
		case b.refuse != nil && b.refuse(c) != "":
			in.Rejected = append(in.Rejected, registry.Rejection{Index: n, Code: registry.RejectRange, Reason: b.refuse(c)})
		case known:
			in.Duplicates++
		default:
			in.Accepted++
			b.calls[c.ID] = c
			b.order = append(b.order, c.ID)
		}
	}
	b.sizes = append(b.sizes, n)
	return in
}

// set changes what the books do.
func (b *books) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// taken is how many calls were counted.
func (b *books) taken() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.calls))
}

// one is the only call that was counted.
func (b *books) one(t *testing.T) registry.WireCall {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.order) != 1 {
		t.Fatalf("%d calls were counted, want one", len(b.order))
	}
	return b.calls[b.order[0]]
}

func (b *books) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range b.broken {
		t.Error(what)
	}
}

// balance reports a client that lost count: each of the calls that were put in
// is in one column.
func balance(t *testing.T, c *Client, put int64) Status {
	t.Helper()
	s := c.Status()
	if s.Delivered+s.Rejected+s.Dropped+s.Queued != put {
		t.Errorf("%d calls were recorded, and %d delivered + %d rejected + %d dropped + %d queued", put, s.Delivered, s.Rejected, s.Dropped, s.Queued)
	}
	return s
}
