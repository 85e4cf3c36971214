package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// chain is a log of n events.
func chain(t *testing.T, n int) []Event {
	t.Helper()
	var out []Event
	before := Event{}
	for i := range n {
		e := Event{
			Seq: before.Seq + 1, At: time.Date(2026, 1, 5, 9, 0, i, 123456000, time.UTC), Actor: "ada@example.com", Key: "k1", Source: "cli", Action: "deploy",
			Environment: "production", Prompt: "support", Version: fmt.Sprintf("1.%d.0", i), Reason: "because", Request: "r1",
			Detail: map[string]string{"deployment": fmt.Sprint(i)}, Previous: before.Hash,
		}
		seal(t, &e)
		out, before = append(out, e), e
	}
	return out
}

func seal(t *testing.T, e *Event) {
	t.Helper()
	var err error
	if e.Hash, err = e.Sum(); err != nil {
		t.Fatal(err)
	}
}

func TestAChainThatWasNotTouchedHolds(t *testing.T) {
	all := chain(t, 20)
	last, err := CheckChain(Event{}, all)
	if err != nil || last.Seq != 20 || last.Hash != all[19].Hash {
		t.Errorf("%+v, %v", last, err)
	}
	for cut := range all { // in pieces, as it is read
		middle, err := CheckChain(Event{}, all[:cut])
		if err != nil {
			t.Fatal(err)
		}
		if end, err := CheckChain(middle, all[cut:]); err != nil || end.Hash != last.Hash {
			t.Errorf("in two pieces, at %d: %v", cut, err)
		}
	}
	if e, err := CheckChain(all[3], nil); err != nil || e.Seq != 4 {
		t.Errorf("nothing more: %+v, %v", e, err)
	}
}

// No field of an event can be changed without the event telling, and no event
// without the one behind it telling, even if its own hash is made anew.
func TestEveryFieldOfAnEventIsInItsHash(t *testing.T) {
	edits := map[string]func(*Event){
		"seq": func(e *Event) { e.Seq++ }, "at": func(e *Event) { e.At = e.At.Add(time.Microsecond) }, "actor": func(e *Event) { e.Actor += "x" },
		"key": func(e *Event) { e.Key = "" }, "source": func(e *Event) { e.Source = "ui" }, "action": func(e *Event) { e.Action = "rollback" },
		"environment": func(e *Event) { e.Environment = "dev" }, "prompt": func(e *Event) { e.Prompt = "other" }, "version": func(e *Event) { e.Version = "" },
		"reason": func(e *Event) { e.Reason = "Because" }, "request": func(e *Event) { e.Request = "" },
		"detail":                func(e *Event) { e.Detail = map[string]string{"deployment": "9"} },
		"detail taken out":      func(e *Event) { e.Detail = nil },
		"detail under a field":  func(e *Event) { e.Detail, e.Reason = map[string]string{"reason": e.Reason}, "" },
		"previous":              func(e *Event) { e.Previous = strings.Repeat("0", 64) },
		"one field for another": func(e *Event) { e.Environment, e.Version = e.Version, e.Environment },
	}
	for name, edit := range edits {
		all := chain(t, 5)
		before := all[2]
		edit(&all[2])
		if sum, err := all[2].Sum(); err != nil || sum == before.Hash {
			t.Errorf("%s: the hash is the same, %v", name, err)
		}
		for _, again := range []bool{false, true} {
			if again {
				seal(t, &all[2])
			}
			last, err := CheckChain(Event{}, all)
			if !errors.Is(err, ErrConflict) || last.Seq < 2 || last.Seq > 3 {
				t.Errorf("%s, sealed again %v: %v after %d", name, again, err, last.Seq)
			}
		}
	}
}

func TestAHashDoesNotDependOnHowATimeIsWritten(t *testing.T) {
	e := chain(t, 1)[0]
	e.At = e.At.In(time.FixedZone("", 7200))
	if sum, err := e.Sum(); err != nil || sum != e.Hash {
		t.Errorf("in another zone: %s, %v", sum, err)
	}
	e.Detail = map[string]string{}
	empty, err1 := e.Sum()
	e.Detail = nil
	none, err2 := e.Sum()
	if err := errors.Join(err1, err2); err != nil || empty != none {
		t.Errorf("no detail and an empty one: %v", err)
	}
}

func TestAChainTellsWhatWasDoneToIt(t *testing.T) {
	forged := func(t *testing.T, after Event) Event {
		t.Helper()
		e := after
		e.Seq, e.Previous, e.Reason = after.Seq+1, after.Hash, "forged"
		seal(t, &e)
		return e
	}
	tests := []struct {
		name string
		do   func(*testing.T, []Event) []Event
		good int64 // the last event that still holds
	}{
		{"one taken out", func(_ *testing.T, es []Event) []Event { return slices.Delete(es, 4, 5) }, 4},
		{"one taken out, the others numbered anew", func(t *testing.T, es []Event) []Event {
			t.Helper()
			es = slices.Delete(es, 4, 5)
			for i := 4; i < len(es); i++ {
				es[i].Seq = int64(i) + 1
				seal(t, &es[i])
			}
			return es
		}, 4},
		{"two swapped", func(_ *testing.T, es []Event) []Event { es[4], es[5] = es[5], es[4]; return es }, 4},
		{"two swapped, with their numbers", func(t *testing.T, es []Event) []Event {
			t.Helper()
			es[4], es[5] = es[5], es[4]
			es[4].Seq, es[5].Seq = 5, 6
			seal(t, &es[4])
			seal(t, &es[5])
			return es
		}, 4},
		{"one put in", func(t *testing.T, es []Event) []Event { t.Helper(); return slices.Insert(es, 5, forged(t, es[4])) }, 6},
		{"one put in for another", func(t *testing.T, es []Event) []Event { t.Helper(); es[5] = forged(t, es[4]); return es }, 6},
		{"one twice", func(_ *testing.T, es []Event) []Event { return slices.Insert(es, 5, es[4]) }, 5},
		{"the first taken off", func(_ *testing.T, es []Event) []Event { return es[1:] }, 0},
		{"half of it taken off at the front", func(_ *testing.T, es []Event) []Event { return es[5:] }, 0},
		{"the first taken off, the next made the first", func(t *testing.T, es []Event) []Event {
			t.Helper()
			es = es[1:]
			es[0].Seq, es[0].Previous = 1, ""
			seal(t, &es[0])
			return es
		}, 1},
		{"no hash at all", func(_ *testing.T, es []Event) []Event { es[4].Hash = ""; return es }, 4},
	}
	for _, tt := range tests {
		last, err := CheckChain(Event{}, tt.do(t, chain(t, 10)))
		if !errors.Is(err, ErrConflict) || last.Seq != tt.good {
			t.Errorf("%s: %v, and %d of the events hold, want %d", tt.name, err, last.Seq, tt.good)
		}
	}
	// What is cut off at the end cannot be told from what was not written yet: the
	// store keeps the number of the last one elsewhere.
	if last, err := CheckChain(Event{}, chain(t, 10)[:7]); err != nil || last.Seq != 7 {
		t.Errorf("cut off at the end: %d, %v", last.Seq, err)
	}
}
