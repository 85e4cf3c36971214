package provider

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// hostile are servers that do not answer as one should. Each is asked over
// each wire.
func hostile() map[string]struct {
	serve http.HandlerFunc
	kind  Kind
	say   string
} {
	const start = `{"choices":[{"message":{"content":"`
	var bomb bytes.Buffer
	z, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		panic(err)
	}
	for range 9 { // MiB, of which some KiB are sent
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	return map[string]struct {
		serve http.HandlerFunc
		kind  Kind
		say   string
	}{
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, start)
		}, Malformed, "cut off"},
		"half a chunked answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, start)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, Malformed, "cut off"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Unavailable, "without an answer"},
		"50 MB": {func(w http.ResponseWriter, _ *http.Request) {
			chunk := bytes.Repeat([]byte("x"), 1<<20)
			_, _ = io.WriteString(w, start)
			for range 50 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, Malformed, "larger than 8 MiB"},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, Malformed, "larger than 8 MiB"},
		"a broken archive": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip at all, as one can see")
		}, Malformed, "no answer of HTTP"},
		"an encoding that nobody asked for": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, chatOK)
		}, Malformed, `"br"`},
		"bad UTF-8": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, start+"\xff\xfe\"}}]}")
		}, Malformed, "UTF-8"},
		"a huge header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Flood", strings.Repeat("x", 1<<20))
			_, _ = io.WriteString(w, chatOK)
		}, Malformed, "header"},
		"a flood of headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 20_000 {
				w.Header().Set(fmt.Sprintf("X-Flood-%d", i), "x")
			}
			_, _ = io.WriteString(w, chatOK)
		}, Malformed, "header"},
	}
}

// wires are the specs of each wire, all to one server.
func wires(at string) []Spec {
	base := map[string]any{"apiBaseUrl": at}
	return []Spec{{ID: "openai:m", Config: base}, {ID: "openai:responses:m", Config: base}, {ID: "anthropic:m", Config: base}, {ID: at + "/ask"}}
}

func TestABadAnswerIsAnErrorOfItsKind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, tt := range hostile() {
		t.Run(name, func(t *testing.T) {
			at := handler(t, tt.serve)
			transport := NewTransport(nil)
			defer transport.CloseIdleConnections()
			for _, spec := range wires(at) {
				c := testConfig(nil)
				c.Transport = transport
				p, _ := open(t, spec, c)
				_, err := p.Call(t.Context(), ask("hi"))
				if e := failure(t, err, tt.kind); !strings.Contains(e.Text, tt.say) {
					t.Errorf("%s: %q does not say %q", spec.ID, e.Text, tt.say)
				}
			}
		})
	}
}

func TestAnAnswerThatDripsForEverEndsWithTheCall(t *testing.T) {
	at := handler(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for {
			if _, err := io.WriteString(w, " "); err != nil || r.Context().Err() != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-time.After(time.Millisecond)
		}
	})
	for _, spec := range wires(at) {
		c := testConfig(nil)
		c.Timeout, c.Idle = 200*time.Millisecond, 10*time.Second
		p, _ := open(t, spec, c)
		_, err := p.Call(t.Context(), ask("hi"))
		if e := failure(t, err, Unavailable); !strings.Contains(e.Text, "in time") || !e.Sent {
			t.Errorf("%+v", e)
		}
	}
}

func TestAnAnswerThatStopsInTheMiddleEndsTheCall(t *testing.T) {
	at := handler(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"choices":[`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, spec := range wires(at) {
		c := testConfig(nil)
		c.Timeout, c.Idle = 30*time.Second, 100*time.Millisecond
		p, _ := open(t, spec, c)
		_, err := p.Call(t.Context(), ask("hi"))
		if e := failure(t, err, Unavailable); !strings.Contains(e.Text, "stopped") || !e.Again {
			t.Errorf("%+v", e)
		}
	}
}

func TestTheCallersEndIsTheContextsError(t *testing.T) {
	at := handler(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that nobody listens
		<-r.Context().Done()
	})
	for _, spec := range wires(at) {
		p, _ := open(t, spec, testConfig(nil))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := p.Call(ctx, ask("hi"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", spec.ID, err)
		}
	}
}

func TestAnswersThatAreNoneAreMalformed(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "a page": "<html>", "null": "null", "an object": "{}", "no choices": `{"choices":[]}`, "a list": "[]", "a number": "7",
		"choices of another kind": `{"choices":"x","content":7,"output":"y"}`, "a choice that is none": `{"choices":7}`, "two values": "{} {}",
		"a bottomless pit": strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	} {
		m := serve(t, body)
		for _, spec := range wires(m.URL)[:3] {
			p, _ := open(t, spec, testConfig(nil))
			_, err := p.Call(t.Context(), ask("hi"))
			if err == nil {
				t.Errorf("%s: %s is an answer of %s", name, body, spec.ID)
				continue
			}
			fails(t, err, Malformed)
		}
	}
}

func TestAStatusSaysWhatToDo(t *testing.T) {
	for code, want := range map[int]struct {
		kind  Kind
		again bool
	}{
		400: {Rejected, false}, 401: {Denied, false}, 402: {Denied, false}, 403: {Denied, false}, 404: {Rejected, false}, 408: {Unavailable, true}, 409: {Unavailable, true},
		413: {Rejected, false}, 422: {Rejected, false}, 429: {Limited, true}, 500: {Unavailable, true}, 502: {Unavailable, true}, 503: {Unavailable, true}, 504: {Unavailable, true}, 529: {Unavailable, true},
	} {
		m := serve(t, `{"error":{"message":"no \u001b[31mway\u202e","type":"x","code":"y"}}`)
		m.code = code
		for _, spec := range wires(m.URL) {
			p, _ := open(t, spec, testConfig(nil))
			_, err := p.Call(t.Context(), ask("hi"))
			e := failure(t, err, want.kind)
			if e.Again != want.again || e.Status != code || !strings.HasPrefix(e.Text, "no ") || strings.ContainsAny(e.Text, "\x1b\u202e") {
				t.Errorf("%s: %+v", spec.ID, e)
			}
		}
		if m.count() != 4 {
			t.Errorf("%d: %d requests were sent by 4 calls", code, m.count())
		}
	}
}

func TestAnAccountWithoutCreditIsNoLimitOfRate(t *testing.T) {
	m := serve(t, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`)
	m.code = 429
	p, _ := open(t, Spec{ID: "openai:m", Config: map[string]any{"apiBaseUrl": m.URL}}, testConfig(nil))
	_, err := p.Call(t.Context(), ask("hi"))
	if e := failure(t, err, Denied); e.Again {
		t.Errorf("%+v", e)
	}
}

// A server may tell the key that it was sent; what it says is shown to people
// and written into logs.
func TestNoErrorHoldsAKey(t *testing.T) {
	for name, body := range map[string]string{
		"as it is":       `{"error":{"message":"wrong key %s!"}}`,
		"as a text":      `wrong key %s`,
		"as a plain one": `{"error":"%s"}`,
		"in a list":      `[{"error":{"message":"%s"}}]`,
		"behind much":    `{"error":{"message":"` + strings.Repeat("x", maxText-30) + `%s"}}`,
	} {
		for _, code := range []int{200, 400, 401, 429, 500} {
			at := handler(t, func(w http.ResponseWriter, r *http.Request) {
				key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + r.Header.Get("X-Api-Key")
				w.WriteHeader(code)
				_, _ = fmt.Fprintf(w, body, key)
			})
			c := testConfig(map[string]string{"OPENAI_API_KEY": canary, "OPENAI_BASE_URL": at, "ANTHROPIC_API_KEY": canary + "2", "ANTHROPIC_BASE_URL": at})
			for _, id := range []string{"openai:m", "openai:responses:m", "anthropic:m"} {
				p, _ := open(t, Spec{ID: id}, c)
				_, err := p.Call(t.Context(), ask("hi"))
				if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), canary[:leastShare]) {
					t.Errorf("%s, %d, %s: %v", name, code, id, err)
				}
			}
		}
	}
}

func TestHideTakesWholeKeysAndTheirBeginnings(t *testing.T) {
	hide := hider("sk-0123456789abcdefXYZ", "sk-0123456789abcdefXYZ-longer", "short", "")
	for in, want := range map[string]string{
		"":                              "",
		"no key at all, short":          "no key at all, short",
		"a sk-0123456789abcdefXYZ b":    "a [secret] b",
		"sk-0123456789abcdefXYZ-longer": "[secret]",
		"sk-0123456789abcdefXYZ-lon…":   "[secret]…",
		"sk-0123456789abc…":             "[secret]…",
		"sk-0123456789ab…":              "sk-0123456789ab…",
		"sk-0123456789abcdefXYZsk-0123456789abcdefXYZ": "[secret][secret]",
	} {
		if got := hide(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
