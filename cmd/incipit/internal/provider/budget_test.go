package provider

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheTablesAreOfADate(t *testing.T) {
	p := DefaultPrices()
	if _, err := time.Parse(time.DateOnly, p.At); err != nil || len(p.Models) < 40 {
		t.Fatalf("%d prices of %q", len(p.Models), p.At)
	}
	for model, price := range p.Models {
		if price.Input <= 0 || price.Input > 200 || price.CachedInput > price.Input || price.Output != 0 && price.Output < price.Input || price.Output == 0 != strings.HasPrefix(model, "text-embedding") {
			t.Errorf("%s: %+v", model, price)
		}
	}
	var table struct {
		At     string
		Models map[string]string
	}
	if err := json.Unmarshal(endingsJSON, &table); err != nil || len(table.Models) == 0 {
		t.Fatal(err)
	}
	for model, day := range table.Models {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Error(model, err)
		}
		for _, tt := range []struct {
			now    time.Time
			within time.Duration
			want   bool
		}{{at, 0, true}, {at.AddDate(1, 0, 0), 0, true}, {at.AddDate(0, 0, -30), 31 * 24 * time.Hour, true}, {at.AddDate(0, 0, -30), 29 * 24 * time.Hour, false}} {
			if got, ends := Ending("vendor/"+model, tt.now, tt.within); ends != tt.want || !got.Equal(at) {
				t.Errorf("%s at %s: %s, %v", model, tt.now, got, ends)
			}
		}
	}
	if _, ends := Ending("gpt-4o", time.Now(), math.MaxInt64); ends {
		t.Error("an end is made up")
	}
}

func TestAModelHasThePriceOfItsName(t *testing.T) {
	p := DefaultPrices().With(map[string]Price{"acme-1": {Input: 1, Output: 2}, "gpt-4o": {Input: 9, Output: 9}})
	for model, want := range map[string]float64{
		"gpt-4o": 9, "openai/gpt-4o": 9, "gpt-4o-2024-08-06": 9, "gpt-4o-2024-05-13": 5, "claude-haiku-4-5-20251001": 1, "anthropic/claude-sonnet-4-5": 3, "acme-1": 1, "claude-3-7-sonnet-latest": 3,
	} {
		if got, ok := p.For(model); !ok || got.Input != want {
			t.Errorf("%s: %+v, %v", model, got, ok)
		}
	}
	for _, model := range []string{"", "gpt", "gpt-4o-secret", "my-deployment", "gpt-4o-mini-2"} {
		if got, ok := p.For(model); ok {
			t.Errorf("%s costs %+v", model, got)
		}
	}
	if got := (Price{Input: 2, CachedInput: 0.5, Output: 8}).Cost(Usage{Input: 1_000_000, CachedInput: 400_000, Output: 500_000}); math.Abs(got-(1.2+0.2+4)) > 1e-9 {
		t.Error(got)
	}
	if got := (Price{Input: 2}).Cost(Usage{Input: 10, CachedInput: 20}); got < 0 {
		t.Error(got)
	}
}

func TestARequestIsEstimatedBeforeItIsMade(t *testing.T) {
	r := Request{Messages: []Message{{Role: "user", Content: strings.Repeat("abcd", 100)}}}
	if in, out := Estimate(r); in != 104 || out != unsaidOutput {
		t.Error(in, out)
	}
	r.Messages = append(r.Messages, Message{Parts: json.RawMessage(`[{"type":"text","text":"abcdabcd"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 1<<20) + `"}}]`)})
	if in, _ := Estimate(r); in != 104+4+2+imageTokens {
		t.Error(in)
	}
	r.Messages = nil
	for params, want := range map[string]int{
		`{"max_tokens":7}`: 7, `{"max_completion_tokens":7}`: 7, `{"max_output_tokens":7}`: 7, `{"max_tokens":7,"n":3}`: 21,
		`{"max_tokens":-1}`: unsaidOutput, `{"max_tokens":1e300}`: unsaidOutput, `{"max_tokens":"x"}`: unsaidOutput, `[`: unsaidOutput, ``: unsaidOutput,
	} {
		r.Parameters = json.RawMessage(params)
		if _, out := Estimate(r); out != want {
			t.Errorf("%s: %d", params, out)
		}
	}
}

// Whoever asks, in whatever order, and whatever a call costs in the end as
// long as it is no more than was set aside: the limit is never passed.
func TestABudgetIsNeverPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := BudgetConfig{MaxCost: rapid.Float64Range(0.01, 2).Draw(t, "cost"), MaxCalls: rapid.IntRange(0, 20).Draw(t, "calls"), MaxTokens: rapid.IntRange(0, 3000).Draw(t, "tokens")}
		b := NewBudget(limit)
		wants := rapid.SliceOfN(rapid.Float64Range(0, 0.5), 1, 30).Draw(t, "wants")
		part := rapid.Float64Range(0, 1).Draw(t, "part")
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for _, want := range wants {
			wg.Go(func() {
				settle, err := b.reserve(context.Background(), "p", amount{want, 1, 100})
				if err != nil {
					mu.Lock()
					refused++
					mu.Unlock()
					return
				}
				settle(amount{want * part, 1, int(100 * part)})
			})
		}
		wg.Wait()
		cost, calls, tokens := b.Spent()
		if cost > limit.MaxCost+1e-6 || limit.MaxCalls > 0 && calls > limit.MaxCalls || limit.MaxTokens > 0 && tokens > limit.MaxTokens {
			t.Fatalf("%v: %f, %d, %d", limit, cost, calls, tokens)
		}
		if calls+refused != len(wants) {
			t.Fatalf("%d calls and %d refusals of %d", calls, refused, len(wants))
		}
		if b.reserved != (amount{}) {
			t.Fatalf("%+v is set aside for nobody", b.reserved)
		}
	})
}

func TestOnceRefusedABudgetIsClosed(t *testing.T) {
	b := NewBudget(BudgetConfig{MaxCost: 0.10})
	settle, err := b.reserve(t.Context(), "p", amount{cost: 0.06, calls: 1})
	if err != nil {
		t.Fatal(err)
	}
	settle(amount{cost: 0.05, calls: 1})
	for _, want := range []float64{0.06, 0.01} {
		_, err := b.reserve(t.Context(), "q", amount{cost: want, calls: 1})
		if e := failure(t, err, OverBudget); e.Provider != "q" || e.Again || !strings.Contains(e.Text, "$0.1") {
			t.Errorf("%+v", e)
		}
	}
}

func TestABudgetWaitsForWhatMayCostLess(t *testing.T) {
	b := NewBudget(BudgetConfig{MaxCost: 0.10})
	first, err := b.reserve(t.Context(), "p", amount{cost: 0.08, calls: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.reserve(ctx, "p", amount{cost: 0.08, calls: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	got := make(chan error)
	var wg sync.WaitGroup
	wg.Go(func() {
		settle, err := b.reserve(t.Context(), "p", amount{cost: 0.08, calls: 1})
		if err == nil {
			settle(amount{cost: 0.01, calls: 1})
		}
		got <- err
	})
	first(amount{cost: 0.01, calls: 1})
	if err := <-got; err != nil {
		t.Error(err)
	}
	wg.Wait()
}
