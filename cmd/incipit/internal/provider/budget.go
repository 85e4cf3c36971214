package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// unsaidOutput is how many tokens an answer is taken to have, before a call,
// where the request sets no limit.
const unsaidOutput = 4096

// imageTokens is what an image is taken to be, before a call.
const imageTokens = 1500

// Estimate guesses how many tokens a request has, and how many its answer has
// at most: four characters are one, and max_tokens is believed.
func Estimate(r Request) (input, output int) {
	for _, m := range r.Messages {
		input += 4 + prompt.EstimateTokens(m.Content) + len(m.Extra)/4
		var parts []part
		if len(m.Parts) == 0 || json.Unmarshal(m.Parts, &parts) != nil {
			input += len(m.Parts) / 4
			continue
		}
		for _, p := range parts {
			input += prompt.EstimateTokens(p.Text)
			if p.Type != "text" {
				input += imageTokens
			}
		}
	}
	input += (len(r.Tools) + len(r.OutputSchema)) / 4
	output = unsaidOutput
	for _, name := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		if n, ok := count(r.Parameters, name); ok {
			output = n
		}
	}
	if n, ok := count(r.Parameters, "n"); ok && n > 1 {
		output *= min(n, 1000)
	}
	return input, output
}

// count reads a parameter that is a number of something.
func count(parameters json.RawMessage, name string) (int, bool) {
	var all map[string]json.RawMessage
	var n float64
	if json.Unmarshal(parameters, &all) != nil || all[name] == nil || json.Unmarshal(all[name], &n) != nil {
		return 0, false
	}
	return int(n), n >= 0 && n < 1e9
}

// BudgetConfig is what may be spent. Zero is no limit.
type BudgetConfig struct {
	MaxCost   float64 // US dollars
	MaxCalls  int     // attempts that were sent
	MaxTokens int     // of input and output
}

// A Budget is what the calls of a run may spend together, judges' included.
// It is safe for concurrent use.
type Budget struct {
	config BudgetConfig

	mu       sync.Mutex
	spent    amount
	reserved amount
	closed   *Error        // what the first call was told that was refused; so is each from then on
	changed  chan struct{} // closed when a reservation ends
}

// An amount is of money and of what money is spent for.
type amount struct {
	cost   float64
	calls  int
	tokens int
}

func (a amount) plus(b amount) amount {
	return amount{a.cost + b.cost, a.calls + b.calls, a.tokens + b.tokens}
}

// NewBudget makes a Budget.
func NewBudget(c BudgetConfig) *Budget { return &Budget{config: c, changed: make(chan struct{})} }

// Spent is what was spent until now: US dollars, calls that were sent, tokens.
// An answer that never came counts as what it could have cost.
func (b *Budget) Spent() (cost float64, calls, tokens int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent.cost, b.spent.calls, b.spent.tokens
}

// reserve sets an estimate aside before a call, or refuses the call with
// OverBudget if it could pass the limit. While calls under way may yet cost
// less than was set aside for them, it waits. Once a call was refused, all are:
// what is tested should not depend on which case is the cheapest.
// Settle must be called once.
func (b *Budget) reserve(ctx context.Context, id string, want amount) (settle func(actual amount), err error) {
	if b == nil {
		return func(amount) {}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.closed != nil {
			e := *b.closed
			e.Provider = id
			return nil, &e
		}
		if over := b.over(b.spent.plus(want)); over != "" {
			b.closed = &Error{Kind: OverBudget, Provider: id, Text: over, Fix: "raise the limit, test less, or replay recorded answers"}
			continue
		}
		if b.over(b.spent.plus(b.reserved).plus(want)) == "" {
			break
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-changed:
		}
		b.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
	b.reserved = b.reserved.plus(want)
	return func(actual amount) { b.settle(want, actual) }, nil
}

func (b *Budget) settle(want, actual amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved = b.reserved.plus(amount{-want.cost, -want.calls, -want.tokens})
	if b.reserved.calls == 0 {
		b.reserved = amount{} // sums of floats leave crumbs
	}
	b.spent = b.spent.plus(actual)
	close(b.changed)
	b.changed = make(chan struct{})
}

// over says what limit a sum passes; "" for none.
func (b *Budget) over(a amount) string {
	const crumb = 1e-9
	switch c := b.config; {
	case c.MaxCost > 0 && a.cost > c.MaxCost+crumb:
		return fmt.Sprintf("the call could pass the limit of $%.4g: $%.4f are spent, and it costs up to $%.4f", c.MaxCost, b.spent.cost, a.cost-b.spent.cost)
	case c.MaxCalls > 0 && a.calls > c.MaxCalls:
		return fmt.Sprintf("the limit of %d calls is reached", c.MaxCalls)
	case c.MaxTokens > 0 && a.tokens > c.MaxTokens:
		return fmt.Sprintf("the call could pass the limit of %d tokens: %d are used", c.MaxTokens, b.spent.tokens)
	}
	return ""
}
