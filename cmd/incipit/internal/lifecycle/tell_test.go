package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A heard is a request that a receiver got.
type heard struct{ host, id, notice string }

// A network of receivers: what each answers is up to the test.
type network struct {
	mu     sync.Mutex
	got    []heard                                     // guarded by mu, as all of it
	now    map[string]int                              // requests under way, by host
	most   map[string]int                              // the most that were
	answer func(r *http.Request, h heard) (int, error) // is called without the lock
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var e notify.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	h := heard{r.URL.Host, r.Header.Get("webhook-id"), e.Data.Notice}
	n.mu.Lock()
	if n.now == nil {
		n.now, n.most = make(map[string]int), make(map[string]int)
	}
	n.got = append(n.got, h)
	n.now[h.host]++
	n.most[h.host] = max(n.most[h.host], n.now[h.host])
	n.mu.Unlock()
	status := http.StatusOK
	if n.answer != nil {
		status, err = n.answer(r, h)
	}
	n.mu.Lock()
	n.now[h.host]--
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

// heardAt are the notices of the requests to a host, in order.
func (n *network) heardAt(host string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, h := range n.got {
		if h.host == host {
			out = append(out, h.notice)
		}
	}
	return out
}

// telling is a replica that tells webhooks over a network.
func telling(t testing.TB, d storetest.Database, n *network) (*rig, *teller) {
	t.Helper()
	sender, err := notify.New(notify.Config{Now: d.Clock.Now, Transport: n, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := replica(t, d, func(c *SharedConfig) { c.Notify = sender })
	tell, err := r.shared.newTeller()
	if err != nil {
		t.Fatal(err)
	}
	return r, tell
}

// toldOnce looks at the outbox once, and waits for what is under way.
func (t *teller) toldOnce(tb testing.TB) {
	tb.Helper()
	if err := t.look(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	t.underWay.Wait()
}

// hook adds a webhook that wants everything.
func (r *rig) hook(host string) registry.Webhook {
	r.Helper()
	all := registry.Patterns{"*"}
	_, w, err := r.shared.AddWebhook(by(r, "admin"), registry.Webhook{URL: "https://" + host + "/hook/of/incipit/x1y2", Format: registry.FormatJSON, Kinds: all, Environments: all, Prompts: all})
	if err != nil {
		r.Fatal(err)
	}
	return w
}

// happen makes n notices.
func (r *rig) happen(from, n int) (ids []string) {
	r.Helper()
	for i := from; i < from+n; i++ {
		ids = append(ids, fmt.Sprint("n", i))
		if err := r.db.Notify(r.Context(), registry.Notice{ID: ids[i-from], Kind: registry.NoticeEnded, Text: "x"}); err != nil {
			r.Fatal(err)
		}
	}
	return ids
}

func (r *rig) states(w registry.Webhook) map[registry.DeliveryState]int {
	r.Helper()
	ds, err := r.shared.Deliveries(r.Context(), w.ID, 1000)
	if err != nil {
		r.Fatal(err)
	}
	out := make(map[registry.DeliveryState]int)
	for _, d := range ds {
		out[d.State]++
	}
	return out
}

func TestAWebhookThatIsDownForAnHourLosesNothingAndKeepsTheOrder(t *testing.T) {
	for name, broken := range map[string]func() (int, error){
		"down":      func() (int, error) { return 0, errors.New("connection refused") },
		"500":       func() (int, error) { return 500, nil },
		"turned by": func() (int, error) { return 302, nil },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
				start := d.Clock.Now()
				up := start.Add(time.Hour)
				n := &network{}
				n.answer = func(_ *http.Request, h heard) (int, error) {
					if h.host == "bad.example.com" && d.Clock.Now().Before(up) {
						return broken()
					}
					return 200, nil
				}
				r, tell := telling(t, d, n)
				bad, good := r.hook("bad.example.com"), r.hook("good.example.com")
				var want []string
				for i := 0; d.Clock.Now().Before(start.Add(150 * time.Minute)); i++ {
					if i < 60 {
						want = append(want, r.happen(i, 1)...)
					}
					tell.toldOnce(t)
					if got := n.heardAt("good.example.com"); len(got) != len(want) {
						t.Fatalf("one waits for the other: %d of %d", len(got), len(want))
					}
					d.Clock.Advance(time.Minute)
				}
				got := slices.Compact(n.heardAt("bad.example.com"))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if st := r.states(bad); st[registry.Delivered] != 60 || r.states(good)[registry.Delivered] != 60 {
					t.Errorf("%v", st)
				}
				ids := make(map[string]map[string]bool)
				for _, h := range n.got {
					if ids[h.host+h.notice] == nil {
						ids[h.host+h.notice] = make(map[string]bool)
					}
					if ids[h.host+h.notice][h.id] = true; len(ids[h.host+h.notice]) != 1 {
						t.Errorf("%s has the ids %v", h.notice, ids[h.host+h.notice])
					}
				}
				t.Logf("%d attempts for 60 notices", len(n.heardAt("bad.example.com")))
			})
		})
	}
}

func TestAWebhookThatIsDownForADayIsGivenUpOnAndGoesOn(t *testing.T) {
	d := storetest.SQLite(t)
	n := &network{answer: func(*http.Request, heard) (int, error) { return 500, nil }}
	r, tell := telling(t, d, n)
	w := r.hook("bad.example.com")
	r.happen(0, 3)
	for range 25 * 12 {
		tell.toldOnce(t)
		d.Clock.Advance(5 * time.Minute)
	}
	if st := r.states(w); st[registry.GivenUp] != 3 {
		t.Errorf("%v", st)
	}
	if got := slices.Compact(n.heardAt("bad.example.com")); !slices.Equal(got, []string{"n0", "n1", "n2"}) {
		t.Errorf("each is tried: %v", got)
	}
	n.answer = nil
	r.happen(3, 1)
	tell.toldOnce(t)
	if st := r.states(w); st[registry.Delivered] != 1 {
		t.Errorf("%v", st)
	}
}

func TestAWebhookThatSaysItIsGoneIsPaused(t *testing.T) {
	d := storetest.SQLite(t)
	n := &network{answer: func(*http.Request, heard) (int, error) { return 410, nil }}
	r, tell := telling(t, d, n)
	w := r.hook("bad.example.com")
	r.happen(0, 3)
	tell.toldOnce(t)
	if st := r.states(w); st[registry.GivenUp] != 3 || len(n.got) != 1 {
		t.Errorf("%v after %d requests", st, len(n.got))
	}
	n.answer = nil
	r.happen(3, 1)
	if _, err := r.shared.PingWebhook(by(t, "admin"), w.ID); err != nil {
		t.Fatal(err)
	}
	r.happen(4, 1)
	tell.toldOnce(t)
	got := n.heardAt("bad.example.com")
	if len(got) != 3 || !strings.HasPrefix(got[1], "ping/") || got[2] != "n4" {
		t.Errorf("%v", got)
	}
}

// A receiver that does not answer holds up nobody: not who deploys, not another
// receiver, and not the end of the server.
func TestASlowWebhookHoldsUpNobody(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		called := make(chan struct{})
		n := &network{}
		n.answer = func(r *http.Request, h heard) (int, error) {
			if h.host != "slow.example.com" {
				return 200, nil
			}
			close(called)
			<-r.Context().Done()
			return 0, r.Context().Err()
		}
		r, tell := telling(t, d, n)
		slow, _ := r.hook("slow.example.com"), r.hook("good.example.com")
		r.happen(0, 1)
		ctx, cancel := context.WithCancel(t.Context())
		if err := tell.look(ctx); err != nil {
			t.Fatal(err)
		}
		<-called
		want := append([]string{"n0"}, r.happen(1, 5)...)
		for len(n.heardAt("good.example.com")) < len(want) {
			if err := tell.look(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := n.heardAt("good.example.com"); !slices.Equal(got, want) || len(n.heardAt("slow.example.com")) != 1 {
			t.Errorf("%v", got)
		}
		cancel()
		tell.underWay.Wait()
		// It was our end and not the receiver's fault: another replica goes on at once.
		n.answer = nil
		_, next := telling(t, d, n)
		next.toldOnce(t)
		if st := r.states(slow); st[registry.Delivered] != 6 {
			t.Errorf("%v", st)
		}
	})
}

func TestAMessageThatWasSentAndNotNotedIsSentAgainUnderItsID(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		n := &network{}
		r, tell := telling(t, d, n)
		n.answer = func(*http.Request, heard) (int, error) { return 200, r.db.Close() } // the end, before anything is noted
		w := r.hook("good.example.com")
		r.happen(0, 2)
		tell.toldOnce(t)
		n.answer = nil
		again, next := telling(t, d, n)
		next.toldOnce(t)
		if len(n.got) != 1 {
			t.Errorf("the one that died may still be sending: %v", n.got)
		}
		d.Clock.Advance(2 * tellLease)
		next.toldOnce(t)
		if len(n.got) != 3 || n.got[0] != n.got[1] || n.got[2].notice != "n1" || again.states(w)[registry.Delivered] != 2 {
			t.Errorf("%v", n.got)
		}
	})
}

func TestReplicasDoNotTellOneWebhookAtOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		n := &network{}
		r, first := telling(t, d, n)
		_, second := telling(t, d, n)
		_, third := telling(t, d, n)
		hosts := []string{"a.example.com", "b.example.com", "c.example.com"}
		for _, h := range hosts {
			r.hook(h)
		}
		const notices = 20
		var wg sync.WaitGroup
		for _, tell := range []*teller{first, second, third} {
			wg.Go(func() {
				for len(n.heardAt(hosts[0])) < notices || len(n.heardAt(hosts[1])) < notices || len(n.heardAt(hosts[2])) < notices {
					if err := tell.look(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
				tell.underWay.Wait()
			})
		}
		want := r.happen(0, notices)
		wg.Wait()
		for _, h := range hosts {
			if diff := cmp.Diff(want, n.heardAt(h)); diff != "" || n.most[h] != 1 {
				t.Errorf("%s: %d at once\n%s", h, n.most[h], diff)
			}
		}
	})
}

// The whole way: what is deployed is told within a moment, signed with the
// secret that was shown, and the secret stands nowhere else.
func TestADeploymentIsToldSigned(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}}, func(t *testing.T, over *rig) {
		told := make(chan notify.Envelope, 10)
		var hook *standardwebhooks.Webhook
		n := tripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = hook.VerifyIgnoringTimestamp(body, r.Header)
			}
			var e notify.Envelope
			if err := errors.Join(err, json.Unmarshal(body, &e)); err != nil {
				t.Error(err)
			}
			told <- e
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
		})
		sender, err := notify.New(notify.Config{Now: over.clock.Now, Transport: n})
		if err != nil {
			t.Fatal(err)
		}
		outcomes := make(chan string, 10)
		r := replica(t, over.config, func(c *SharedConfig) {
			c.Notify, c.Told = sender, func(o string) { outcomes <- o }
		})
		all := registry.Patterns{"*"}
		secret, w, err := r.shared.AddWebhook(by(t, "admin@example.com"), registry.Webhook{URL: "https://hooks.example.com/services/T0/B0/sEcReTx1y2", Format: registry.FormatJSON, Kinds: registry.Patterns{"deployment.*"}, Environments: all, Prompts: all})
		if err != nil || w.URL != "https://hooks.example.com/…x1y2" || w.CreatedBy != "admin@example.com" {
			t.Fatalf("%+v, %v", w, err)
		}
		if hook, err = standardwebhooks.NewWebhook(secret.Reveal()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.shared.Run(ctx) }()
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.1.0", because("warmer")))
		r.done(ask(registry.Rollback, "dev", "", because("errors are worse")))
		for _, want := range []string{
			"dev: support 1.0.0, deployed by bob@example.com", "dev: support 1.0.0 -> 1.1.0, deployed by bob@example.com: warmer",
			"dev: support 1.1.0 -> 1.0.0, rolled back by bob@example.com: errors are worse",
		} {
			if e := <-told; e.Data.Text != want || e.Data.Environment != "dev" || e.Data.Prompt != "support" {
				t.Errorf("%+v, want %s", e, want)
			}
			if o := <-outcomes; o != "delivered" {
				t.Error(o)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		listed, err1 := r.shared.Webhooks(t.Context())
		events, err2 := r.shared.Events(t.Context(), 0, 100)
		deliveries, err3 := r.shared.Deliveries(t.Context(), w.ID, 100)
		if err := errors.Join(err1, err2, err3); err != nil || len(listed) != 1 || len(deliveries) != 3 {
			t.Fatalf("%v, %v, %v", listed, deliveries, err)
		}
		for name, v := range map[string]any{"the list": listed, "the audit log": events, "deliveries": deliveries} {
			raw, err := json.Marshal(v)
			if text := fmt.Sprintf("%s%+v", raw, v); err != nil || strings.Contains(text, strings.TrimPrefix(secret.Reveal(), "whsec_")) || strings.Contains(text, "sEcReT") {
				t.Errorf("%s tells a secret: %s", name, text)
			}
		}
		if e := events[1]; e.Action != "webhook.add" || e.Actor != "admin@example.com" || e.Detail["id"] != w.ID || e.Detail["url"] != w.URL {
			t.Errorf("%+v", e)
		}
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAWebhookThatCannotBeIsRefused(t *testing.T) {
	d := storetest.SQLite(t)
	r, _ := telling(t, d, &network{})
	all := registry.Patterns{"*"}
	good := registry.Webhook{URL: "https://hooks.example.com/", Format: registry.FormatJSON, Kinds: all, Environments: all, Prompts: all}
	for name, edit := range map[string]func(*registry.Webhook){
		"http": func(w *registry.Webhook) { w.URL = "http://hooks.example.com/" }, "a private address": func(w *registry.Webhook) { w.URL = "https://10.0.0.1/" },
		"no kind": func(w *registry.Webhook) { w.Kinds = nil }, "no format": func(w *registry.Webhook) { w.Format = "" },
	} {
		w := good
		edit(&w)
		if _, _, err := r.shared.AddWebhook(by(t, "admin"), w); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range maxWebhooks {
		r.hook("hooks.example.com")
	}
	if _, _, err := r.shared.AddWebhook(by(t, "admin"), good); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("one more than the most: %v", err)
	}
	if _, _, err := replica(t, d, nil).shared.AddWebhook(by(t, "admin"), good); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("a server that tells nobody: %v", err)
	}
}
