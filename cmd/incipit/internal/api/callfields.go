package api

import (
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// fields are those of a call that were read, a bit for each.
type fields uint32

const (
	fieldID fields = 1 << iota
	fieldPrompt
	fieldVersion
	fieldEnvironment
	fieldArm
	fieldRollout
	fieldShare
	fieldSubject
	fieldStartedAt
	fieldLatency
	fieldFirstToken
	fieldInputTokens
	fieldOutputTokens
	fieldCachedTokens
	fieldCost
	fieldOutcome
	fieldErrorClass
	fieldFinishReason
	fieldModel
	fieldResponseID
	fieldSatisfaction
	fieldTags
	fieldInput
	fieldOutput
)

// missing refuses a call that lacks a field.
func (f fields) missing() *registry.Rejection {
	for _, need := range [...]struct {
		fields
		name string
	}{
		{fieldPrompt, "prompt"},
		{fieldVersion, "version"},
		{fieldEnvironment, "environment"},
		{fieldStartedAt, "started_at"},
		{fieldLatency, "latency_ms"},
		{fieldOutcome, "outcome"},
	} {
		if f&need.fields == 0 {
			return registry.Missing(need.name)
		}
	}
	return nil
}

// member reads the value of a key into c.
func (r *callReader) member(c *registry.Call, key string) error {
	switch key {
	case "id":
		return r.id(key, &c.ID)
	case "prompt":
		return text(r, fieldPrompt, key, &c.Prompt)
	case "version":
		return text(r, fieldVersion, key, &c.Version)
	case "environment":
		return text(r, fieldEnvironment, key, &c.Environment)
	case "arm":
		return text(r, fieldArm, key, &c.Arm)
	case "rollout":
		return text(r, fieldRollout, key, &c.Rollout)
	case "share":
		return number(r, fieldShare, key, registry.Percent, &c.Share)
	case "subject":
		return text(r, fieldSubject, key, &c.Subject)
	case "started_at":
		return r.time(key, &c.StartedAt)
	case "latency_ms":
		latency := registry.Opt[time.Duration]{}
		err := number(r, fieldLatency, key, registry.Milliseconds, &latency)
		c.Latency = latency.Value
		return err
	case "ttft_ms":
		return number(r, fieldFirstToken, key, registry.Milliseconds, &c.FirstToken)
	case "input_tokens":
		return number(r, fieldInputTokens, key, registry.Tokens, &c.InputTokens)
	case "output_tokens":
		return number(r, fieldOutputTokens, key, registry.Tokens, &c.OutputTokens)
	case "cached_tokens":
		return number(r, fieldCachedTokens, key, registry.Tokens, &c.CachedTokens)
	case "cost_usd":
		return number(r, fieldCost, key, registry.Dollars, &c.Cost)
	case "outcome":
		return text(r, fieldOutcome, key, &c.Outcome)
	case "error_class":
		return text(r, fieldErrorClass, key, &c.ErrorClass)
	case "finish_reason":
		return text(r, fieldFinishReason, key, &c.FinishReason)
	case "model":
		return text(r, fieldModel, key, &c.Model)
	case "response_id":
		return text(r, fieldResponseID, key, &c.ResponseID)
	case "satisfaction":
		return number(r, fieldSatisfaction, key, registry.Satisfaction, &c.Satisfaction)
	case "tags":
		return r.tags(key, c)
	case "input":
		return text(r, fieldInput, key, &c.Input)
	case "output":
		return text(r, fieldOutput, key, &c.Output)
	}
	return r.unknown(key)
}

func (r *callReader) unknown(key string) error {
	_, err := r.skip(2)
	r.blame(registry.RejectField, "a call has no field %q%s", prompt.Clip(key, 40), hint(key))
	return err
}

// hint names the field that differs from key in nothing but how it is written.
func hint(key string) string {
	plain := strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	if plain == key || len(key) > 40 {
		return ""
	}
	probe := callReader{scanner: scanner{data: "null"}}
	if err := probe.member(new(registry.Call), plain); err != nil || probe.seen == 0 {
		return ""
	}
	return "; write " + plain
}

// once notes a field, and blames the second of a name.
func (r *callReader) once(f fields, key string) {
	if r.seen&f != 0 {
		r.blame(registry.RejectField, "%s stands there twice", key)
	}
	r.seen |= f
}

// other reads a value that is no want. A null is as if it was not there.
func (r *callReader) other(f fields, key, want string) error {
	kind, err := r.skip(2)
	if kind == "null" {
		r.null |= f
	} else {
		r.blame(registry.RejectMalformed, "%s is %s; it must be %s", key, kind, want)
	}
	return err
}

func text[T ~string](r *callReader, f fields, key string, to *T) error {
	r.once(f, key)
	if r.peek() != '"' {
		return r.other(f, key, "a text")
	}
	s, bad, err := r.text()
	if bad != "" {
		r.blame(registry.RejectMalformed, "%s %s", key, bad)
	}
	*to = T(s)
	return err
}

// number reads a number, and has made of it what the call keeps.
func number[T any](r *callReader, f fields, key string, of func(string, float64) (T, *registry.Rejection), to *registry.Opt[T]) error {
	r.once(f, key)
	start := r.peek()
	if start == '"' || start == '{' || start == '[' {
		return r.other(f, key, "a number")
	}
	at := r.pos
	word, err := r.word()
	if err != nil {
		return err
	}
	n, ok := parseNumber(word)
	if !ok {
		r.pos = at
		return r.other(f, key, "a number")
	}
	v, bad := of(key, n)
	if bad != nil {
		r.blame(bad.Code, "%s", bad.Reason)
		return nil
	}
	*to = registry.Some(v)
	return nil
}

func (r *callReader) id(key string, to *registry.CallID) error {
	var s string
	if err := text(r, fieldID, key, &s); err != nil || s == "" {
		return err
	}
	id, err := registry.ParseCallID(s)
	if err != nil {
		r.blame(registry.RejectRange, "id is %q; %v", prompt.Clip(s, 40), err)
	}
	*to = id
	return nil
}

// time reads RFC 3339, of any zone, and cuts it to whole microseconds.
func (r *callReader) time(key string, to *time.Time) error {
	var s string
	if err := text(r, fieldStartedAt, key, &s); err != nil || s == "" {
		return err
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(s)); err != nil {
		r.blame(registry.RejectRange, "%s is %q; it must be a time such as 2026-01-05T09:00:00.25Z", key, prompt.Clip(s, 40))
	}
	*to = t.UTC().Truncate(time.Microsecond)
	return nil
}

func (r *callReader) tags(key string, c *registry.Call) error {
	r.once(fieldTags, key)
	if r.peek() != '{' {
		return r.other(fieldTags, key, "an object of texts")
	}
	for more := r.open('}'); more; {
		tag, bad, err := r.key()
		if err != nil {
			return err
		}
		if bad != "" {
			r.blame(registry.RejectMalformed, "a key of tags %s", bad)
		}
		if err := r.tag(tag, c); err != nil {
			return err
		}
		if more, err = r.next('}'); err != nil {
			return err
		}
	}
	return nil
}

func (r *callReader) tag(tag string, c *registry.Call) error {
	if r.peek() != '"' {
		kind, err := r.skip(3)
		r.blame(registry.RejectMalformed, "tags.%s is %s; it must be a text", prompt.Clip(tag, 40), kind)
		return err
	}
	s, bad, err := r.text()
	if err != nil {
		return err
	}
	if bad != "" {
		r.blame(registry.RejectMalformed, "tags.%s %s", prompt.Clip(tag, 40), bad)
	}
	if _, twice := c.Tags[tag]; twice {
		r.blame(registry.RejectField, "tags.%s stands there twice", prompt.Clip(tag, 40))
	}
	if c.Tags == nil {
		c.Tags = make(map[string]string)
	}
	c.Tags[tag] = s
	return nil
}
