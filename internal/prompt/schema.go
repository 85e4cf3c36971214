package prompt

import (
	"encoding/json"
	"maps"
	"reflect"
)

// schema judges a change of the output schema for the program that reads the
// output. It can prove two kinds of change harmless: notes (a title, a
// description) and a property that was added. Everything else, a narrower type
// as much as a wider one, may break a reader and is major.
func (cs *changes) schema(a, b json.RawMessage) {
	a, b = orNull(a), orNull(b)
	if sameJSON(a, b) {
		return
	}
	switch {
	case string(a) == "null":
		cs.add(Major, "output schema added: the output was free text")
		return
	case string(b) == "null":
		cs.add(Major, "output schema removed: the output is free text now")
		return
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		cs.add(Major, "output schema changed")
		return
	}
	known := len(*cs)
	cs.schemaAt("output schema", withoutNotes(x), withoutNotes(y))
	if len(*cs) == known {
		cs.add(Patch, "output schema: only descriptions or the order of names changed")
	}
}

func (cs *changes) schemaAt(where string, x, y any) {
	if reflect.DeepEqual(x, y) {
		return
	}
	a, okA := x.(map[string]any)
	b, okB := y.(map[string]any)
	if !okA || !okB {
		cs.add(Major, "%s changed", where)
		return
	}
	pa, _ := a["properties"].(map[string]any)
	pb, _ := b["properties"].(map[string]any)
	added := make(map[string]bool)
	for _, name := range union(pa, pb) {
		_, before := pa[name]
		_, after := pb[name]
		switch {
		case !after:
			cs.add(Major, "%s: property %s removed", where, name)
		case !before:
			added[name] = true
			cs.add(Minor, "%s: property %s added", where, name)
		default:
			cs.schemaAt(where+"."+name, pa[name], pb[name])
		}
	}
	if ia, ib := a["items"], b["items"]; ia != nil && ib != nil {
		cs.schemaAt(where+"[]", ia, ib)
	}
	for _, key := range union(a, b) {
		switch key {
		case "properties":
			continue
		case "items":
			if a[key] != nil && b[key] != nil {
				continue
			}
		case "required":
			if reflect.DeepEqual(names(a[key]), names(b[key], added)) {
				continue
			}
		}
		if !reflect.DeepEqual(a[key], b[key]) {
			cs.add(Major, "%s: %s changed", where, key)
		}
	}
}

// names is a list of strings as a set, without the ones to leave out.
func names(v any, without ...map[string]bool) map[string]bool {
	out := make(map[string]bool)
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out[s] = true
		}
	}
	for _, w := range without {
		maps.DeleteFunc(out, func(k string, _ bool) bool { return w[k] })
	}
	return out
}

// withoutNotes drops what no program depends on. Below "properties" a key is
// a name and not a keyword, and stays.
func withoutNotes(v any) any { return dropNotes(v, false) }

func dropNotes(v any, areNames bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			note := k == "description" || k == "title" || k == "examples" || k == "$comment"
			if !note || areNames {
				out[k] = dropNotes(e, k == "properties" && !areNames)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = dropNotes(e, false)
		}
		return out
	}
	return v
}
