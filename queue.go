package incipit

import "sync"

// A queue holds calls that are to be delivered, the oldest first. It is
// bounded in number and in bytes, and knows what became of every call that was
// ever put in: each is delivered, rejected, dropped or still queued.
type queue struct {
	mu       sync.Mutex
	ring     []queued // from head on, n of them
	head     int
	n        int
	bytes    int
	underway int // taken, and not settled yet
	settled
	closed   bool // what comes is dropped
	maxCalls int
	maxBytes int
	many     int           // calls that are worth a batch
	manyB    int           // bytes that are
	wake     chan struct{} // holds one: there is a first call, or there are many
}

type queued struct {
	call Call
	size int
}

// settled are calls that are done with.
type settled struct{ delivered, rejected, dropped int64 }

func newQueue(t tuning) *queue {
	return &queue{maxCalls: t.maxCalls, maxBytes: t.maxQueue, many: t.batchCalls, manyB: t.batchBytes, wake: make(chan struct{}, 1)}
}

// put adds a call, and drops the oldest ones that it leaves no room for.
func (q *queue) put(c *Call) {
	size := c.size()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || size > q.maxBytes {
		q.dropped++
		return
	}
	for q.n >= q.maxCalls || q.bytes+size > q.maxBytes {
		q.pop()
		q.dropped++
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)%len(q.ring)] = queued{*c, size}
	q.n++
	q.bytes += size
	if q.n == 1 || q.n >= q.many || q.bytes >= q.manyB {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (q *queue) grow() {
	ring := make([]queued, min(max(2*len(q.ring), 64), q.maxCalls))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// pop takes the oldest call, of which there is one.
func (q *queue) pop() Call {
	at := &q.ring[q.head]
	c := at.call
	q.bytes -= at.size
	*at = queued{} // so that its texts can go
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return c
}

// take gives the oldest call, which is under way until settle says what became
// of it.
func (q *queue) take() (Call, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return Call{}, false
	}
	q.underway++
	return q.pop(), true
}

// settle notes what became of calls that were under way. After close they have
// been given up, and nothing that comes later changes the count.
func (q *queue) settle(s settled) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.underway -= int(s.delivered + s.rejected + s.dropped)
		q.delivered += s.delivered
		q.rejected += s.rejected
		q.dropped += s.dropped
	}
}

// waiting reports whether there are calls to take, and enough for a batch.
func (q *queue) waiting() (some, many bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n > 0, q.n >= q.many || q.bytes >= q.manyB
}

// counts are what became of the calls so far, and how many are still queued.
func (q *queue) counts() (s settled, queued int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.settled, int64(q.n + q.underway)
}

// ended reports whether the queue was closed.
func (q *queue) ended() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// close ends the queue, and answers how many calls were dropped in its life.
func (q *queue) close() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.dropped += int64(q.n + q.underway)
	q.ring, q.head, q.n, q.bytes, q.underway = nil, 0, 0, 0, 0
	return q.dropped
}
