package assertion

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// A verdict is what a judge's answer says. What it does not say is nil.
type verdict struct {
	reason string
	pass   *bool
	score  *float64
}

// verdictOf reads the verdict in a judge's answer.
func verdictOf(answer string) (verdict, error) {
	v, err := answerWith(answer, "pass", "score")
	if err != nil {
		return verdict{}, err
	}
	var out verdict
	if reason, ok := v["reason"].(string); ok {
		out.reason = shownReason(reason)
	}
	if said, there := v["pass"]; there && said != nil {
		pass, ok := boolOf(said)
		if !ok {
			return verdict{}, unreadable(answer, "since its pass is neither true nor false")
		}
		out.pass = &pass
	}
	if said, there := v["score"]; there && said != nil {
		score, ok := scoreOf(said)
		if !ok {
			return verdict{}, unreadable(answer, "since its score is no number")
		}
		out.score = &score
	}
	if out.pass == nil && out.score == nil {
		return verdict{}, unreadable(answer, "since it has neither pass nor score")
	}
	return out, nil
}

// answerWith finds the JSON object in a judge's answer that has one of keys. The
// answer is that object, or the object in a fence or in prose. A judge that
// quotes what it read may quote an object with a verdict in it: of two that do
// not say the same, neither is believed.
func answerWith(answer string, keys ...string) (map[string]any, error) {
	var found map[string]any
	kept, differ := "", false
	err := objects(answer, func(object string) bool {
		var v map[string]any
		if json.Unmarshal([]byte(object), &v) != nil || !hasAny(v, keys) {
			return true
		}
		same, err := asJSON(pick(v, keys))
		if err != nil {
			return true
		}
		if found == nil {
			found, kept = v, same
		}
		differ = differ || same != kept
		return !differ
	})
	switch {
	case err != nil:
		return nil, unreadable(answer, "since "+err.Error())
	case differ:
		return nil, unreadable(answer, "since it holds two verdicts that differ")
	case found == nil:
		return nil, unreadable(answer, "since it holds no JSON object with "+strings.Join(keys, " or "))
	}
	return found, nil
}

func hasAny(v map[string]any, keys []string) bool {
	for _, k := range keys {
		if _, ok := v[k]; ok {
			return true
		}
	}
	return false
}

func pick(v map[string]any, keys []string) map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if e, ok := v[k]; ok {
			out[k] = e
		}
	}
	return out
}

// boolOf reads true, false, and the words that judges write for them.
func boolOf(v any) (value, ok bool) {
	if b, ok := v.(bool); ok {
		return b, true
	}
	text, _ := v.(string)
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "pass", "y":
		return true, true
	case "false", "no", "fail", "n":
		return false, true
	}
	return false, false
}

// scoreOf reads a finite number, also one that is written as a text.
func scoreOf(v any) (float64, bool) {
	f, ok := floatOf(v)
	if text, isText := v.(string); isText {
		parsed, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		f, ok = parsed, err == nil
	}
	return f, ok && !math.IsInf(f, 0) && !math.IsNaN(f)
}
