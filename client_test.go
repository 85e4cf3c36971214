package incipit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// bundled are the options of a client that has a bundle alone.
func bundled(t testing.TB, entries map[prompt.ID]*registry.Entry) Options {
	t.Helper()
	return Options{Bundle: copyOf(t, "production", 7, time.Now(), entries), Logger: quiet()}
}

func TestAPromptSaysWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		stable, candidate := made("1.0.0", text), made("1.1.0", text+" Be brief.")
		s.deploy("support", canary(t, stable, candidate, 25_000))
		c := connect(t, s.options())
		arms := make(map[string]int)
		calls := make(map[string]bool)
		for i := range 2000 {
			subject := fmt.Sprintf("user-%d", i)
			p, err := c.Prompt(t.Context(), "support", Subject(subject), Vars{"question": "Where is {{it}}?"})
			if err != nil {
				t.Fatal(err)
			}
			arm := s.entries["support"].Rollout.Assign(subject)
			if p.Arm != arm.Name || p.Version != arm.Version.String() || p.Digest != arm.Digest || p.Commit != "c0ffee" {
				t.Fatalf("%s got %s %s, want %s", subject, p.Arm, p.Version, arm.Name)
			}
			if p.ID != "support" || p.Environment != "production" || p.Revision != 1 || p.Source != "stream" || p.Model != "test-model-1" ||
				string(p.Parameters) != `{"temperature":0.2}` || len(p.Messages) != 2 || p.Messages[1] != (Message{"user", "Where is {{it}}?"}) {
				t.Fatalf("got %+v", p)
			}
			calls[p.CallID] = true
			arms[p.Arm]++
			share := map[string]float64{"candidate": 25, "stable": 75}[p.Arm]
			if call := p.Call(); call.ID != p.CallID || call.Rollout != "support#7" || call.Share != share || call.Subject != subject || call.Prompt != "support" || call.Model != p.Model {
				t.Fatalf("the call starts as %+v", call)
			}
		}
		if len(calls) != 2000 || arms["candidate"] < 400 || arms["candidate"] > 600 {
			t.Errorf("%d call ids, arms %v", len(calls), arms)
		}
		drawn := make(map[string]int)
		for range 200 { // without a subject each request is its own
			p, err := c.Prompt(t.Context(), "support", "", Vars{"question": "?"})
			if err != nil {
				t.Fatal(err)
			}
			drawn[p.Arm]++
		}
		if len(drawn) != 2 {
			t.Errorf("without a subject: %v", drawn)
		}
	})
}

func TestErrorsSayWhatToTry(t *testing.T) {
	c := connect(t, bundled(t, map[prompt.ID]*registry.Entry{"support": runs(t, "1.0.0", text)}))
	for _, x := range []struct {
		name string
		id   string
		vars Vars
		opts []PromptOption
		kind error
		says string
	}{
		{"an unknown prompt", "billing", nil, nil, ErrNotFound, "incipit deploy billing@VERSION --env production"},
		{"no prompt id", "Not An Id", nil, nil, ErrInvalid, "prompt id"},
		{"a value is missing", "support", nil, nil, ErrInvalid, "support@1.0.0: the variables are not valid: variable question is missing"},
		{"a value too many", "support", Vars{"question": "?", "mood": "bad"}, nil, ErrInvalid, "variable mood is not declared"},
		{"a range that is none", "support", Vars{"question": "?"}, []PromptOption{WithVersion("banana")}, ErrInvalid, "version range"},
		{"a range that nothing is in", "support", Vars{"question": "?"}, []PromptOption{WithVersion("^2")}, ErrNotFound, "support runs as 1.0.0, and this program asks for ^2"},
	} {
		_, err := c.Prompt(t.Context(), x.id, "u", x.vars, x.opts...)
		if !errors.Is(err, x.kind) || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v, want something about %q", x.name, err, x.says)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Prompt(canceled, "support", "u", Vars{"question": "?"}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	bundle := copyOf(t, "production", 1, time.Now(), map[prompt.ID]*registry.Entry{})
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"nothing":                       {Options{}, "set Server, Dir or Bundle"},
		"a server and a directory":      {Options{Server: "http://x", Dir: ".", Environment: "p"}, "choose one"},
		"a server and no environment":   {Options{Server: "http://x"}, "no Environment"},
		"an address without a scheme":   {Options{Server: "incipit.example.com", Environment: "p"}, "https://"},
		"a password in the address":     {Options{Server: "http://u:hunter2@x", Environment: "p"}, "Options.Key"},
		"a broken address":              {Options{Server: "http://u:hunter2@x:y", Environment: "p"}, "no address"},
		"a query in the address":        {Options{Server: "http://x?key=hunter2", Environment: "p"}, "query"},
		"a bundle that is none":         {Options{Bundle: []byte("{}")}, "incipit bundle"},
		"a bundle of another":           {Options{Bundle: bundle, Environment: "staging"}, "incipit bundle --env staging"},
		"a directory that is not there": {Options{Dir: "testdata/nowhere"}, "holds prompts/"},
	} {
		client, err := New(t.Context(), c.o)
		if err == nil || client != nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", name, client, err)
		}
	}
}

func TestARetiredPromptIsATombstone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		later()
		var told spool
		o := s.options()
		o.OnChange = told.add
		plain := connect(t, s.options())
		o.Bundle = copyOf(t, "production", 2, time.Now().Add(-time.Hour), map[prompt.ID]*registry.Entry{"support": runs(t, "0.9.0", text), "early": runs(t, "0.1.0", text)})
		c := connect(t, o)
		s.deploy("support", retired())
		synctest.Wait()
		_, err := plain.Prompt(t.Context(), "support", "u", Vars{"question": "?"})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "retired in production, as of revision 4") {
			t.Errorf("without a bundle: %v", err)
		}
		if p := ask(t, c, "support"); p.Source != "bundle" || p.Version != "0.9.0" || p.Revision != 2 {
			t.Errorf("with a bundle: %s at %d from %s", p.Version, p.Revision, p.Source)
		}
		if p := ask(t, c, "early"); p.Source != "bundle" {
			t.Errorf("what was never deployed is served from %s", p.Source)
		}
		for _, c := range []*Client{plain, c} {
			if p := ask(t, c, "billing/refunds"); p.Source != "stream" || p.Revision != 4 {
				t.Errorf("the prompt beside it: revision %d from %s", p.Revision, p.Source)
			}
		}
		if got := told.all(); len(got) != 1 || fmt.Sprint(got[0].Removed, got[0].Changed, got[0].Revision) != "[support] [] 4" {
			t.Errorf("the hook was told %+v", got)
		}
		_, err = c.Prompt(t.Context(), "support", "u", Vars{"question": "?"}, WithMaxStaleness(time.Minute, Fail))
		if !errors.Is(err, ErrStale) {
			t.Errorf("the bundle is an hour old, and one minute is allowed: %v", err)
		}
		s.deploy("support", runs(t, "2.0.0", text))
		synctest.Wait()
		if p := ask(t, c, "support"); p.Version != "2.0.0" {
			t.Errorf("deployed again, %s is served", p.Version)
		}
	})
}

func TestAVersionRangeIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.deploy("support", canary(t, made("1.4.0", text), made("2.0.0", text+" New."), registry.Scale/2))
		o := s.options()
		o.Bundle = copyOf(t, "production", 1, time.Now(), map[prompt.ID]*registry.Entry{"support": runs(t, "1.2.0", text)})
		c := connect(t, o)
		count := func(opts ...PromptOption) map[string]int {
			got := make(map[string]int)
			for i := range 100 {
				p, err := c.Prompt(t.Context(), "support", Subject(fmt.Sprint(i)), Vars{"question": "?"}, opts...)
				if err != nil {
					got[err.Error()]++
					continue
				}
				got[p.Version+" "+p.Arm+" "+p.Source]++
			}
			return got
		}
		if got := count(); len(got) != 2 {
			t.Errorf("without a range: %v", got)
		}
		if got := count(WithVersion("^1")); got["1.4.0 stable stream"] != 100 {
			t.Errorf("^1 during the rollout of 2.0.0: %v", got)
		}
		if got := count(WithVersion(">=1.4")); len(got) != 2 {
			t.Errorf(">=1.4, which both are in: %v", got)
		}
		s.deploy("support", runs(t, "2.0.0", text+" New."))
		synctest.Wait()
		if got := count(WithVersion("^1")); got["1.2.0 stable bundle"] != 100 {
			t.Errorf("^1 where 2.0.0 runs: %v", got)
		}
		if got := count(WithVersion("^3")); len(got) != 1 || got["2.0.0 stable stream"] != 0 {
			t.Errorf("^3 where 2.0.0 runs: %v", got)
		}
	})
}

func TestStalenessIsSeenAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		c := connect(t, s.options())
		get := func(older Staleness) (Prompt, error) {
			return c.Prompt(t.Context(), "support", "u", Vars{"question": "?"}, WithMaxStaleness(5*time.Minute, older))
		}
		settle(time.Hour) // nothing changes, and the server is heard
		if p, err := get(Fail); err != nil || p.Stale || c.Age() > 15*time.Second {
			t.Errorf("with the server there: %v, age %v", err, c.Age())
		}
		s.down()
		settle(4 * time.Minute)
		if p, err := get(Fail); err != nil || p.Stale {
			t.Errorf("after 4 minutes: %v", err)
		}
		settle(2 * time.Minute)
		if _, err := get(Fail); !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "at most 5m0s") {
			t.Errorf("after 6 minutes: %v", err)
		}
		if p, err := get(Serve); err != nil || !p.Stale || p.Version != "1.0.0" {
			t.Errorf("after 6 minutes, to be served: %v, stale %v", err, p.Stale)
		}
		s.up()
		settle(31 * time.Second)
		if p, err := get(Fail); err != nil || p.Stale {
			t.Errorf("with the server back: %v", err)
		}
	})
}

func TestOverridesAreAnsweredAsTheyStand(t *testing.T) {
	o := Options{Logger: quiet(), Overrides: map[string]Prompt{
		"support": {Version: "1.5.0", Model: "fake", Messages: []Message{{"system", "Say {{x}}."}}},
		"fixed":   {CallID: "call-1"},
	}}
	c := connect(t, o)
	p, err := c.Prompt(t.Context(), "support", "u", Vars{"whatever": "1"}, WithVersion("^1"))
	if err != nil || p.Source != "override" || p.ID != "support" || p.Messages[0].Content != "Say {{x}}." || p.CallID == "" {
		t.Errorf("got %+v, %v", p, err)
	}
	p.Messages[0].Content = "changed by the caller"
	if p, _ = c.Prompt(t.Context(), "support", "u", nil); p.Messages[0].Content != "Say {{x}}." {
		t.Error("a caller changed the override")
	}
	if _, err := c.Prompt(t.Context(), "support", "u", nil, WithVersion("^2")); !errors.Is(err, ErrNotFound) {
		t.Errorf("outside of the range: %v", err)
	}
	if p, _ := c.Prompt(t.Context(), "fixed", "u", nil); p.CallID != "call-1" {
		t.Errorf("a call id that was set became %q", p.CallID)
	}
	if _, err := c.Prompt(t.Context(), "other", "u", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a prompt without an override: %v", err)
	}
}

func TestTheHookIsToldOfChangesAndMayPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		var told spool
		o := s.options()
		o.OnChange = func(c Change) { told.add(c); panic("a mistake in the program") }
		c := connect(t, o)
		later()
		synctest.Wait()
		got := told.all()
		if len(got) != 2 || fmt.Sprint(got[0].Changed, got[1].Changed) != "[billing/refunds] [support]" || got[1].Revision != 3 || got[1].Source != "stream" {
			t.Errorf("the hook was told %+v", got)
		}
		if p := ask(t, c, "support"); p.Version != "1.0.1" {
			t.Errorf("after the panic %s is served", p.Version)
		}
	})
}

// A deafTransport does not heed its context until it is told to.
type deafTransport struct{ hear chan struct{} }

func (d deafTransport) RoundTrip(*http.Request) (*http.Response, error) {
	<-d.hear
	return nil, errors.New("at last")
}

func TestCloseReturnsByItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := deafTransport{make(chan struct{})}
		o := bundled(t, map[prompt.ID]*registry.Entry{"support": runs(t, "1.0.0", text)})
		o.Server, o.Environment, o.CacheDir, o.HTTPClient = "http://incipit.test", "production", "-", &http.Client{Transport: deaf}
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		c.Record(Call{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err = c.Close(ctx)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Close took %v with a deadline of 3 s", took)
		}
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "not delivered: 1") || !strings.Contains(err.Error(), "did not end in time") {
			t.Errorf("Close says %v", err)
		}
		close(deaf.hear)
		synctest.Wait()
		if err := c.Close(t.Context()); err == nil || strings.Contains(err.Error(), "in time") {
			t.Errorf("once it has ended, Close says %v", err)
		}
	})
}

func TestAfterCloseTheLastKnownIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		c, err := New(t.Context(), s.options())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			shut(t, c)
		}
		s.deploy("support", runs(t, "9.0.0", text))
		settle(time.Hour)
		if p := ask(t, c, "support"); p.Version != "1.0.0" {
			t.Errorf("%s is served after Close", p.Version)
		}
	})
}

func TestAHundredCallersDuringUpdates(t *testing.T) {
	s, _ := threeEvents(t)
	check := &checker{s: s}
	tun := defaultTuning()
	tun.seen = check.saw
	c, err := open(t.Context(), s.options(), tun)
	if err != nil {
		t.Fatal(err)
	}
	const updates = 200
	var callers sync.WaitGroup
	var recorded atomic.Int64
	stop := make(chan struct{})
	for i := range 100 {
		callers.Go(func() {
			last := int64(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := c.Prompt(context.Background(), "support", Subject(fmt.Sprint(i)), Vars{"question": "?"})
				if err != nil {
					t.Error(err)
					return
				}
				// Each text says which version it is: the two must agree.
				if p.Revision < last || !strings.HasSuffix(p.Messages[0].Content, p.Version) && p.Revision > 1 {
					t.Errorf("revision %d after %d, version %s with the text %q", p.Revision, last, p.Version, p.Messages[0].Content)
					return
				}
				last = p.Revision
				c.Record(p.Call())
				recorded.Add(1)
				_, _ = c.Age(), c.Status()
			}
		})
	}
	for i := range updates {
		v := fmt.Sprintf("1.%d.0", i+1)
		s.deploy("support", canary(t, made(v, text+v), made(fmt.Sprintf("1.%d.1", i+1), text+fmt.Sprintf("1.%d.1", i+1)), registry.Scale/2))
	}
	newest := func() bool { return c.Status().Revision == updates+1 }
	for deadline := time.Now().Add(time.Minute); !newest() && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	close(stop)
	callers.Wait()
	check.newest(c, "after the updates")
	_ = c.Close(context.Background()) // so many calls at once are more than the queue holds
	if st := balance(t, c, recorded.Load()); st.Delivered != s.books.taken() || st.Delivered == 0 || st.Queued+st.Rejected != 0 {
		t.Errorf("%d calls were recorded, %d came, and the client says %+v", recorded.Load(), s.books.taken(), st)
	}
	s.books.check(t)
}
