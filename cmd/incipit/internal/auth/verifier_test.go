package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A fakeStore keeps keys as the database does: each change grows the version.
type fakeStore struct {
	mu       sync.Mutex
	keys     map[string]registry.Key
	people   map[string][]registry.Grant
	version  int64
	down     error
	hangs    bool
	slow     time.Duration
	finds    int
	versions int
}

func newFakeStore() *fakeStore {
	return &fakeStore{keys: map[string]registry.Key{}, people: map[string][]registry.Grant{}}
}

func (f *fakeStore) Find(ctx context.Context, id string) (registry.Key, error) {
	if err := f.reach(ctx, &f.finds); err != nil {
		return registry.Key{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.keys[id]
	if !ok {
		return k, registry.Errorf(registry.ErrNotFound, "there is no key %s", id)
	}
	return k, nil
}

func (f *fakeStore) Version(ctx context.Context) (int64, error) {
	if err := f.reach(ctx, &f.versions); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version, nil
}

func (f *fakeStore) Person(_ context.Context, mail string) ([]registry.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.people[mail]
	if !ok {
		return nil, registry.Errorf(registry.ErrNotFound, "nobody is called %s", mail)
	}
	return g, nil
}

// reach counts a question and says what the network makes of it.
func (f *fakeStore) reach(ctx context.Context, n *int) error {
	f.mu.Lock()
	*n++
	down, hangs, slow := f.down, f.hangs, f.slow
	f.mu.Unlock()
	time.Sleep(slow)
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return down
}

func (f *fakeStore) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.version++
}

func (f *fakeStore) set(down error, hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.hangs = down, hangs
}

// add keeps a new key, and returns its text.
func (f *fakeStore) add(t *testing.T, kind, name string, more func(*registry.Key)) (string, string) {
	t.Helper()
	secret, key, err := New(kind, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key.Name = name
	if more != nil {
		more(&key)
	}
	f.change(func() { f.keys[key.ID] = key })
	return secret.Reveal(), key.ID
}

func (f *fakeStore) revoke(id string, at time.Time) {
	f.change(func() {
		k := f.keys[id]
		k.RevokedAt = at
		f.keys[id] = k
	})
}

func (f *fakeStore) verifier(more func(*VerifierConfig)) *Verifier {
	c := VerifierConfig{Find: f.Find, Version: f.Version, Person: f.Person, Now: time.Now}
	if more != nil {
		more(&c)
	}
	return NewVerifier(c)
}

func home() netip.Addr { return netip.MustParseAddr("192.0.2.7") }

func mayRead() []registry.Grant {
	return []registry.Grant{{Permissions: []registry.Permission{registry.MayRead}, Environments: []string{"*"}, Prompts: []string{"*"}}}
}

func TestAKeySaysWhoAsks(t *testing.T) {
	store := newFakeStore()
	text, id := store.add(t, CI, "pipeline", func(k *registry.Key) { k.Grants = mayRead() })
	v := store.verifier(nil)
	for _, header := range []string{"Bearer " + text, "bearer " + text, "BEARER   " + text + " "} {
		c, err := v.Authenticate(t.Context(), header, home(), "api")
		want := registry.Caller{Name: "pipeline", Key: id, Kind: CI, Grants: mayRead(), Source: "api"}
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%+v %v", c, err)
		}
	}
	if store.finds != 1 {
		t.Errorf("the store was asked %d times for one key", store.finds)
	}
}

func TestAllThatDoesNotOpenGetsOneAnswer(t *testing.T) {
	store := newFakeStore()
	good, id := store.add(t, SDK, "app", nil)
	revoked, gone := store.add(t, SDK, "old", nil)
	store.revoke(gone, time.Now().Add(time.Hour)) // by a clock that is ahead
	expired, _ := store.add(t, SDK, "older", func(k *registry.Key) { k.ExpiresAt = time.Now().Add(-time.Second) })
	parts := strings.Split(good, "_")

	attempts := map[string]string{
		"revoked":                          revoked,
		"expired":                          expired,
		"unknown":                          keyText(SDK, "abcdefghij23", canary),
		"the right id, another secret":     keyText(SDK, id, canary),
		"the same secret in another kind":  keyText(Admin, id, parts[3]),
		"the same secret under another id": keyText(SDK, "abcdefghij23", parts[3]),
	}
	for what, text := range guesses() {
		if text != "" {
			attempts[what] = text
		}
	}
	var log strings.Builder
	want := said(unauthenticated())
	asked := 0
	for what, text := range attempts {
		v := store.verifier(func(c *VerifierConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		if _, err := v.Authenticate(t.Context(), "Bearer "+good, home(), "api"); err != nil {
			t.Fatal(err) // so that the good one is known, which must not matter
		}
		before := store.finds
		for _, header := range []string{"Bearer " + text, "Basic " + text} {
			c, err := v.Authenticate(t.Context(), header, home(), "api")
			if said(err) != want || !errors.Is(err, ErrUnauthenticated) || !errors.Is(err, registry.ErrForbidden) || Status(err) != 401 || c.Name != "" {
				t.Errorf("%s: %+v %v", what, c, err)
			}
		}
		if _, err := parse(text); err != nil && store.finds != before {
			t.Errorf("%s: the store was asked for what is no key", what)
		}
		asked += store.finds - before
	}
	if asked == 0 {
		t.Error("no attempt came as far as the store: the table is wrong")
	}
	for _, why := range []string{"revoked", "expired", "unknown", "malformed", "wrong secret"} {
		if !strings.Contains(log.String(), why) {
			t.Errorf("the log does not say %s", why)
		}
	}
	assertSilent(t, "the log", log.String(), canary[:8], parts[3][:8], strings.Split(revoked, "_")[3][:8], "pg_sleep")

	_, err := store.verifier(nil).Authenticate(t.Context(), "", home(), "api")
	if !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("no key: %v", err)
	}
}

// said is all that a person reads of an error.
func said(err error) string {
	if err == nil {
		return ""
	}
	fix, ok := errors.AsType[*registry.FixError](err)
	if !ok {
		return err.Error()
	}
	return err.Error() + "\n" + fix.Fix
}

func TestFailuresAreLimitedByAddressAndGoodKeysAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		good, id := store.add(t, SDK, "app", nil)
		other, _ := store.add(t, SDK, "another app", nil)
		v := store.verifier(nil)
		as := func(text, addr string) error {
			_, err := v.Authenticate(t.Context(), "Bearer "+text, netip.MustParseAddr(addr), "api")
			return err
		}
		guess := keyText(SDK, "abcdefghij23", canary)
		if err := as(good, "192.0.2.7"); err != nil {
			t.Fatal(err)
		}
		for i := range failureBurst {
			if err := as(guess, "192.0.2.7"); !errors.Is(err, ErrUnauthenticated) {
				t.Fatalf("failure %d: %v", i, err)
			}
		}
		finds := store.finds
		if err := as(keyText(SDK, id, canary), "192.0.2.7"); !errors.Is(err, ErrTooMany) {
			t.Errorf("a guess at a key that is known: %v", err)
		}
		for range 100 {
			err := as(guess, "::ffff:192.0.2.7") // the same address
			slow, ok := errors.AsType[*TooManyError](err)
			if !ok || !errors.Is(err, ErrTooMany) || !errors.Is(err, registry.ErrUnavailable) || Status(err) != 429 || slow.RetryAfter() != 1 {
				t.Fatalf("the %dth: %v", failureBurst+1, err)
			}
		}
		if store.finds != finds {
			t.Error("the store was asked for a limited address")
		}
		if err := as(good, "192.0.2.7"); err != nil {
			t.Errorf("a key that was good is locked out by its neighbor: %v", err)
		}
		if err := as(other, "192.0.2.7"); !errors.Is(err, ErrTooMany) {
			t.Errorf("a key that was never seen: %v", err)
		}
		if err := as(guess, "192.0.2.8"); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("another address: %v", err)
		}

		time.Sleep(failureEvery)
		if err := as(guess, "192.0.2.7"); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("after the wait: %v", err)
		}
		if err := as(guess, "192.0.2.7"); !errors.Is(err, ErrTooMany) {
			t.Errorf("and once more: %v", err)
		}
		time.Sleep(failureEvery)
		if err := as(other, "192.0.2.7"); err != nil {
			t.Errorf("a good key after the wait: %v", err)
		}
		// MaxAge has passed twice: the known key is looked up, not limited
		for range failureBurst {
			_ = as(guess, "192.0.2.7")
		}
		time.Sleep(100 * time.Millisecond)
		store.change(func() {})
		time.Sleep(2 * defaultMaxAge / 3)
		for range 2 * failureBurst {
			_ = as(guess, "192.0.2.7")
		}
		if err := as(good, "192.0.2.7"); err != nil {
			t.Errorf("a known key that must be read again: %v", err)
		}

		for i := range failureBurst { // one customer has 2^64 addresses
			_ = as(guess, netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 15: byte(i)}).String())
		}
		if err := as(guess, "2001::ffff:1"); !errors.Is(err, ErrTooMany) {
			t.Errorf("another address of one network: %v", err)
		}
		if err := as(guess, "2001:0:0:1::1"); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("another network: %v", err)
		}
	})
}

func TestAMillionAddressesDoNotFillTheMemory(t *testing.T) {
	l := newLimiter()
	now := time.Now()
	for i := range 50_000 {
		l.fail(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
		if n := len(l.of.now) + len(l.of.old); n > 2*failureAddrs {
			t.Fatalf("%d addresses are kept", n)
		}
	}
	for range 2 * failureBurst {
		l.fail(netip.Addr{}, now)
	}
	if l.wait(netip.Addr{}, now) < failureEvery {
		t.Error("a request without an address is not limited")
	}
}

func TestARecentKeepsWhatIsUsed(t *testing.T) {
	r := newRecent[int, int](10)
	r.put(-1, 42)
	for i := range 1000 {
		if v, ok := r.get(-1); !ok || v != 42 {
			t.Fatalf("lost after %d", i)
		}
		if _, was := r.getOr(i, func() int { return i }); was {
			t.Fatal("it was there already")
		}
		if v, was := r.getOr(i, func() int { return -i - 1 }); !was || v != i {
			t.Fatal("it was made twice")
		}
	}
	r.drop(-1)
	if _, ok := r.get(-1); ok {
		t.Error("dropped, and there")
	}
}

// TestARevokedKeyEndsWithinFiveSeconds opens streams on two replicas and
// revokes their keys at every moment of the cycle.
func TestARevokedKeyEndsWithinFiveSeconds(t *testing.T) {
	for name, with := range map[string]func(*VerifierConfig){
		"with a version":    nil,
		"without a version": func(c *VerifierConfig) { c.Version = nil },
	} {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			for offset := time.Duration(0); offset < 6*time.Second; offset += 97 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					store := newFakeStore()
					stays, _ := store.add(t, SDK, "stays", nil)
					text, id := store.add(t, SDK, "app", nil)
					revoked := make(chan time.Time, 1)
					var streams sync.WaitGroup
					ended := make([]time.Time, 2)
					for i := range ended {
						v := store.verifier(with)
						c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
						if err != nil {
							t.Fatal(err)
						}
						streams.Go(func() {
							for {
								time.Sleep(Recheck)
								if _, err := v.Authenticate(t.Context(), "Bearer "+stays, home(), "api"); err != nil {
									t.Errorf("another key: %v", err)
								}
								if _, err := v.Valid(t.Context(), c); err != nil {
									if !errors.Is(err, ErrUnauthenticated) {
										t.Errorf("it ended with %v", err)
									}
									ended[i] = time.Now()
									break
								}
							}
							if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); !errors.Is(err, ErrUnauthenticated) {
								t.Errorf("after the end of the stream: %v", err)
							}
						})
						time.Sleep(311 * time.Millisecond)
					}
					time.Sleep(offset)
					store.revoke(id, time.Now())
					revoked <- time.Now()
					streams.Wait()
					at := <-revoked
					for _, end := range ended {
						worst = max(worst, end.Sub(at))
						if end.Before(at) {
							t.Error("a stream ended before its key was revoked")
						}
					}
				})
			}
			t.Logf("worst: %v", worst)
			if worst > 5*time.Second || worst == 0 {
				t.Errorf("a revoked key lasted %v", worst)
			}
		})
	}
}

func TestAKeyExpiresToTheMomentAlsoInAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, _ := store.add(t, SDK, "app", func(k *registry.Key) { k.ExpiresAt = time.Now().Add(time.Hour) })
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if _, err := v.Valid(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("the stream: %v", err)
		}
		if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("a request: %v", err)
		}
	})
}

func TestWhileTheStoreIsDownKnownKeysWorkForFiveMinutes(t *testing.T) {
	for name, fail := range map[string]func(*fakeStore){
		"it says so":      func(f *fakeStore) { f.set(registry.Errorf(registry.ErrUnavailable, "restarting"), false) },
		"it says nothing": func(f *fakeStore) { f.set(nil, true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				known, _ := store.add(t, SDK, "known", nil)
				unknown, _ := store.add(t, SDK, "not seen yet", nil)
				short, _ := store.add(t, SDK, "short", func(k *registry.Key) { k.ExpiresAt = time.Now().Add(time.Minute) })
				v := store.verifier(nil)
				c, err := v.Authenticate(t.Context(), "Bearer "+known, home(), "api")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := v.Authenticate(t.Context(), "Bearer "+short, home(), "api"); err != nil {
					t.Fatal(err)
				}
				fail(store)
				for start := time.Now(); time.Since(start) < Grace-5*time.Second; { // a question may take a second
					time.Sleep(Recheck / 2)
					if _, err := v.Valid(t.Context(), c); err != nil {
						t.Fatalf("the stream was cut: %v", err)
					}
					if _, err := v.Authenticate(t.Context(), "Bearer "+unknown, home(), "api"); !errors.Is(err, registry.ErrUnavailable) {
						t.Fatalf("a key that was never seen: %v", err)
					}
				}
				if _, err := v.Authenticate(t.Context(), "Bearer "+short, home(), "api"); !errors.Is(err, ErrUnauthenticated) {
					t.Errorf("it expired meanwhile: %v", err)
				}
				if _, err := v.Authenticate(t.Context(), "Bearer "+keyText(SDK, c.Key, canary), home(), "api"); err == nil {
					t.Error("another secret opens while the store is down")
				}
				time.Sleep(Grace)
				if _, err := v.Valid(t.Context(), c); !errors.Is(err, registry.ErrUnavailable) {
					t.Errorf("after five minutes: %v", err)
				}
				store.set(nil, false)
				time.Sleep(askAgain)
				if _, err := v.Valid(t.Context(), c); err != nil {
					t.Errorf("the store is back: %v", err)
				}
			})
		})
	}
}

func TestAKeyRevokedWhileTheStoreWasAwayEndsWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, id := store.add(t, SDK, "app", nil)
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		store.set(registry.Errorf(registry.ErrUnavailable, "cut off"), false)
		time.Sleep(time.Minute)
		store.revoke(id, time.Now())
		if _, err := v.Valid(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		store.set(nil, false)
		time.Sleep(askAgain)
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%v", err)
		}
		store.set(registry.Errorf(registry.ErrUnavailable, "cut off"), false)
		time.Sleep(defaultMaxAge)
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("the store is away again, and the revoked key: %v", err)
		}
	})
}

func TestAStoreThatFailsOtherwiseOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, _ := store.add(t, SDK, "app", nil)
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("the row is damaged")
		store.set(broken, false)
		time.Sleep(defaultMaxAge)
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

func TestARevocationWithoutANewVersionIsSeenWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, id := store.add(t, SDK, "app", nil)
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		store.revoke(id, time.Now())
		store.version-- // somebody's own SQL
		time.Sleep(rereadAfter)
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%v", err)
		}
	})
}

func TestAThousandStreamsAskForOneNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		v := store.verifier(nil)
		var callers []registry.Caller
		for range 1000 {
			text, _ := store.add(t, SDK, "app", nil)
			c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
			if err != nil {
				t.Fatal(err)
			}
			callers = append(callers, c)
		}
		time.Sleep(defaultMaxAge)
		for _, c := range callers {
			if _, err := v.Valid(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		store.finds, store.versions = 0, 0
		for range 30 {
			time.Sleep(Recheck)
			var all sync.WaitGroup
			for _, c := range callers {
				all.Go(func() {
					if _, err := v.Valid(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		t.Logf("in 30 s: %d versions, %d keys", store.versions, store.finds)
		if store.versions > 20 || store.finds > 0 {
			t.Errorf("the store was asked for %d versions and %d keys", store.versions, store.finds)
		}
	})
}

// TestNobodyWaitsForASlowStoreButTheOneWhoAsks has a store that takes almost
// as long as it may, and streams that must still end in time.
func TestNobodyWaitsForASlowStoreButTheOneWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, id := store.add(t, SDK, "app", nil)
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		store.slow = askTimeout - 10*time.Millisecond
		var mu sync.Mutex
		waited, worst, revoked := 0, time.Duration(0), time.Time{}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * Recheck / 100)
				for {
					began := time.Now()
					_, err := v.Valid(t.Context(), c)
					mu.Lock()
					if time.Since(began) > 0 {
						waited++
					}
					if err != nil {
						worst = max(worst, time.Since(revoked))
						mu.Unlock()
						return
					}
					mu.Unlock()
					time.Sleep(Recheck)
				}
			})
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		mu.Lock()
		t.Logf("in 30 s, of 3000 questions %d waited", waited)
		if waited == 0 || waited > 20 {
			t.Errorf("%d waited", waited)
		}
		revoked = time.Now()
		mu.Unlock()
		store.revoke(id, time.Now())
		all.Wait()
		t.Logf("worst: %v", worst)
		if worst > 5*time.Second {
			t.Errorf("a revoked key lasted %v", worst)
		}
	})
}

func TestManyWhoComeAtOnceAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, _ := store.add(t, SDK, "app", nil)
		v := store.verifier(nil)
		store.slow = 100 * time.Millisecond
		var all sync.WaitGroup
		for range 100 { // nothing is known yet: they have to wait
			all.Go(func() {
				if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); err != nil {
					t.Error(err)
				}
			})
		}
		gone, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		all.Go(func() {
			time.Sleep(time.Millisecond)
			if _, err := v.Authenticate(gone, "Bearer "+text, home(), "api"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who cannot wait so long: %v", err)
			}
		})
		all.Wait()
		if store.versions != 1 {
			t.Errorf("the version was asked %d times", store.versions)
		}
		store.set(nil, true)
		time.Sleep(defaultMaxAge)
		began := time.Now()
		for range 100 {
			all.Go(func() {
				if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); err != nil {
					t.Errorf("while the store hangs: %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 2*askTimeout {
			t.Errorf("they waited %v, one behind the other", took)
		}
	})
}

func TestTheGrantsOfASessionFollowThePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, _ := store.add(t, Person, "ann@example.com", func(k *registry.Key) { k.Grants = mayRead() })
		v := store.verifier(nil)
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "ui")
		if err != nil || !c.Person || len(c.Grants) != 0 {
			t.Fatalf("nobody granted anything: %+v %v", c, err)
		}
		c.Request = "r1"
		store.change(func() { store.people["ann@example.com"] = mayRead() })
		time.Sleep(defaultMaxAge)
		if c, err = v.Valid(t.Context(), c); err != nil || len(c.Grants) != 1 || c.Request != "r1" || c.Source != "ui" {
			t.Errorf("granted: %+v %v", c, err)
		}
		store.change(func() { delete(store.people, "ann@example.com") })
		time.Sleep(defaultMaxAge)
		if c, err = v.Valid(t.Context(), c); err != nil || len(c.Grants) != 0 {
			t.Errorf("taken away: %+v %v", c, err)
		}
	})
}

func TestACallerWithoutAKeyIsNotValid(t *testing.T) {
	v := newFakeStore().verifier(nil)
	for _, c := range []registry.Caller{{}, {Name: "local", Source: "local"}, {Key: "abcdefghij23"}} {
		if _, err := v.Valid(t.Context(), c); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestARequestThatIsGivenUpSaysNothingOfTheStore(t *testing.T) {
	store := newFakeStore()
	text, _ := store.add(t, SDK, "app", nil)
	v := store.verifier(nil)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	store.set(nil, true)
	if _, err := v.Authenticate(gone, "Bearer "+text, home(), "api"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	store.set(nil, false)
	if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); err != nil {
		t.Errorf("the next request: %v", err)
	}
}
