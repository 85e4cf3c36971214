package prompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// A Change is one difference between two prompts, and the least bump that
// tells callers of it.
type Change struct {
	Bump   Bump   `json:"bump"`
	Detail string `json:"detail"`
}

// Compare lists how b differs from a, the gravest change first. What a caller
// must adapt to is major, what it may use is minor, wording is patch.
func Compare(a, b Prompt) []Change {
	var cs changes
	cs.variables(a.Variables, b.Variables)
	cs.schema(a.OutputSchema, b.OutputSchema)
	cs.tools(a.Tools, b.Tools)
	if a.Model != b.Model {
		cs.add(Minor, "model: %s → %s", a.Model, b.Model)
	}
	if !sameJSON(a.Parameters, b.Parameters) {
		cs.add(Minor, "parameters: %s → %s", onOneLine(a.Parameters), onOneLine(b.Parameters))
	}
	cs.messages(a.Messages, b.Messages)
	slices.SortStableFunc(cs, func(x, y Change) int { return int(y.Bump - x.Bump) })
	return cs
}

// RequiredBump is the least bump that the changes allow.
func RequiredBump(cs []Change) Bump {
	b := NoBump
	for _, c := range cs {
		b = max(b, c.Bump)
	}
	return b
}

type changes []Change

func (cs *changes) add(b Bump, format string, args ...any) {
	*cs = append(*cs, Change{b, fmt.Sprintf(format, args...)})
}

func (cs *changes) variables(a, b map[string]Variable) {
	for _, name := range union(a, b) {
		x, before := a[name]
		y, after := b[name]
		switch {
		case !after:
			cs.add(Major, "variable %s removed", name)
		case !before && y.IsRequired():
			cs.add(Major, "required variable %s added", name)
		case !before:
			cs.add(Minor, "optional variable %s added", name)
		default:
			cs.variable(name, x, y)
		}
	}
}

func (cs *changes) variable(name string, x, y Variable) {
	switch {
	case x.Kind() != y.Kind():
		cs.add(Major, "variable %s: type %s → %s", name, x.Kind(), y.Kind())
	case !x.IsRequired() && y.IsRequired():
		cs.add(Major, "variable %s is now required", name)
	case x.IsRequired() && !y.IsRequired():
		cs.add(Minor, "variable %s is now optional", name)
	}
	if x.MaxLength != y.MaxLength {
		b := Minor
		if y.MaxLength != 0 && (x.MaxLength == 0 || y.MaxLength < x.MaxLength) {
			b = Major
		}
		cs.add(b, "variable %s: max_length %d → %d", name, x.MaxLength, y.MaxLength)
	}
	if x.Default != nil && y.Default != nil {
		before, _ := x.format(x.Default)
		after, _ := y.format(y.Default)
		if before != after {
			cs.add(Minor, "variable %s: default %v → %v", name, x.Default, y.Default)
		}
	}
	if x.Trusted != y.Trusted {
		cs.add(Minor, "variable %s: trusted %t → %t", name, x.Trusted, y.Trusted)
	}
}

func (cs *changes) messages(a, b []Message) {
	for _, role := range []string{System, User} {
		x, y := last(a, role), last(b, role)
		switch {
		case x == nil && y == nil:
		case y == nil:
			cs.add(Major, "%s message removed", role)
		case x == nil:
			cs.add(Minor, "%s message added", role)
		case x.Content != y.Content:
			cs.add(Patch, "%s message reworded", role)
		}
	}
	if !slices.Equal(Examples(a), Examples(b)) {
		cs.add(Patch, "examples changed: %d → %d messages", len(Examples(a)), len(Examples(b)))
	}
}

// last returns the message with the role that a file of its own holds.
func last(ms []Message, role string) *Message {
	if role == System && len(ms) > 0 && ms[0].Role == System {
		return &ms[0]
	}
	if n := len(ms); role == User && n > 1 && ms[n-1].Role == User {
		return &ms[n-1]
	}
	return nil
}

// Examples returns the messages between the system message and the user
// template.
func Examples(ms []Message) []Message {
	from, to := 0, len(ms)
	if last(ms, System) != nil {
		from++
	}
	if last(ms, User) != nil {
		to--
	}
	return ms[from:max(from, to)]
}

func (cs *changes) tools(a, b json.RawMessage) {
	x, y := toolsByName(a), toolsByName(b)
	known := len(*cs)
	for _, name := range union(x, y) {
		before, had := x[name]
		after, has := y[name]
		switch {
		case !has:
			cs.add(Major, "tool %s removed", name)
		case !had:
			cs.add(Minor, "tool %s added", name)
		case !reflect.DeepEqual(withoutNotes(before), withoutNotes(after)):
			cs.add(Major, "tool %s: its parameters changed", name)
		case !reflect.DeepEqual(before, after):
			cs.add(Patch, "tool %s: its description changed", name)
		}
	}
	if len(*cs) == known && !sameJSON(a, b) {
		cs.add(Patch, "tools: their order changed")
	}
}

// toolsByName reads both forms in use: {"name": …} and
// {"type": "function", "function": {"name": …}}.
func toolsByName(raw json.RawMessage) map[string]any {
	var tools []map[string]any
	if json.Unmarshal(orNull(raw), &tools) != nil {
		return nil
	}
	out := make(map[string]any, len(tools))
	for i, t := range tools {
		fn := t
		if inner, ok := t["function"].(map[string]any); ok {
			fn = inner
		}
		name, ok := fn["name"].(string)
		if !ok {
			name = fmt.Sprintf("#%d", i+1)
		}
		out[name] = t
	}
	return out
}

func sameJSON(a, b json.RawMessage) bool {
	a, b = orNull(a), orNull(b)
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func onOneLine(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, orNull(raw)) != nil {
		return string(raw)
	}
	return b.String()
}

func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]V)
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
