package provider

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Too many requests, for ever: the call ends, says so, and has cost nothing.
func TestTooManyRequestsForEverEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{id: "p", answer: func(Request, int) (Response, error) {
			return Response{}, &Error{Kind: Limited, Provider: "p", Status: 429, Again: true, After: 7 * time.Second, Text: "slow down", Fix: "wait"}
		}}
		b := NewBudget(BudgetConfig{MaxCalls: 100})
		began := time.Now()
		_, err := Around{Now: time.Now, Budget: b, Retry: Retry{Attempts: 4}}.Wrap(p).Call(t.Context(), ask("hi"))
		if e := failure(t, err, Limited); e.Text != "slow down, 4 times" || p.calls.Load() != 4 || time.Since(began) != 21*time.Second {
			t.Errorf("%+v after %d calls in %s", e, p.calls.Load(), time.Since(began))
		}
		if cost, calls, tokens := b.Spent(); cost != 0 || calls != 4 || tokens != 0 {
			t.Error(cost, calls, tokens)
		}
	})
}

// The same with a real server and a real clock.
func TestAServerThatRecoversIsAskedAgain(t *testing.T) {
	var n atomic.Int32
	at := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1:
			w.Header().Set("Retry-After-Ms", "5")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(529)
		case 3:
			panic(http.ErrAbortHandler)
		default:
			_, _ = w.Write([]byte(chatOK))
		}
	})
	p, _ := open(t, Spec{ID: "openai:m", Config: map[string]any{"apiBaseUrl": at}}, testConfig(nil))
	got, err := Around{Now: time.Now, Retry: Retry{Base: 2 * time.Millisecond}}.Wrap(p).Call(t.Context(), ask("hi"))
	if err != nil || got.Output != "Hello." || n.Load() != 4 {
		t.Errorf("%+v, %v after %d requests", got, err, n.Load())
	}
}

func TestTheConfigSaysHowOftenToTry(t *testing.T) {
	m := serve(t, `{}`)
	m.code = 503
	p, _ := open(t, Spec{ID: "openai:m", Config: map[string]any{"apiBaseUrl": m.URL, "maxRetries": 1}}, testConfig(nil))
	_, err := Around{Now: time.Now, Retry: Retry{Base: time.Millisecond}}.Wrap(p).Call(t.Context(), ask("hi"))
	fails(t, err, Unavailable)
	if m.count() != 2 {
		t.Errorf("%d requests", m.count())
	}
}

func TestACallIsMadeOnlyWithinTheBudget(t *testing.T) {
	r := ask("hi")
	r.Model, r.Parameters = "gpt-4o", json.RawMessage(`{"max_tokens":1000}`) // up to $0.01 a call, and $0.000075 in truth
	run := func(b *Budget, p Provider, r Request, n int) (answered int, last error) {
		w := Around{Now: time.Now, Budget: b, Retry: Retry{Attempts: 1}}.Wrap(p)
		for range n {
			if _, err := w.Call(t.Context(), r); err != nil {
				last = err
				continue
			}
			answered++
		}
		return answered, last
	}
	b := NewBudget(BudgetConfig{MaxCost: 0.0102})
	answered, err := run(b, counting("openai:chat"), r, 10)
	if e := failure(t, err, OverBudget); answered != 3 || e.Again { // the fourth could pass it
		t.Errorf("%d answered; %+v", answered, e)
	}
	if cost, calls, tokens := b.Spent(); math.Abs(cost-3*0.000075) > 1e-12 || calls != 3 || tokens != 45 {
		t.Error(cost, calls, tokens)
	}
	// A call that broke off may be charged for.
	b = NewBudget(BudgetConfig{MaxCost: 1})
	_, err = run(b, &fake{id: "openai:chat", answer: func(Request, int) (Response, error) { return Response{}, garbled("p", "cut off") }}, r, 1)
	fails(t, err, Malformed)
	if cost, calls, _ := b.Spent(); cost < 0.01 || calls != 1 {
		t.Error(cost, calls)
	}
	// One that never left is not, and counts as none.
	b = NewBudget(BudgetConfig{MaxCost: 1})
	_, err = run(b, &fake{id: "openai:chat", answer: func(Request, int) (Response, error) { return Response{}, refuse("p", "x", "y") }}, r, 1)
	fails(t, err, Rejected)
	if cost, calls, _ := b.Spent(); cost != 0 || calls != 0 {
		t.Error(cost, calls)
	}
	// A provider that does not count is taken by the estimate.
	b = NewBudget(BudgetConfig{MaxCost: 1})
	if _, err := run(b, &fake{id: "openai:chat", answer: func(Request, int) (Response, error) { return Response{Output: "x"}, nil }}, r, 1); err != nil {
		t.Fatal(err)
	}
	if cost, _, _ := b.Spent(); cost < 0.01 {
		t.Error(cost)
	}
	// An unknown price is an error as long as money is limited.
	r.Model = "acme-1"
	evil := &fake{id: "openai:chat"}
	_, err = run(NewBudget(BudgetConfig{MaxCost: 1}), evil, r, 1)
	fails(t, err, Unpriced)
	if answered, err := run(NewBudget(BudgetConfig{MaxCalls: 1}), counting("openai:chat"), r, 2); answered != 1 {
		t.Error(answered, err)
	}
}

func TestWhatACallCost(t *testing.T) {
	m := serve(t, chatOK) // 12 tokens, 4 of them cached, and 3
	for name, tt := range map[string]struct {
		id     string
		config map[string]any
		want   float64 // in millionths; -1: nobody knows
	}{
		"a known model":              {"openai:gpt-4o", nil, 8*2.5 + 4*1.25 + 3*10},
		"a model of the workspace":   {"openai:acme-1", nil, 12*1 + 3*2},
		"an unknown model":           {"openai:acme-2", nil, -1},
		"a price of the config":      {"openai:acme-2", map[string]any{"inputCost": 0.000003, "outputCost": 0.000004}, 12*3 + 3*4},
		"one price of the config":    {"openai:acme-2", map[string]any{"inputCost": 0.000003}, -1},
		"one price over the table's": {"openai:gpt-4o", map[string]any{"outputCost": 0.000004}, 8*2.5 + 4*1.25 + 3*4},
		"one price for both":         {"openai:gpt-4o", map[string]any{"cost": 0.000001}, 15},
		"a model on this machine":    {"ollama:llama", nil, 0},
		"a model on some other's":    {"vllm:llama", map[string]any{"apiBaseUrl": "https://vllm.example.com/v1"}, -1},
		"an endpoint":                {"", nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(map[string]string{"OPENAI_BASE_URL": m.URL, "OPENAI_API_KEY": canary, "OLLAMA_BASE_URL": m.URL})
			if strings.HasPrefix(tt.id, "vllm") {
				c.Transport = &recorder{}
			}
			if tt.id == "" {
				tt.id = m.URL
			}
			p, name := open(t, Spec{ID: tt.id, Config: tt.config}, c)
			a := Around{Now: time.Now, Prices: DefaultPrices().With(map[string]Price{"acme-1": {Input: 1, Output: 2}})}
			r := ask("hi")
			r.Model = name
			got, err := a.Wrap(p).Call(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want < 0 != (got.Cost == nil) || got.Cost != nil && math.Abs(*got.Cost*1e6-tt.want) > 1e-9 {
				t.Errorf("%v, want %v", got.Cost, tt.want)
			}
		})
	}
}

func TestACallIsKeyedByAllThatItsConfigAdds(t *testing.T) {
	dir := t.TempDir()
	m := serve(t, chatOK)
	for _, temperature := range []float64{0, 1} {
		p, name := open(t, Spec{ID: "openai:gpt-4o", Config: map[string]any{"apiBaseUrl": m.URL, "temperature": temperature}}, testConfig(nil))
		r := ask("hi")
		r.Model = name
		if _, err := around(tape(t, dir, recording)).Wrap(p).Call(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if all := files(t, dir); len(all) != 2 {
		t.Errorf("%d cassettes", len(all))
	}
}

func TestVectorsGoThroughCassettesAndBudget(t *testing.T) {
	dir := t.TempDir()
	m := serve(t, `{"data":[{"index":0,"embedding":[0.1,1e-9]},{"index":1,"embedding":[3,4]}],"usage":{"prompt_tokens":500}}`)
	e, name, err := OpenEmbedder(Spec{ID: "openai:embedding:text-embedding-3-small", Config: map[string]any{"apiBaseUrl": m.URL, "dimensions": 2}}, testConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	b := NewBudget(BudgetConfig{MaxCost: 1})
	a := around(tape(t, dir, recording))
	a.Budget = b
	first, _, err := a.WrapEmbedder(e).Embed(t.Context(), name, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if cost, calls, _ := b.Spent(); math.Abs(cost-500*0.02/1e6) > 1e-12 || calls != 1 {
		t.Error(cost, calls)
	}
	again, usage, err := around(tape(t, dir, nil)).WrapEmbedder(e).Embed(t.Context(), name, []string{"a", "b"})
	if err != nil || m.count() != 1 || usage.Input != 500 || len(again) != 2 || again[0][0] != first[0][0] || again[0][1] != 1e-9 || again[1][1] != 4 {
		t.Errorf("%v, %v, %v after %d requests", again, usage, err, m.count())
	}
	_, _, err = around(tape(t, dir, nil)).WrapEmbedder(e).Embed(t.Context(), name, []string{"b", "a"})
	fails(t, err, Missing)
	if _, _, err := (Around{Now: time.Now}).WrapEmbedder(e).Embed(t.Context(), name, []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	a = Around{Now: time.Now, Budget: NewBudget(BudgetConfig{MaxCost: 1})}
	_, _, err = a.WrapEmbedder(e).Embed(t.Context(), "acme-embed", []string{"a"})
	fails(t, err, Unpriced)
}

func TestEchoStandsBehindNothing(t *testing.T) {
	p, _ := open(t, Spec{ID: "echo"}, testConfig(nil))
	a := around(tape(t, t.TempDir(), nil))
	a.Budget = NewBudget(BudgetConfig{MaxCost: 1e-9, MaxCalls: 1})
	for range 3 {
		if got, err := a.Wrap(p).Call(t.Context(), ask("hi")); err != nil || got.Output != "hi" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Wrap(p).Call(ctx, ask("hi")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
