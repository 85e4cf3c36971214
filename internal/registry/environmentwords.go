package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Rules says in words what the environment asks of a change, a rule each. How
// its rollouts are watched is not among them.
func (e Environment) Rules() []string {
	var rules []string
	if e.Protected {
		rules = append(rules, "protected")
	}
	if e.Reason {
		rules = append(rules, "asks for a reason")
	}
	if e.After != "" {
		rules = append(rules, "after "+e.After)
	}
	if len(e.Require) > 0 {
		rules = append(rules, "evidence of "+strings.Join(e.Require, ", "))
	}
	if e.Approvals == 1 {
		rules = append(rules, "1 approval")
	} else if e.Approvals > 1 {
		rules = append(rules, fmt.Sprintf("%d approvals", e.Approvals))
	}
	for _, f := range e.Freeze {
		rules = append(rules, "frozen "+f.String())
	}
	return rules
}

// Seen tells rules apart: a form holds that of the rules that it shows, so that
// a change which somebody else made meanwhile is told, and not lost.
func (e Environment) Seen() string {
	data, err := json.Marshal(e)
	if err != nil {
		return "unknown" // fits no rules
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

const maxFreezes = 100

// ParseFreezes reads freezes as Freeze.String says them, one on each line. The
// dash between two times may be a hyphen. Each is valid.
func ParseFreezes(text string) ([]Freeze, error) {
	if len(text) > maxGrantBytes {
		return nil, Errorf(prompt.ErrInvalid, "freezes are longer than %d bytes", maxGrantBytes)
	}
	var out []Freeze
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(out) == maxFreezes {
			return nil, Errorf(prompt.ErrInvalid, "there are more than %d freezes", maxFreezes)
		}
		f, err := parseFreeze(line)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func parseFreeze(line string) (Freeze, error) {
	var f Freeze
	when, why, _ := strings.Cut(line, ": ")
	f.Why = strings.TrimSpace(why)
	words := SplitList(strings.ReplaceAll(when, "–", "-"))
	if len(words) == 4 && words[0] == "from" && words[2] == "to" {
		from, err1 := time.Parse(time.RFC3339, words[1])
		to, err2 := time.Parse(time.RFC3339, words[3])
		if err1 != nil || err2 != nil {
			return f, noFreeze(line)
		}
		f.From, f.To = from.UTC(), to.UTC()
		return f, f.validate()
	}
	for i, w := range words {
		start, end, span := strings.Cut(w, "-")
		switch {
		case span && strings.Contains(w, ":") && f.Start == "" && f.End == "":
			f.Start, f.End = start, end
		case !strings.ContainsAny(w, "/:-") && len(w) == 3 && w != "UTC":
			f.Days = append(f.Days, w)
		case i == len(words)-1:
			f.Zone = w
		default:
			return f, noFreeze(line)
		}
	}
	if f.Start == "00:00" {
		f.Start = ""
	}
	if f.End == "24:00" {
		f.End = ""
	}
	if f.Zone == "UTC" {
		f.Zone = ""
	}
	if len(f.Days) == 0 {
		return f, noFreeze(line)
	}
	return f, f.validate()
}

func noFreeze(line string) error {
	return WithFix(Errorf(prompt.ErrInvalid, "%q is no freeze", prompt.Clip(line, 80)),
		"write one such as: fri, sat 16:00-24:00 Europe/Berlin: no change before the weekend; or: from 2026-12-20T18:00:00Z to 2027-01-04T06:00:00Z")
}

// Words says in words how rollouts are watched: of rules of which each is said,
// as GuardOf gives them.
func (r GuardRules) Words() []string {
	if r.Policy == GuardOff {
		return []string{"people alone move rollouts"}
	}
	words := []string{"judged by " + r.Policy}
	if len(r.Steps) > 0 {
		steps := make([]string, len(r.Steps))
		for i, s := range r.Steps {
			steps[i] = s.String()
		}
		words = append(words, "canary steps "+strings.Join(steps, ", "))
	}
	if r.Bake != nil {
		words = append(words, fmt.Sprintf("each healthy for %s at least", *r.Bake))
	}
	if r.HoldBack != nil && r.HoldFor != nil && *r.HoldBack > 0 {
		words = append(words, fmt.Sprintf("%s held back for %s at the end", *r.HoldBack, *r.HoldFor))
	}
	if r.Advance == GuardAsk {
		words = append(words, "a person says when it advances")
	}
	if r.Limit != nil {
		words = append(words, fmt.Sprintf("without a verdict after %s: %s", *r.Limit, r.AtLimit))
	}
	words = append(words, "regressed: "+r.OnRegress)
	if r.Silence != nil {
		words = append(words, fmt.Sprintf("cannot be measured after %s without a call", *r.Silence))
	}
	if len(r.Metrics) > 0 {
		words = append(words, "by "+strings.Join(r.Metrics, ", ")+" alone")
	}
	for _, n := range r.numbers() {
		if x := *n.at; x != nil {
			words = append(words, fmt.Sprintf("%s %v", n.name, *x))
		}
	}
	return words
}
