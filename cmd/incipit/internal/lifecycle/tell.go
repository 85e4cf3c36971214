package lifecycle

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	tellEvery  = time.Second     // between two looks at the outbox
	tellLease  = time.Minute     // for which nobody else sends to a webhook; longer than a request may take
	maxTelling = 32              // webhooks that are sent to at once
	markWithin = 5 * time.Second // for noting what came of a message, also at the end
)

// A teller sends what the outbox holds. Webhooks do not wait for each other,
// and nobody who deploys waits for one.
type teller struct {
	*Shared
	holder string // this process, among the replicas

	mu       sync.Mutex
	busy     map[string]bool // webhooks that are sent to; guarded by mu
	underWay sync.WaitGroup
}

// tell sends until ctx is done, and waits for what is under way.
func (s *Shared) tell(ctx context.Context) error {
	t, err := s.newTeller()
	if err != nil {
		return err
	}
	defer t.underWay.Wait()
	return again(ctx, tellEvery, func() time.Duration {
		if err := t.look(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.Warn("the outbox of webhooks could not be read", "error", err)
		}
		return tellEvery
	})
}

func (s *Shared) newTeller() (*teller, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.config.Random, b[:]); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	return &teller{Shared: s, holder: hex.EncodeToString(b[:]), busy: make(map[string]bool)}, nil
}

// look starts to send to each webhook to which something is due.
func (t *teller) look(ctx context.Context) error {
	due, err := t.db.DueWebhooks(ctx)
	if err != nil {
		return err
	}
	for _, id := range due {
		if !t.begin(id) {
			continue
		}
		t.underWay.Go(func() {
			defer t.end(id)
			if err := t.tellAll(ctx, id); err != nil && ctx.Err() == nil {
				t.config.Log.Warn("what a webhook was told could not be noted; it may be told again", "webhook", id, "error", err)
			}
		})
	}
	return nil
}

func (t *teller) begin(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[id] || len(t.busy) == maxTelling {
		return false
	}
	t.busy[id] = true
	return true
}

func (t *teller) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, id)
}

// tellAll sends to one webhook what is due, in order. When it returns, another
// replica may go on.
func (t *teller) tellAll(ctx context.Context, id string) error {
	secret, err := t.webhookSecret(ctx, id)
	for err == nil {
		w, d, claimed := t.db.ClaimDelivery(ctx, id, t.holder, tellLease)
		if claimed != nil || d == nil {
			return claimed
		}
		err = t.tellOne(ctx, *w, *d, secret)
	}
	return err
}

// tellOne sends one message and notes what came of it. If the process ends
// between the two, it is sent again, under the same id.
func (t *teller) tellOne(ctx context.Context, w registry.Webhook, d registry.Delivery, secret []byte) error {
	r := t.config.Notify.Send(ctx, notify.Message{ID: d.ID, URL: w.URL, Format: w.Format, Secret: secret, Notice: d.Notice})
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), markWithin)
	defer cancel()
	if r.Status == 0 && ctx.Err() != nil { // we are stopping: it was not the webhook's fault
		if err := t.db.ReleaseWebhook(noting, w.ID, t.holder); err != nil {
			return err
		}
		return ctx.Err()
	}
	d.Status, d.Error = r.Status, ""
	d.State, d.NextAt = notify.Next(r, d.Attempts, d.QueuedAt, t.config.Now(), t.config.Random)
	if r.Err != nil {
		d.Error = r.Err.Error()
		t.config.Log.Warn("a webhook was not told", "webhook", w.ID, "delivery", d.ID, "attempts", d.Attempts+1, "state", d.State, "error", d.Error)
	}
	if t.config.Told != nil {
		t.config.Told(outcome(r, d.State))
	}
	return t.db.Attempted(noting, d, r.Gone)
}

// outcome is a word for what came of an attempt, for figures.
func outcome(r notify.Result, s registry.DeliveryState) string {
	switch {
	case r.Err == nil:
		return "delivered"
	case r.Gone:
		return "gone"
	case s == registry.GivenUp:
		return "given-up"
	case r.Refused:
		return "refused"
	}
	return "failed"
}
