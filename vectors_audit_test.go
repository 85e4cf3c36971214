package incipit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

const auditAbout = `A chain of audit events, as GET /v1/audit gives them. hash is the hexadecimal SHA-256 of the RFC 8785 form of the event ` +
	`with "" as its hash: the time is in UTC with as many decimals as it needs; seq, at, actor, source, action, previous and hash are always there, any other key only if it says something. ` +
	`previous is the hash of the event before, "" for the first, and seq counts from 1 without gaps. ` +
	`broken: copies of the chain that were changed; holds is how many events from the first on are as they were written.`

func auditChain(t *testing.T) []registry.Event {
	t.Helper()
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	events := []registry.Event{
		{At: at, Actor: "incipit", Source: "sync", Action: "import", Reason: "first start", Detail: map[string]string{"environments": "3", "records": "0"}},
		{At: at.Add(123456 * time.Microsecond), Actor: "ada@example.com", Key: "k7f3a", Source: "cli", Action: "deploy", Environment: "production", Prompt: "billing/refunds", Version: "1.2.0", Reason: "warmer", Request: "4f1c", Detail: map[string]string{"deployment": "1"}},
		{At: at.Add(time.Second), Actor: "Grüße 你好 🦀", Source: "api", Action: "approve", Reason: "quote\" back\\slash, line\nbreak, tab\t, <b>&amp;</b>, \u2028\u2029 \u0001"},
		{At: at.Add(1100 * time.Millisecond), Source: "ui", Action: "sign-in", Detail: map[string]string{"\U0001F980": "beyond", "\uFB33": "before", "": "empty", "a": "", "A": "1"}},
		{At: at.Add(2 * time.Second), Actor: strings.Repeat("long", 200), Source: "guard", Action: "rollback", Environment: "eu-production", Prompt: "support", Version: "1.0.0-rc.1"},
	}
	before := registry.Event{}
	for i := range events {
		e := &events[i]
		e.Seq, e.Previous = before.Seq+1, before.Hash
		var err error
		if e.Hash, err = e.Sum(); err != nil {
			t.Fatal(err)
		}
		before = *e
	}
	return events
}

func TestAuditVectors(t *testing.T) {
	type broken struct {
		Name   string           `json:"name"`
		Events []registry.Event `json:"events"`
		Holds  int64            `json:"holds"`
	}
	whole := auditChain(t)
	var events, copies []any
	for _, e := range whole {
		events = append(events, e)
	}
	for _, c := range []struct {
		name string
		do   func([]registry.Event) []registry.Event
	}{
		{"nothing was changed", func(es []registry.Event) []registry.Event { return es }},
		{"the end is cut off, which the chain alone cannot tell", func(es []registry.Event) []registry.Event { return es[:3] }},
		{"a reason was changed", func(es []registry.Event) []registry.Event { es[1].Reason = "colder"; return es }},
		{"a detail was added", func(es []registry.Event) []registry.Event { es[4].Detail = map[string]string{"x": "y"}; return es }},
		{"one was taken out", func(es []registry.Event) []registry.Event { return append(es[:2], es[3:]...) }},
		{"two were swapped", func(es []registry.Event) []registry.Event { es[2], es[3] = es[3], es[2]; return es }},
		{"the first was cut off", func(es []registry.Event) []registry.Event { return es[1:] }},
		{"one was changed, and its hash made anew", func(es []registry.Event) []registry.Event {
			es[2].Actor = "eve@example.com"
			sum, err := es[2].Sum()
			if err != nil {
				t.Fatal(err)
			}
			es[2].Hash = sum
			return es
		}},
	} {
		es := c.do(auditChain(t))
		last, err := registry.CheckChain(registry.Event{}, es)
		if (err == nil) != (last.Seq == int64(len(es))) {
			t.Errorf("%s: %d of %d hold, %v", c.name, last.Seq, len(es), err)
		}
		copies = append(copies, broken{c.name, es, last.Seq})
	}
	checkVectors(t, "audit.json", auditAbout, vectorPart{"events", events}, vectorPart{"broken", copies})
}

const callIDAbout = `id is a UUIDv7 (RFC 9562 section 5.7): 48 bits of ms, the milliseconds since 1970, then the 80 bits of random, ` +
	`with the four highest bits of its byte 0 replaced by 0111 and the two highest of its byte 2 by 10; in lower case.`

func TestCallIDVectors(t *testing.T) {
	type row struct {
		MS     int64  `json:"ms"`
		Random string `json:"random"`
		ID     string `json:"id"`
	}
	rfc := [10]byte{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f} // RFC 9562, appendix A.6
	full := [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	count := [10]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}
	var rows []any
	for _, ms := range []int64{0, 1, 1_645_557_742_000, 1_767_603_600_000, 1<<48 - 1} {
		for _, random := range [][10]byte{{}, rfc, full, count} {
			rows = append(rows, row{ms, fmt.Sprintf("%x", random), registry.NewCallID(time.UnixMilli(ms), random)})
		}
	}
	checkVectors(t, "callid.json", callIDAbout, vectorPart{"cases", rows})
}
