package incipit

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/registry"
)

// redacted is a client of s that sends content through redact.
func redacted(t *testing.T, s *fakeServer, redact func(string) string) (*Client, *journal) {
	t.Helper()
	s.deploy("support", runs(t, "1.0.0", text))
	o, j := s.options(), new(journal)
	o.Logger, o.Redact = slog.New(slog.NewTextHandler(j, nil)), redact
	return connect(t, o), j
}

// sent records a call and answers what came of it.
func sent(t *testing.T, s *fakeServer, c *Client, call Call) registry.WireCall {
	t.Helper()
	c.Record(call)
	settle(2 * time.Second)
	defer s.books.set(func() { s.books.calls, s.books.order = nil, nil })
	return s.books.one(t)
}

func identity(text string) string { return text }

func TestContentLeavesOnlyThroughRedact(t *testing.T) {
	hide := func(text string) string { return strings.ReplaceAll(text, "4111 1111", "(a number)") }
	full := func(c *Client) Call {
		vars := Vars{"question": `Is "4111 1111" <mine>?`}
		p, err := c.Prompt(t.Context(), "support", "u", vars)
		if err != nil {
			t.Fatal(err)
		}
		vars["question"] = "changed by the caller"
		call := p.Call()
		call.Output = "No, 4111 1111 is not."
		return call
	}
	own := func(c *Client) Call {
		call := full(c)
		call.Input = "the whole talk about 4111 1111"
		return call
	}
	for _, x := range []struct {
		name          string
		redact        func(string) string
		call          func(*Client) Call
		input, output string
	}{
		{"without it nothing leaves", nil, full, "", ""},
		{"without it what the program wrote stays, too", nil, own, "", ""},
		{"values and answers leave redacted", hide, full, `{"question":"Is \"(a number)\" <mine>?"}`, "No, (a number) is not."},
		{"what the program wrote leaves instead of the values", hide, own, "the whole talk about (a number)", "No, (a number) is not."},
		{"the identity lets all pass", identity, full, `{"question":"Is \"4111 1111\" <mine>?"}`, "No, 4111 1111 is not."},
		{"what is not there is not redacted", func(string) string { return "(nothing)" }, func(*Client) Call { return Call{} }, "", ""},
		{"a panic lets nothing pass", func(text string) string { panic(text) }, full, `{}`, ""},
		{"a panic over one text does not hold up the other", func(text string) string {
			if strings.HasPrefix(text, "No") {
				panic(text)
			}
			return text
		}, full, `{"question":"Is \"4111 1111\" <mine>?"}`, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				c, j := redacted(t, s, x.redact)
				w := sent(t, s, c, x.call(c))
				if w.Input != x.input || w.Output != x.output {
					t.Errorf("sent were %q and %q, want %q and %q", w.Input, w.Output, x.input, x.output)
				}
				told := j.lines("Redact panicked")
				if panics := strings.Contains(x.name, "panic"); panics != (len(told) == 1) || len(j.lines("4111")) > 0 {
					t.Errorf("the log was told %q", told)
				}
			})
		})
	}
}

func TestLongTextsAreCutAfterTheyWereRedacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		long := 0
		c, _ := redacted(t, s, func(text string) string { long = max(long, len(text)); return text })
		p, err := c.Prompt(t.Context(), "support", "u", Vars{"question": strings.Repeat(`"<ü>"`, 10_000)})
		if err != nil {
			t.Fatal(err)
		}
		call := p.Call()
		call.Output = strings.Repeat("ü", 20_000)
		w := sent(t, s, c, call)
		if long != 60_000 {
			t.Errorf("Redact saw %d bytes of a text of 60,000", long)
		}
		if len(w.Output) > maxText || len(w.Output) < maxText-2 || !strings.HasSuffix(w.Output, "ü… [cut]") || !utf8.ValidString(w.Output) {
			t.Errorf("%d bytes of the output were sent, ending in %q", len(w.Output), w.Output[len(w.Output)-20:])
		}
		var values map[string]string
		if err := json.Unmarshal([]byte(w.Input), &values); err != nil || len(w.Input) > maxText || !strings.HasSuffix(values["question"], "… [cut]") || len(values["question"]) < 4000 {
			t.Errorf("%d bytes of the input were sent, of which %d are the value: %v", len(w.Input), len(values["question"]), err)
		}
	})
}

func TestWhatLeavesIsTextAndNotTooLong(t *testing.T) {
	if got := clean("a\r\nb\x00\x1b[31m\td\xff\u0085é"); got != "a\r\nb��[31m\td��é" {
		t.Errorf("got %q", got)
	}
	if got := (&border{redact: identity}).variables(object(map[string]string{"a\u009b": "x"})); got != `{"a�":"x"}` {
		t.Errorf("a name with a control character gave %q", got)
	}
	law := func(pieces []string, repeat uint16, name string) bool {
		b := border{redact: func(s string) string { return s + "\x00\xff" }}
		long := strings.Repeat(strings.Join(pieces, "\xf0\x9f"), int(repeat)%100)
		got := b.content(long)
		in := b.variables(object(map[string]string{name: long, "other": long, "": "x"}))
		for _, out := range []string{got, in} {
			if len(out) > maxText || !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }) {
				return false
			}
		}
		return in == "" && len(name) > maxText/8 || json.Valid([]byte(in))
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
	many := make(map[string]string)
	for i := range 4000 {
		many[strings.Repeat("n", i%20+1)+string(rune('a'+i%26))+strings.Repeat("m", i/26)] = "v"
	}
	if got := (&border{redact: identity}).variables(object(many)); got != "" {
		t.Errorf("of more names than there is room for %d bytes were sent", len(got))
	}
}

func TestARedactThatHangsHangsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.deploy("support", runs(t, "1.0.0", text))
		let := make(chan struct{})
		o := s.options()
		o.Redact = func(text string) string { <-let; return text }
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 3 {
			c.Record(ask(t, c, "support").Call())
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("Record took %v", took)
		}
		settle(time.Minute)
		s.deploy("support", runs(t, "1.0.1", text))
		synctest.Wait()
		if p := ask(t, c, "support"); p.Version != "1.0.1" {
			t.Errorf("%s is served", p.Version)
		}
		if st := balance(t, c, 3); st.Queued != 3 {
			t.Errorf("the status says %+v", st)
		}
		time.AfterFunc(time.Minute, func() { close(let) })
		if err := c.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "not delivered: 3") {
			t.Errorf("Close says %v", err)
		}
		balance(t, c, 3)
	})
}

func TestFeedbackReachesTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s)
		for _, x := range []struct {
			ref  string
			f    Feedback
			want string
		}{
			{"resp-1", Feedback{Score: 4.5}, `resp-1 {"score":4.5}`},
			{"resp/1?x=%2F", Feedback{Thumb: "up", Comment: "it helped"}, `resp/1?x=%2F {"comment":"it helped","thumb":"up"}`},
			{"resp-1", Feedback{Name: "relevance"}, `resp-1 {"name":"relevance","value":0}`},
			{"...", Feedback{Name: "relevance", Value: -0.5}, `... {"name":"relevance","value":-0.5}`},
		} {
			if err := c.Rate(t.Context(), x.ref, x.f); err != nil {
				t.Errorf("%+v: %v", x.f, err)
			} else if got := s.books.feedback[len(s.books.feedback)-1]; got != x.want {
				t.Errorf("the server got %s, want %s", got, x.want)
			}
		}
		for name, f := range map[string]Feedback{
			"nothing":          {},
			"two at once":      {Score: 4, Thumb: "up"},
			"no name":          {Value: 0.3},
			"a score, a value": {Score: 4, Value: 0.3},
			"a number is none": {Name: "relevance", Value: math.NaN()},
			"six of five":      {Score: 6},
			"a thumb sideways": {Thumb: "sideways"},
			"a long comment":   {Score: 4, Comment: strings.Repeat("x", 5000)},
		} {
			if err := c.Rate(t.Context(), "resp-1", f); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, ref := range []string{"", ".", "..", strings.Repeat("x", 300), "a\x00b"} {
			if err := c.Rate(t.Context(), ref, Feedback{Score: 4}); !errors.Is(err, ErrInvalid) {
				t.Errorf("the reference %q: %v", ref, err)
			}
		}
		for status, kind := range map[int]error{400: ErrInvalid, 422: ErrInvalid, 401: ErrForbidden, 403: ErrForbidden, 404: ErrNotFound, 429: ErrUnavailable, 500: ErrUnavailable} {
			s.books.set(func() {
				s.books.before = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
			})
			if err := c.Rate(t.Context(), "resp-1", Feedback{Score: 4}); !errors.Is(err, kind) {
				t.Errorf("status %d: %v", status, err)
			}
		}
		s.books.set(func() {
			s.books.before = func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }
		})
		start := time.Now()
		if err := c.Rate(t.Context(), "resp-1", Feedback{Score: 4}); !errors.Is(err, ErrUnavailable) || time.Since(start) != 30*time.Second {
			t.Errorf("a server that does not answer: %v after %v", err, time.Since(start))
		}
		shut(t, c)
		if err := c.Rate(t.Context(), "resp-1", Feedback{Score: 4}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
	c := connect(t, bundled(t, nil))
	if err := c.Rate(t.Context(), "resp-1", Feedback{Score: 4}); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "Options.Server") {
		t.Errorf("without a server: %v", err)
	}
}
