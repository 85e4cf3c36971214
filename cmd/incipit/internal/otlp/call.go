package otlp

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// call is the span as a call, unless r.rejection says why it is none.
func (r *reading) call() registry.Call {
	c := registry.Call{
		Environment:  r.environment(),
		Arm:          r.text("incipit.prompt.arm"),
		Rollout:      r.text("incipit.prompt.rollout"),
		Subject:      r.text(subjectNames...),
		Model:        r.text(modelNames...),
		FinishReason: r.finishReason(),
		ResponseID:   r.text(responseNames...),
		InputTokens:  measured(r, registry.Tokens, inputTokenNames...),
		OutputTokens: measured(r, registry.Tokens, outputTokenNames...),
		CachedTokens: measured(r, registry.Tokens, cachedTokenNames...),
		Cost:         measured(r, registry.Dollars, costNames...),
		Share:        measured(r, registry.Percent, "incipit.prompt.share"),
		Satisfaction: measured(r, registry.Satisfaction, "incipit.call.satisfaction"),
		Tags:         r.tags(),
		Input:        r.content(inputNames...),
		Output:       r.content(outputNames...),
	}
	c.Prompt, c.Version = r.release()
	c.StartedAt, c.Latency = r.times()
	c.FirstToken = r.firstToken(c.StartedAt)
	c.Outcome, c.ErrorClass = r.outcome()
	c.ID = r.id(c.StartedAt)
	return c
}

// release is the prompt and its version, in the words of whoever sent them.
func (r *reading) release() (prompt.ID, string) {
	for _, c := range conventions {
		name := r.text(c.name...)
		if name == "" {
			continue
		}
		id, err := prompt.ParseID(name)
		if err != nil {
			r.refuse(registry.Reject(registry.RejectPrompt, "%v", err))
		}
		version := r.text(c.version...)
		for _, n := range c.version {
			if v, ok := isVersion(r.text(n)); ok {
				return id, v
			}
		}
		return id, version
	}
	return "", ""
}

// isVersion reports whether s is a release's version or a digest, with a v or
// without.
func isVersion(s string) (string, bool) {
	if strings.HasPrefix(s, "sha256:") {
		return s, true
	}
	s = strings.TrimPrefix(s, "v")
	_, err := prompt.ParseVersion(s)
	return s, err == nil
}

// environment is told by the span, or by what its process says of itself.
func (r *reading) environment() string {
	for _, name := range environmentNames {
		if s := r.text(name); s != "" {
			return s
		}
		if s := r.resource.text(name); s != "" {
			return s
		}
	}
	return ""
}

// finishReason is the first one; some write the list as text.
func (r *reading) finishReason() string {
	s := r.text(finishNames...)
	if strings.HasPrefix(s, "[") {
		s, _, _ = strings.Cut(strings.Trim(s, `[]" `), `"`)
	}
	return s
}

// tags are the attributes below tagPrefix.
func (r *reading) tags() map[string]string {
	var tags map[string]string
	for name, v := range r.attributes {
		key, ok := strings.CutPrefix(name, tagPrefix)
		if !ok {
			continue
		}
		if tags == nil {
			tags = make(map[string]string)
		}
		tags[key] = textOf(v)
	}
	return tags
}

// firstToken is how long the first token took: told as seconds, as a moment, or
// by the first of the events that streams leave. A moment before the beginning
// tells nothing: clocks differ.
func (r *reading) firstToken(start time.Time) registry.Opt[time.Duration] {
	if told := measured(r, seconds, firstTokenNames...); told.Known {
		return told
	}
	at, ok := moment(r.text(completionStart))
	if !ok {
		for _, e := range r.span.Events().All() {
			if t := e.Timestamp().AsTime(); slices.Contains(firstTokenEvents, e.Name()) && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
	}
	if !ok || at.Before(start) {
		return registry.Opt[time.Duration]{}
	}
	return registry.Some(at.Sub(start).Truncate(time.Microsecond))
}

// moment reads a time as Langfuse's libraries write it: older ones put it in
// quotes once more.
func moment(s string) (time.Time, bool) {
	s = strings.Trim(s, `"`)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// id is the one that the application made, or one made of the span's own: a
// span that is exported twice is one call.
func (r *reading) id(start time.Time) registry.CallID {
	if told := r.text("incipit.prompt.call_id"); told != "" {
		id, err := registry.ParseCallID(told)
		if err != nil {
			r.refuse(registry.Reject(registry.RejectMalformed, "incipit.prompt.call_id is %q; %v", prompt.Clip(told, 40), err))
		}
		return id
	}
	trace, span := r.span.TraceID(), r.span.SpanID()
	if trace.IsEmpty() || span.IsEmpty() {
		r.refuse(registry.Reject(registry.RejectMissing, "the span has no trace id or no span id"))
	}
	h := sha256.Sum256(slices.Concat([]byte("incipit/otlp/span\x00"), trace[:], span[:]))
	return registry.MakeCallID(start, [10]byte(h[:10]))
}
