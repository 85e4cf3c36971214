package incipit

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A deliverer brings recorded calls to the server, in batches. It is one
// goroutine; nothing but run touches its fields once that has begun.
type deliverer struct {
	tuning
	client  *Client
	queue   *queue
	remote  *remote
	border  border
	log     *slog.Logger
	closing <-chan struct{} // closed when the program wants to end
	ending  bool            // that was noticed

	lines  bytes.Buffer // of the batch that is being made
	packed bytes.Buffer
	encode *json.Encoder // to lines
	zip    *gzip.Writer  // to packed

	said     string        // the last problem that was told
	saidAt   time.Duration // on the clock
	losses   losses        // since lossesAt
	lossesAt time.Duration
	dropped  int64 // of the queue, as far as was told
	panics   int64 // of the border, as far as was told
}

// losses are what the log is still to be told of.
type losses struct {
	rejected int64
	reasons  []string // the first ones
}

func (l *losses) add(n int64, reason string) {
	l.rejected += n
	if len(l.reasons) < 3 && !slices.Contains(l.reasons, reason) {
		l.reasons = append(l.reasons, reason)
	}
}

// A batch is calls that are sent together. Sent again it is the same bytes
// under the same key, so that the server counts it once.
type batch struct {
	key   string
	body  []byte // gzip of a call per line
	calls int
}

// run delivers until the program wants to end and the queue is empty, or until
// ctx is done.
func (d *deliverer) run(ctx context.Context) {
	defer func() { d.report(true) }()
	for d.wait(ctx) {
		if b := d.pack(); b.calls > 0 && !d.deliver(ctx, b) {
			return
		}
		d.report(false)
	}
}

// wait blocks until there are calls for a batch: many, or what came within
// linger after the first. It reports whether there are any.
func (d *deliverer) wait(ctx context.Context) bool {
	linger := time.NewTimer(d.linger)
	defer linger.Stop()
	first := true
	for ctx.Err() == nil {
		some, many := d.queue.waiting()
		if many || d.ending {
			return some
		}
		due := linger.C
		switch {
		case !some:
			due = nil
		case first:
			first = false
			linger.Reset(d.linger)
		}
		select {
		case <-d.queue.wake:
		case <-due:
			return true
		case <-d.closing:
			d.ending = true
		case <-ctx.Done():
		}
	}
	return false
}

// pack makes a batch of the oldest calls.
func (d *deliverer) pack() batch {
	if d.encode == nil {
		d.encode = json.NewEncoder(&d.lines)
		d.encode.SetEscapeHTML(false)
		d.zip, _ = gzip.NewWriterLevel(&d.packed, gzip.BestSpeed)
	}
	d.lines.Reset()
	b := batch{key: registry.NewCallID(d.clock.now(), d.clock.random())}
	for b.calls < d.batchCalls && d.lines.Len() < d.batchBytes-maxCall {
		call, ok := d.queue.take()
		if !ok {
			break
		}
		if err := d.write(&call); err != nil {
			d.losses.add(1, prompt.Clip(err.Error(), 200))
			d.queue.settle(settled{rejected: 1})
			continue
		}
		b.calls++
	}
	d.packed.Reset()
	d.zip.Reset(&d.packed)
	_, _ = d.zip.Write(d.lines.Bytes()) // memory takes everything
	_ = d.zip.Close()
	b.body = d.packed.Bytes()
	return b
}

// maxCall is how many bytes a call may be as JSON.
const maxCall = 256 << 10

// write adds a call to the lines, with the content that may be sent. A call
// that cannot be JSON is an error, and leaves no trace.
func (d *deliverer) write(c *Call) error {
	for _, f := range [...]struct {
		name  string
		value float64
	}{{"Share", c.Share}, {"CostUSD", c.CostUSD}, {"Satisfaction", c.Satisfaction}} {
		if math.IsNaN(f.value) || math.IsInf(f.value, 0) {
			return registry.Errorf(ErrInvalid, "%s is %v; it must be a number", f.name, f.value)
		}
	}
	w := c.wire()
	if d.border.redact != nil {
		if w.Input, w.Output = "", d.border.content(c.Output); c.Input == c.variables {
			w.Input = d.border.variables(c.Input)
		} else {
			w.Input = d.border.content(c.Input)
		}
	}
	before := d.lines.Len()
	err := d.encode.Encode(&w)
	if size := d.lines.Len() - before; err == nil && size > maxCall {
		err = registry.Errorf(ErrInvalid, "the call has %d bytes; it may have %d", size, maxCall)
	}
	if err != nil {
		d.lines.Truncate(before)
	}
	return err
}

// deliver sends a batch until it is settled. It reports whether to go on with
// the next one.
func (d *deliverer) deliver(ctx context.Context, b batch) bool {
	began := d.clock.since()
	for tries := 0; ; tries++ {
		in, e := d.send(ctx, b)
		switch {
		case e.err == nil:
			d.settle(b, in)
			return true
		case ctx.Err() != nil: // queue.close counts it
			return false
		case e.hopeless || d.clock.since()-began > d.batchAge:
			d.losses.add(0, e.err.Error())
			d.queue.settle(settled{dropped: int64(b.calls)})
			return true
		}
		d.problem(e.err)
		d.report(false)
		if d.ending && e.refused { // a key does not come back in the time that is left
			return false
		}
		if ended := d.ending; !d.rest(ctx, d.pause(e, tries), e.wait > 0) {
			return false
		} else if d.ending != ended {
			tries = -1
		}
	}
}

// send brings a batch to the server once.
func (d *deliverer) send(ctx context.Context, b batch) (registry.Intake, ending) {
	ctx, cancel := context.WithTimeout(ctx, d.sendLimit)
	defer cancel()
	header := make(http.Header)
	header.Set("Content-Type", "application/x-ndjson")
	header.Set("Content-Encoding", "gzip")
	header.Set("Idempotency-Key", b.key)
	var in registry.Intake
	status, e := d.remote.post(ctx, d.remote.root.JoinPath("v1", "calls"), header, b.body, &in)
	if ctx.Err() != nil { // over HTTP/2 the next try would take the same connection
		d.remote.http.CloseIdleConnections()
	}
	switch n := in.Accepted + in.Duplicates + len(in.Rejected); {
	case e.err == nil && n != b.calls:
		e.err = unavailable("the answer counts %d calls, and %d were sent: something that is not Incipit stands there", n, b.calls)
	case status == http.StatusNotFound: // an older server, or the wrong address
		e.refused = true
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
	case status/100 == 4 && !e.refused:
		e.hopeless = true
	}
	return in, e
}

// settle notes what the server did with a batch.
func (d *deliverer) settle(b batch, in registry.Intake) {
	refused := int64(len(in.Rejected))
	d.queue.settle(settled{delivered: int64(b.calls) - refused, rejected: refused})
	for _, r := range in.Rejected {
		d.losses.add(1, prompt.Clip(cmp.Or(r.Reason, r.Code), 200))
	}
	if d.said != "" {
		d.said = ""
		d.client.undelivered.Store(nil)
		d.log.Info("incipit: recorded calls are delivered again")
	}
}

// rest waits until a batch is to be sent again. The end of the program cuts a
// pause short, except one that the server asked for. It reports false if there
// is no time left.
func (d *deliverer) rest(ctx context.Context, pause time.Duration, asked bool) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	closing := d.closing
	if d.ending || asked {
		closing = nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-closing:
	}
	select {
	case <-d.closing:
		d.ending = true
	default:
	}
	return true
}

// quietly is how long the log is not told again.
const quietly = time.Minute

// problem tells why calls are not delivered, once for each reason.
func (d *deliverer) problem(err error) {
	d.client.undelivered.Store(&err)
	now := d.clock.since()
	if err.Error() == d.said || d.said != "" && now-d.saidAt < quietly {
		return
	}
	d.said, d.saidAt = err.Error(), now
	_, queued := d.queue.counts()
	d.log.Warn("incipit: recorded calls are not delivered: "+d.said, "queued", queued)
}

// report tells which calls were lost, and why, once a minute and at the end.
func (d *deliverer) report(last bool) {
	s, _ := d.queue.counts()
	now := d.clock.since()
	quiet := d.lossesAt != 0 && now-d.lossesAt < quietly && !last
	if quiet || d.losses.rejected == 0 && s.dropped == d.dropped && d.border.panics == d.panics {
		return
	}
	if d.losses.rejected > 0 || s.dropped != d.dropped {
		d.log.Warn("incipit: recorded calls were lost", "rejected", d.losses.rejected, "dropped", s.dropped-d.dropped, "reasons", d.losses.reasons)
	}
	if n := d.border.panics - d.panics; n > 0 {
		d.log.Error("incipit: Options.Redact panicked; those texts are not sent", "times", n, "panic", fmt.Sprintf("of type %s", d.border.panic))
	}
	d.losses, d.lossesAt, d.dropped, d.panics = losses{}, now|1, s.dropped, d.border.panics
}
