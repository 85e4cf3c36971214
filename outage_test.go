package incipit

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAnHourWithoutTheServerTakesNoPromptAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		later()
		check := &checker{s: s}
		o := s.options()
		o.CacheDir = t.TempDir()
		c := connect(t, o, func(tun *tuning) { tun.seen = check.saw })
		s.down()
		failed, asked := 0, 0
		for range 60 {
			settle(time.Minute)
			asked++
			if p := ask(t, c, "support"); p.Version != "1.0.1" || p.Source != "stream" {
				failed++
			}
		}
		if age := c.Age(); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("the age is %v after an hour", age)
		}
		if failed > 0 {
			t.Errorf("%d of %d prompts were taken away", failed, asked)
		}
		dials := s.dials.Load()
		if dials < 120 || dials > 600 {
			t.Errorf("%d attempts in an hour: that is no backoff with a cap of 30 s", dials)
		}
		s.deploy("support", runs(t, "1.0.2", text+" Again."))
		s.up()
		settle(31 * time.Second)
		check.newest(c, "after the outage")
		if age := c.Age(); age > 31*time.Second {
			t.Errorf("the age is %v with the server back", age)
		}
		t.Logf("%d prompts asked for in an hour without the server, %d failed; %d attempts to connect", asked, failed, dials)
	})
}

func TestAClientThatStartsDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		o := s.options()
		o.CacheDir = t.TempDir()
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		shut(t, c)
		s.down()
		settle(time.Hour)

		start := time.Now()
		c = connect(t, o)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("New took %v with a copy on disk, at most 2 s are allowed", took)
		}
		if p := ask(t, c, "support"); p.Source != "disk" || p.Revision != 1 || p.Version != "1.0.0" {
			t.Errorf("served: %s at revision %d from %s", p.Version, p.Revision, p.Source)
		}
		if age := c.Age(); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("the age is %v; the server was last heard an hour before", age)
		}
		if err := c.Status().Err; !errors.Is(err, ErrUnavailable) {
			t.Errorf("the status says %v", err)
		}

		empty := o
		empty.CacheDir = t.TempDir()
		start = time.Now()
		none, err := New(t.Context(), empty)
		if !errors.Is(err, ErrUnavailable) || none != nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("without a copy New answers %v, %v", none, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("New took %v to say no", took)
		}
		empty.Bundle = copyOf(t, "production", 40, time.Now().Add(-24*time.Hour), map[prompt.ID]*registry.Entry{"support": runs(t, "0.9.0", text)})
		b := connect(t, empty)
		if p := ask(t, b, "support"); p.Source != "bundle" || p.Version != "0.9.0" {
			t.Errorf("with a bundle: %s from %s", p.Version, p.Source)
		}
		if age := b.Age(); age < 24*time.Hour || age > 25*time.Hour {
			t.Errorf("the bundle is a day old, and the age is %v", age)
		}
		s.up()
		settle(31 * time.Second)
		for _, c := range []*Client{c, b} { // the bundle's revision 40 was counted elsewhere, and is no bar
			if p := ask(t, c, "support"); p.Source != "stream" || p.Version != "1.0.0" || p.Revision != 1 {
				t.Errorf("with the server back: %s at %d from %s", p.Version, p.Revision, p.Source)
			}
		}
	})
}

func TestADeadConnectionIsNoticedWithin45Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		n := 0
		s.wrap = func(c net.Conn) net.Conn {
			if n++; n == 1 {
				return cut(c, 1300, true) // half open: nothing comes, and no end of it
			}
			return c
		}
		c := connect(t, s.options())
		s.deploy("support", runs(t, "1.0.1", text+strings.Repeat(" Be brief.", 100)))
		settle(44 * time.Second)
		if n := s.connections(); n != 1 {
			t.Fatalf("there were %d connections before time", n)
		}
		settle(2 * time.Second)
		if n := s.connections(); n != 2 {
			t.Errorf("there were %d connections after 46 s", n)
		}
		if p := ask(t, c, "support"); p.Version != "1.0.1" {
			t.Errorf("%s is served over the new connection", p.Version)
		}
	})
}

func TestWhereNoStreamComesThroughTheClientPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		s.set(func() { s.buffered = true })
		check := &checker{s: s}
		start := time.Now()
		c := connect(t, s.options(), func(tun *tuning) { tun.seen = check.saw })
		if took := time.Since(start); took > 2*time.Second || ask(t, c, "support").Version != "1.0.0" {
			t.Errorf("New took %v", took)
		}
		settle(46 * time.Second)
		s.set(func() { s.asked = nil })
		for i := range 5 {
			s.deploy("support", runs(t, "1.0."+string(rune('1'+i)), text))
			settle(22500 * time.Millisecond)
			check.newest(c, "polling")
		}
		if age := c.Age(); age > 19*time.Second {
			t.Errorf("the age is %v while every poll succeeds", age)
		}
		asked := s.requests()
		for i := range asked[1:] {
			if gap := asked[i+1].Sub(asked[i]); gap < 11*time.Second || gap > 19*time.Second {
				t.Errorf("two polls were %v apart", gap)
			}
		}
		// The proxy is gone: the stream is tried again within minutes.
		s.set(func() { s.buffered, s.streams = false, 0 })
		settle(7 * time.Minute)
		if n := s.connections(); n != 1 {
			t.Errorf("the stream was tried %d times", n)
		}
		s.deploy("support", runs(t, "3.0.0", text))
		settle(time.Second)
		check.newest(c, "streaming again")
	})
}

func forbid(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"title":"not allowed","code":"forbidden","detail":"the key was revoked","fix":"ask an administrator for a new one"}`))
}

func TestARefusedKeyKeepsWhatIsServedAndIsTriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		var told spool
		o := s.options()
		o.CacheDir = t.TempDir()
		o.OnChange = told.add
		c := connect(t, o)
		s.set(func() { s.answer = forbid; s.asked = nil })
		s.down()
		s.up()
		settle(time.Hour)
		if p := ask(t, c, "support"); p.Version != "1.0.0" {
			t.Errorf("%s is served", p.Version)
		}
		if err := c.Status().Err; !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "the key was revoked; ask an administrator") {
			t.Errorf("the status says %v", err)
		}
		if n := len(s.requests()); n < 10 || n > 40 {
			t.Errorf("%d requests in an hour with a refused key", n)
		}
		if errs := told.errors(); len(errs) > 3 || !slices.ContainsFunc(errs, func(e string) bool { return strings.Contains(e, "refuses the key") }) {
			t.Errorf("the hook was told %q", errs)
		}

		start := time.Now()
		if _, err := New(t.Context(), o); !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), "secret") {
			t.Errorf("a new client with the refused key: %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v to say so", took)
		}
		// A gate before the registry is not the registry's word.
		s.set(func() {
			s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
		})
		behind := connect(t, o)
		if p := ask(t, behind, "support"); p.Source != "disk" {
			t.Errorf("behind a gate that says 403 the source is %s", p.Source)
		}

		later()
		s.set(func() { s.answer = nil }) // the key was renewed
		settle(5*time.Minute + time.Second)
		for _, c := range []*Client{c, behind} {
			if p := ask(t, c, "support"); p.Version != "1.0.1" || c.Status().Err != nil {
				t.Errorf("with the key renewed: %s, %v", p.Version, c.Status().Err)
			}
		}
	})
}

func TestGoawayAndRetryAfterAreObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		var clients []*Client
		for range 20 {
			clients = append(clients, connect(t, s.options()))
		}
		s.set(func() { s.asked = nil })
		told := time.Now()
		for range clients {
			s.bye <- 4000
		}
		settle(time.Minute)
		if n := len(s.requests()); n != len(clients) {
			t.Fatalf("%d of %d clients came back", n, len(clients))
		}
		var after []time.Duration
		for _, at := range s.requests() {
			after = append(after, at.Sub(told))
		}
		slices.Sort(after)
		if after[0] < 4*time.Second || after[19] > 8*time.Second || after[19]-after[0] < time.Second {
			t.Errorf("asked to come back after 4 s, they came at %v", after)
		}

		for _, dated := range []bool{false, true} {
			header := "120"
			if dated {
				header = time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
			}
			s.set(func() {
				s.asked = nil
				s.answer = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			s.down()
			s.up()
			settle(118 * time.Second)
			if n := len(s.requests()); n != len(clients) {
				t.Errorf("Retry-After: %s was not obeyed: %d requests", header, n)
			}
			s.set(func() { s.answer = nil })
			settle(6 * time.Minute)
		}
		for _, c := range clients {
			if c.Status().Err != nil || c.Age() > 16*time.Second {
				t.Errorf("at the end: %v, age %v", c.Status().Err, c.Age())
			}
		}
	})
}

func TestManyClientsComeBackApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		for range 100 {
			connect(t, s.options())
		}
		s.down()
		settle(10 * time.Minute)
		s.set(func() { s.asked = nil })
		s.up()
		settle(31 * time.Second)
		perSecond := make(map[int64]int)
		for _, at := range s.requests() {
			perSecond[at.Unix()]++
		}
		most := 0
		for _, n := range perSecond {
			most = max(most, n)
		}
		if len(s.requests()) != 100 || most > 20 {
			t.Errorf("%d clients came back, %d of them in one second", len(s.requests()), most)
		}
	})
}

func TestTheWallClockDoesNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		var wall atomic.Int64 // how far it is off
		o := s.options()
		o.CacheDir = t.TempDir()
		off := func(tun *tuning) {
			now := tun.clock.now
			tun.clock.now = func() time.Time { return now().Add(time.Duration(wall.Load())).Round(0) }
		}
		c := connect(t, o, off)
		for _, off := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
			wall.Store(int64(off))
			s.set(func() { s.asked = nil })
			settle(time.Minute)
			if age := c.Age(); age > 16*time.Second {
				t.Errorf("with the clock %v off, the age is %v", off, age)
			}
			if len(s.requests()) != 0 {
				t.Errorf("with the clock %v off, there were %d new connections", off, len(s.requests()))
			}
			if _, err := c.Prompt(t.Context(), "support", "u", Vars{"question": "?"}, WithMaxStaleness(time.Minute, Fail)); err != nil {
				t.Error(err)
			}
		}
		// A copy that was written by a clock a day ahead, and one a day behind.
		s.down()
		shut(t, c)
		wall.Store(int64(-48 * time.Hour)) // the copy was written at -24 h
		ahead := connect(t, o, off)
		if age := ahead.Age(); age > 3*time.Second {
			t.Errorf("a copy from the future has the age %v", age)
		}
		settle(10 * time.Minute)
		if age := ahead.Age(); age < 10*time.Minute {
			t.Errorf("ten minutes later it has the age %v", age)
		}
		wall.Store(0)
		behind := connect(t, o, off)
		if age := behind.Age(); age < 24*time.Hour || age > 25*time.Hour {
			t.Errorf("a copy from the day before has the age %v", age)
		}
		for _, c := range []*Client{ahead, behind} {
			if p := ask(t, c, "support"); p.Source != "disk" {
				t.Errorf("the source is %s", p.Source)
			}
		}
	})
}

func TestNewReturnsWhenItsContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		s.down()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := New(ctx, s.options()); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := New(ctx, s.options()); !errors.Is(err, ErrUnavailable) || time.Since(start) > 200*time.Millisecond {
			t.Errorf("after its deadline: %v, %v", err, time.Since(start))
		}
		o := s.options()
		o.Bundle = copyOf(t, "production", 1, time.Now(), map[prompt.ID]*registry.Entry{"support": runs(t, "0.9.0", text)})
		ctx2, cancel2 := context.WithTimeout(t.Context(), 100*time.Millisecond)
		c, err := New(ctx2, o)
		if err != nil {
			t.Fatal(err)
		}
		cancel2()
		s.up()
		settle(time.Minute)
		if p := ask(t, c, "support"); p.Source != "stream" {
			t.Errorf("the client stopped with the context of New: %s", p.Source)
		}
		shut(t, c)
	})
}

func TestTheCopyOnDiskIsWrittenOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		o := s.options()
		o.CacheDir = t.TempDir()
		c := connect(t, o)
		synctest.Wait()
		name, _ := filepath.Glob(filepath.Join(o.CacheDir, "*.json"))
		if len(name) != 1 {
			t.Fatalf("there are the copies %q", name)
		}
		revision := func() int64 {
			data, err := os.ReadFile(name[0])
			if err != nil {
				t.Fatal(err)
			}
			snap, _, err := registry.DecodeCopy(data)
			if err != nil {
				t.Fatal(err)
			}
			return snap.Revision
		}
		writes, last := 0, revision()
		for range 300 { // three seconds
			s.deploy("support", runs(t, "1.0.1", text))
			settle(10 * time.Millisecond)
			if now := revision(); now != last {
				writes, last = writes+1, now
			}
		}
		if writes < 2 || writes > 4 {
			t.Errorf("300 changes in 3 s were written %d times", writes)
		}
		settle(time.Second)
		if last = revision(); last != 301 {
			t.Errorf("the last state was not written: %d", last)
		}
		s.deploy("support", runs(t, "1.0.2", text))
		synctest.Wait()
		shut(t, c)
		if last = revision(); last != 302 {
			t.Errorf("Close did not write the last state: %d", last)
		}
		fi, err := os.Stat(name[0])
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("the copy has the mode %v, %v", fi.Mode(), err)
		}
	})
}
