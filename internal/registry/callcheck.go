package registry

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Check says the first thing about c that cannot be, nil if there is none. now
// is the server's clock, and keep how long calls are kept: an older one would
// be gone at once. Index of the Rejection is 0. A call whose latency was not
// sent is for whoever reads it to refuse: here it is 0.
func (c *Call) Check(now time.Time, keep time.Duration) *Rejection {
	if r := c.checkRequired(); r != nil {
		return r
	}
	if r := c.checkTimes(now, keep); r != nil {
		return r
	}
	if r := c.checkNumbers(); r != nil {
		return r
	}
	if r := c.checkOutcome(); r != nil {
		return r
	}
	if r := c.checkTexts(); r != nil {
		return r
	}
	return checkTags(c.Tags)
}

func (c *Call) checkRequired() *Rejection {
	switch {
	case c.Prompt == "":
		return Missing("prompt")
	case c.Version == "":
		return Missing("version")
	case c.Environment == "":
		return Missing("environment")
	case c.StartedAt.IsZero():
		return Missing("started_at")
	case c.Outcome == "":
		return Missing("outcome")
	}
	return nil
}

// Missing refuses a call without a field that it must have.
func Missing(field string) *Rejection { return Reject(RejectMissing, "%s is missing", field) }

func (c *Call) checkTimes(now time.Time, keep time.Duration) *Rejection {
	if r := checkTime("started_at", c.StartedAt, now, keep); r != nil {
		return r
	}
	if c.ID.IsZero() {
		return nil
	}
	return checkTime("the time in id", c.ID.At(), now, keep)
}

// checkTime takes what is MaxAhead of now: clocks differ.
func checkTime(field string, at, now time.Time, keep time.Duration) *Rejection {
	switch {
	case at.After(now.Add(MaxAhead)):
		return Reject(RejectRange, "%s is %s; it must not be more than %d minutes after the server's clock, which says %s",
			field, clockTime(at), MaxAhead/time.Minute, clockTime(now))
	case at.Before(now.Add(-keep)):
		return Reject(RejectRange, "%s is %s; calls are kept for %d days, so it must not be before %s",
			field, clockTime(at), keep/(24*time.Hour), clockTime(now.Add(-keep)))
	}
	return nil
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (c *Call) checkNumbers() *Rejection {
	for _, d := range [...]struct {
		field string
		Opt[time.Duration]
	}{{"latency_ms", Some(c.Latency)}, {"ttft_ms", c.FirstToken}} {
		if d.Known && (d.Value < 0 || d.Value > MaxLatency) {
			_, r := Milliseconds(d.field, milliseconds(d.Value))
			return r
		}
	}
	for _, n := range [...]struct {
		field string
		Opt[int64]
	}{{"input_tokens", c.InputTokens}, {"output_tokens", c.OutputTokens}, {"cached_tokens", c.CachedTokens}} {
		if n.Known && (n.Value < 0 || n.Value > MaxTokens) {
			return outOfRange(n.field, float64(n.Value), 0, MaxTokens)
		}
	}
	if c.Cost.Known && (c.Cost.Value < 0 || c.Cost.Value > MaxCost) {
		return outOfRange("cost_usd", c.Cost.Value.USD(), 0, MaxCost.USD())
	}
	if c.Share.Known && c.Share.Value > Scale {
		return outOfRange("share", float64(c.Share.Value)/(Scale/100), 0, 100)
	}
	if c.Satisfaction.Known {
		_, r := Satisfaction("satisfaction", c.Satisfaction.Value)
		return r
	}
	return nil
}

func (c *Call) checkOutcome() *Rejection {
	switch c.Outcome {
	case OK, Failed, Cancelled:
	default:
		return Reject(RejectRange, "outcome is %q; it must be ok, error or cancelled", prompt.Clip(string(c.Outcome), 40))
	}
	switch c.ErrorClass {
	case "":
		return nil
	case ProviderError, PromptError, TimeoutError:
	default:
		return Reject(RejectRange, "error_class is %q; it must be provider, prompt or timeout", prompt.Clip(string(c.ErrorClass), 40))
	}
	if c.Outcome != Failed {
		return Reject(RejectRange, "error_class is %s, and outcome is %s; only an error has a class", c.ErrorClass, c.Outcome)
	}
	return nil
}

func (c *Call) checkTexts() *Rejection {
	for _, t := range [...]struct {
		field, text string
		most        int
	}{
		{"prompt", string(c.Prompt), maxPrompt},
		{"version", c.Version, maxName},
		{"environment", c.Environment, maxName},
		{"arm", c.Arm, maxName},
		{"rollout", c.Rollout, maxRollout},
		{"subject", c.Subject, maxSubject},
		{"finish_reason", c.FinishReason, maxName},
		{"model", c.Model, maxName},
		{"response_id", c.ResponseID, maxResponseID},
	} {
		if r := checkText(t.field, t.text, t.most, false); r != nil {
			return r
		}
	}
	if r := checkContent("input", c.Input); r != nil {
		return r
	}
	return checkContent("output", c.Output)
}

// checkContent bounds what people and models wrote. Whoever keeps it makes it
// fit to be shown.
func checkContent(field, text string) *Rejection {
	if len(text) > MaxContent {
		return Reject(RejectRange, "%s has %d bytes; it must have at most %d", field, len(text), MaxContent)
	}
	return nil
}

// checkText refuses what is too long or cannot be shown; lines are allowed in
// comments.
func checkText(field, text string, most int, lines bool) *Rejection {
	if len(text) > most {
		return Reject(RejectRange, "%s has %d bytes; it must have at most %d", field, len(text), most)
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f {
			return checkRunes(field, text[i:], lines)
		}
	}
	return nil
}

func checkRunes(field, text string, lines bool) *Rejection {
	if !utf8.ValidString(text) {
		return Reject(RejectRange, "%s is not valid UTF-8", field)
	}
	for _, r := range text {
		if unicode.IsControl(r) && !(lines && strings.ContainsRune("\n\r\t", r)) {
			return Reject(RejectRange, "%s holds the control character U+%04X", field, r)
		}
	}
	return nil
}

func checkTags(tags map[string]string) *Rejection {
	if len(tags) > maxTags {
		return Reject(RejectRange, "tags has %d entries; it must have at most %d", len(tags), maxTags)
	}
	for k, v := range tags {
		if checkTag(k, v) == nil {
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(tags)) { // the same reason each time
			if r := checkTag(k, tags[k]); r != nil {
				return r
			}
		}
	}
	return nil
}

func checkTag(key, value string) *Rejection {
	if key == "" || len(key) > maxTagKey || strings.IndexFunc(key, notTagChar) >= 0 {
		return Reject(RejectRange, "tags has the key %q; a key must have 1 to %d of a-z, A-Z, 0-9 and . _ : / -", prompt.Clip(key, 40), maxTagKey)
	}
	if len(value) > maxTagValue {
		return Reject(RejectRange, "tags.%s has %d bytes; it must have at most %d", key, len(value), maxTagValue)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= 0x7f {
			return checkRunes("tags."+key, value[i:], false)
		}
	}
	return nil
}

func notTagChar(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && strings.IndexByte("._:/-", byte(min(r, 0x7f))) < 0
}
