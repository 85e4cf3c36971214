package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A guardField is a rule of a guard in a form. Its name is that of the rule in
// JSON; in the form it stands behind "guard.".
type guardField struct {
	Name, Label string
	kind        fieldKind
	Options     []string // to choose from; none: a text
	Value       string   // as it was typed
	Default     string   // what counts where nothing is said
	Common      bool     // most people look at it
}

type fieldKind int

const (
	aText fieldKind = iota
	aNumber
	aList
	aBool
)

// guardRules are the fields, in their order.
func guardRules() []guardField {
	return []guardField{
		{Name: "policy", Label: "Judged by", Options: []string{registry.GuardEvidence, registry.GuardClassic, registry.GuardOff}, Common: true},
		{Name: "steps", Label: "Steps of a canary, in percent", kind: aList, Common: true},
		{Name: "bake", Label: "Healthy time of each step, at least", Common: true},
		{Name: "hold_back", Label: "Held back at the end, in percent", Common: true},
		{Name: "hold_for", Label: "Held back for", Common: true},
		{Name: "limit", Label: "Time without a verdict", Common: true},
		{Name: "at_limit", Label: "What is done then", Options: []string{registry.GuardAsk, registry.GuardAdvance, registry.GuardRollback}, Common: true},
		{Name: "on_regress", Label: "Where it regressed", Options: []string{registry.GuardRollback, registry.GuardAsk}, Common: true},
		{Name: "advance", Label: "Advance", Options: []string{registry.GuardAuto, registry.GuardAsk}, Common: true},
		{Name: "silence", Label: "Cannot be measured after, without a call"},
		{Name: "metrics", Label: "Metrics: " + strings.Join(registry.GuardMetrics(), ", "), kind: aList},
		{Name: "p95_only", Label: "Of latency the 95th percentile alone", kind: aBool, Options: []string{"true", "false"}},
		{Name: "alpha", Label: "A healthy one is taken back, probability", kind: aNumber},
		{Name: "alpha_safe", Label: "A worse one is called safe, probability", kind: aNumber},
		{Name: "max_error_increase", Label: "Advances with more errors, below (parts of 1)", kind: aNumber},
		{Name: "tolerate_error_increase", Label: "Is taken back with more errors, above (parts of 1)", kind: aNumber},
		{Name: "max_latency_increase_pct", Label: "Advances if slower, below (%)", kind: aNumber},
		{Name: "tolerate_latency_increase_pct", Label: "Is taken back if slower, above (%)", kind: aNumber},
		{Name: "max_first_token_increase_pct", Label: "Advances if the first token is later, below (%)", kind: aNumber},
		{Name: "tolerate_first_token_increase_pct", Label: "Is taken back if the first token is later, above (%)", kind: aNumber},
		{Name: "max_tokens_increase_pct", Label: "Advances with more tokens, below (%)", kind: aNumber},
		{Name: "tolerate_tokens_increase_pct", Label: "Is taken back with more tokens, above (%)", kind: aNumber},
		{Name: "max_cost_increase_pct", Label: "Advances if dearer, below (%)", kind: aNumber},
		{Name: "tolerate_cost_increase_pct", Label: "Is taken back if dearer, above (%)", kind: aNumber},
		{Name: "min_satisfaction_delta", Label: "Advances with less satisfaction, above (−4 to −0.01)", kind: aNumber},
		{Name: "tolerate_satisfaction_delta", Label: "Is taken back with less satisfaction, below (−4 to 0)", kind: aNumber},
	}
}

// guardFields are the fields with what was typed.
func guardFields(form url.Values) []guardField {
	defaults := make(url.Values)
	standard := registry.Guard{GuardRules: registry.Environment{}.GuardOf(registry.Every)}
	_ = guardForm(&standard, defaults) // a placeholder that is missing is no harm
	fields := guardRules()
	for i := range fields {
		fields[i].Value, fields[i].Default = form.Get("guard."+fields[i].Name), defaults.Get("guard."+fields[i].Name)
	}
	return fields
}

// guardForm writes the rules of a guard into a form.
func guardForm(g *registry.Guard, form url.Values) error {
	if g == nil {
		return nil
	}
	data, err := json.Marshal(g)
	if err != nil {
		return err
	}
	var said map[string]any
	if err := json.Unmarshal(data, &said); err != nil {
		return err
	}
	for _, f := range guardRules() {
		if v, ok := said[f.Name]; ok {
			form.Set("guard."+f.Name, fieldText(v))
		}
	}
	if len(g.Prompts) > 0 {
		text, err := json.MarshalIndent(g.Prompts, "", "  ")
		if err != nil {
			return err
		}
		form.Set("guard.prompts", string(text))
	}
	return nil
}

func fieldText(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			parts[i] = fieldText(one)
		}
		return strings.Join(parts, ", ")
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// readGuard reads the rules of a guard; nil if none is said. It reports
// prompt.ErrInvalid for what is none; whether they can be kept is not asked
// here.
func readGuard(form url.Values) (*registry.Guard, error) {
	said := make(map[string]any)
	for _, f := range guardRules() {
		text := strings.TrimSpace(form.Get("guard." + f.Name))
		if text == "" {
			continue
		}
		v, err := f.read(text)
		if err != nil {
			return nil, err
		}
		said[f.Name] = v
	}
	if text := strings.TrimSpace(form.Get("guard.prompts")); text != "" {
		if err := strictjson.Check([]byte(text)); err != nil {
			return nil, registry.Errorf(prompt.ErrInvalid, "guard: the rules of single prompts are no JSON: %v", err)
		}
		said["prompts"] = json.RawMessage(text)
	}
	if len(said) == 0 {
		return nil, nil //nolint:nilnil // which is what was said
	}
	data, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	var g registry.Guard
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		if errors.Is(err, prompt.ErrInvalid) {
			return nil, fmt.Errorf("guard: %w", err)
		}
		return nil, registry.Errorf(prompt.ErrInvalid, "guard: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return &g, nil
}

func (f *guardField) read(text string) (any, error) {
	switch f.kind {
	case aNumber:
		x, err := strconv.ParseFloat(strings.ReplaceAll(text, "−", "-"), 64)
		if err != nil {
			return nil, registry.Errorf(prompt.ErrInvalid, "guard: %s: %q is no number", f.Name, prompt.Clip(text, 40))
		}
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
	case aBool:
		return text == "true", nil
	case aList:
		return registry.SplitList(strings.ReplaceAll(text, "%", "")), nil
	default:
		return strings.TrimSpace(strings.TrimSuffix(text, "%")), nil
	}
}
