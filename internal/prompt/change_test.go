package prompt

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

// base is a prompt with something of each kind.
func base() Prompt {
	var p Prompt
	err := json.Unmarshal([]byte(`{
		"id": "support", "version": "1.0.0", "model": "m",
		"messages": [
			{"role": "system", "content": "You help with {{product}}."},
			{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
			{"role": "user", "content": "{{question}} in {{lang}}"}],
		"variables": {"product": {"trusted": true}, "question": {"max_length": 100}, "lang": {"default": "en"}, "n": {"type": "integer", "default": 5}},
		"parameters": {"temperature": 0.2, "stop": ["x", "y"]},
		"tools": [
			{"name": "lookup", "description": "Finds.", "input_schema": {"type": "object", "properties": {"description": {"type": "string", "description": "what"}}}},
			{"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}],
		"output_schema": {
			"type": "object", "title": "Answer", "required": ["text", "score"], "additionalProperties": false,
			"properties": {
				"text": {"type": "string", "description": "what to say"},
				"score": {"type": "number", "minimum": 0},
				"title": {"type": "string"},
				"list": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}}}}`), &p)
	if err != nil {
		panic(err)
	}
	return p
}

// edits are changes of base, each with the bump it needs and what is said.
var edits = []struct {
	name   string
	edit   func(*Prompt)
	bump   Bump
	detail string
}{
	{"nothing", func(*Prompt) {}, NoBump, ""},
	{"the id and the version", func(p *Prompt) { p.ID, p.Version = "x", "2.0.0" }, NoBump, ""},
	{"a description of a variable", variable("lang", func(v *Variable) { v.Description = "two letters" }), NoBump, ""},
	{"a default type that is spelt out", variable("lang", func(v *Variable) { v.Type = "string" }), NoBump, ""},
	{"a default as text", variable("n", func(v *Variable) { v.Default = "5" }), NoBump, ""},
	{"numbers and order of parameters", func(p *Prompt) { p.Parameters = raw(`{"stop" : ["x","y"], "temperature":2e-1 }`) }, NoBump, ""},

	{"wording of the system message", message(0, "You serve {{product}}."), Patch, "system message reworded"},
	{"wording of the user message", message(3, "{{lang}}: {{question}}"), Patch, "user message reworded"},
	{"wording of an example", message(1, "q2"), Patch, "examples changed: 2 → 2 messages"},
	{"more examples", func(p *Prompt) {
		p.Messages = slices.Insert(slices.Clone(p.Messages), 3, Message{User, "b"}, Message{Assistant, "c"})
	}, Patch, "examples changed: 2 → 4 messages"},
	{"no examples", func(p *Prompt) { p.Messages = slices.Delete(slices.Clone(p.Messages), 1, 3) }, Patch, "examples changed: 2 → 0 messages"},
	{"a description of a tool", replaceTools("Finds.", "Searches."), Patch, "tool lookup: its description changed"},
	{"the order of tools", func(p *Prompt) {
		p.Tools = raw("[" + between(p.Tools, `{"type": "f`, `}]`) + "}," + between(p.Tools, `{"name": "l`, `,`+"\n") + "]")
	}, Patch, "tools: their order changed"},
	{"a description in the schema", replaceSchema("what to say", "the answer"), Patch, "only descriptions"},
	{"the title of the schema", replaceSchema(`"title": "Answer", `, ""), Patch, "only descriptions"},
	{"the order of required names", replaceSchema(`["text", "score"]`, `["score", "text"]`), Patch, "order of names"},

	{"a new optional variable", declare("extra", Variable{Default: ""}), Minor, "optional variable extra added"},
	{"a variable that became optional", variable("question", func(v *Variable) { v.Default = "?" }), Minor, "variable question is now optional"},
	{"another default", variable("lang", func(v *Variable) { v.Default = "de" }), Minor, "variable lang: default en → de"},
	{"a higher limit", variable("question", func(v *Variable) { v.MaxLength = 200 }), Minor, "variable question: max_length 100 → 200"},
	{"no limit", variable("question", func(v *Variable) { v.MaxLength = 0 }), Minor, "variable question: max_length 100 → 0"},
	{"trust", variable("lang", func(v *Variable) { v.Trusted = true }), Minor, "variable lang: trusted false → true"},
	{"another model", func(p *Prompt) { p.Model = "m2" }, Minor, "model: m → m2"},
	{"other parameters", func(p *Prompt) { p.Parameters = raw(`{"temperature": 0.3, "stop": ["x", "y"]}`) }, Minor, "parameters: "},
	{"parameters in another order of a list", func(p *Prompt) { p.Parameters = raw(`{"temperature": 0.2, "stop": ["y", "x"]}`) }, Minor, "parameters: "},
	{"no parameters", func(p *Prompt) { p.Parameters = nil }, Minor, "→ null"},
	{"a new tool", replaceTools(`[`, `[{"name": "cancel"},`), Minor, "tool cancel added"},
	{"a new property", replaceSchema(`"title": {"type": "string"},`, `"title": {"type": "string"}, "lang": {"type": "string"},`), Minor, "property lang added"},
	{"a new property that is always there", func(p *Prompt) {
		replaceSchema(`"title": {"type": "string"},`, `"title": {"type": "string"}, "lang": {"type": "string"},`)(p)
		replaceSchema(`["text", "score"]`, `["text", "score", "lang"]`)(p)
	}, Minor, "property lang added"},
	{"a new property deep inside", replaceSchema(`"id": {"type": "integer"}`, `"id": {"type": "integer"}, "x": {}`), Minor, "output schema.list[]: property x added"},
	{"a user message", func(p *Prompt) { p.Messages = append(slices.Clone(p.Messages[:3]), Message{Assistant, "z"}) }, Major, "user message removed"},

	{"a variable removed", func(p *Prompt) { delete(p.Variables, "lang") }, Major, "variable lang removed"},
	{"a variable renamed", func(p *Prompt) {
		p.Variables["language"] = p.Variables["lang"]
		delete(p.Variables, "lang")
	}, Major, "variable lang removed"},
	{"a new required variable", declare("extra", Variable{}), Major, "required variable extra added"},
	{"a variable that became required", variable("lang", func(v *Variable) { v.Default = nil }), Major, "variable lang is now required"},
	{"another type", variable("n", func(v *Variable) { v.Type = "number" }), Major, "variable n: type integer → number"},
	{"a lower limit", variable("question", func(v *Variable) { v.MaxLength = 50 }), Major, "variable question: max_length 100 → 50"},
	{"a first limit", variable("lang", func(v *Variable) { v.MaxLength = 2 }), Major, "variable lang: max_length 0 → 2"},
	{"a tool removed", func(p *Prompt) { p.Tools = raw(`[` + between(p.Tools, `{"type": "f`, `}]`) + `}]`) }, Major, "tool lookup removed"},
	{"all tools removed", func(p *Prompt) { p.Tools = nil }, Major, "tool refund removed"},
	{"a tool renamed", replaceTools(`"refund"`, `"pay_back"`), Major, "tool refund removed"},
	{"parameters of a tool", replaceTools(`{"type": "object"}}}`, `{"type": "object", "required": ["x"]}}}`), Major, "tool refund: its parameters changed"},
	{"a parameter of a tool named like a note", replaceTools(`"properties": {"description": {"type": "string"`, `"properties": {"description": {"type": "integer"`), Major, "tool lookup: its parameters changed"},
	{"no output schema", func(p *Prompt) { p.OutputSchema = nil }, Major, "output schema removed"},
	{"a narrower type", replaceSchema(`"score": {"type": "number"`, `"score": {"type": "integer"`), Major, "output schema.score: type changed"},
	{"a narrower range", replaceSchema(`"minimum": 0`, `"minimum": 1`), Major, "output schema.score: minimum changed"},
	{"an enumeration", replaceSchema(`{"type": "string", "description": "what to say"}`, `{"type": "string", "enum": ["a"]}`), Major, "output schema.text: enum changed"},
	{"a property removed", replaceSchema(`"title": {"type": "string"},`, ``), Major, "property title removed"},
	{"a property that may be absent", replaceSchema(`["text", "score"]`, `["text"]`), Major, "output schema: required changed"},
	{"a type deep inside", replaceSchema(`"id": {"type": "integer"}`, `"id": {"type": "string"}`), Major, "output schema.list[].id: type changed"},
	{"properties of any name", replaceSchema(`, "additionalProperties": false`, ``), Major, "additionalProperties changed"},
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func variable(name string, edit func(*Variable)) func(*Prompt) {
	return func(p *Prompt) {
		v := p.Variables[name]
		edit(&v)
		p.Variables[name] = v
	}
}

func declare(name string, v Variable) func(*Prompt) {
	return func(p *Prompt) { p.Variables[name] = v }
}

func message(i int, content string) func(*Prompt) {
	return func(p *Prompt) {
		p.Messages = slices.Clone(p.Messages)
		p.Messages[i].Content = content
	}
}

func replaceIn(data *json.RawMessage, old, text string) {
	if !strings.Contains(string(*data), old) {
		panic(old)
	}
	*data = raw(strings.Replace(string(*data), old, text, 1))
}

func replaceTools(old, text string) func(*Prompt) {
	return func(p *Prompt) { replaceIn(&p.Tools, old, text) }
}

func replaceSchema(old, text string) func(*Prompt) {
	return func(p *Prompt) { replaceIn(&p.OutputSchema, old, text) }
}

// between is the text from one mark up to another.
func between(data json.RawMessage, from, to string) string {
	_, s, _ := strings.Cut(string(data), from)
	return from + s[:max(0, strings.LastIndex(s, to))]
}

func TestCompareNamesTheBumpOfEachChange(t *testing.T) {
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			a, b := base(), base()
			e.edit(&b)
			if !json.Valid(orNull(b.Tools)) || !json.Valid(orNull(b.OutputSchema)) {
				t.Fatalf("the edit is wrong: %s %s", b.Tools, b.OutputSchema)
			}
			cs := Compare(a, b)
			if got := RequiredBump(cs); got != e.bump {
				t.Fatalf("needs %s, want %s: %v", got, e.bump, cs)
			}
			if e.bump != NoBump && !strings.Contains(fmt.Sprint(cs), e.detail) {
				t.Errorf("%v do not say %q", cs, e.detail)
			}
			if !slices.IsSortedFunc(cs, func(x, y Change) int { return int(y.Bump - x.Bump) }) {
				t.Errorf("%v are not sorted", cs)
			}
		})
	}
}

func TestAnOutputSchemaThatIsNewIsMajor(t *testing.T) {
	a, b := base(), base()
	a.OutputSchema = raw(`{ }`)
	if cs := Compare(a, b); RequiredBump(cs) != Major || cs[0].Detail != "output schema added: the output was free text" {
		t.Error(cs)
	}
}

// An edited is base after some of the edits.
type edited struct {
	Prompt
	names string
}

func (edited) Generate(r *rand.Rand, _ int) reflect.Value {
	p := base()
	var names []string
	for range r.Intn(4) {
		e := edits[r.Intn(len(edits))]
		func() {
			defer func() {
				if recover() == nil { // an edit may need what another took away
					names = append(names, e.name)
				}
			}()
			e.edit(&p)
		}()
	}
	if !json.Valid(orNull(p.Tools)) || !json.Valid(orNull(p.OutputSchema)) {
		p = base()
	}
	return reflect.ValueOf(edited{p, strings.Join(names, ", ")})
}

// A release needs a bump exactly where the model or the caller sees a change.
func TestTheDigestChangesExactlyWhereCompareSeesAChange(t *testing.T) {
	law := func(a, b edited) bool {
		x, errX := a.Digest()
		y, errY := b.Digest()
		cs, back := Compare(a.Prompt, b.Prompt), Compare(b.Prompt, a.Prompt)
		if errX != nil || errY != nil || (x == y) != (len(cs) == 0) || (x == y) != (len(back) == 0) {
			t.Logf("%s | %s: %v %v %v %v", a.names, b.names, x == y, cs, errX, errY)
			return false
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 1000}); err != nil {
		t.Error("the law does not hold; see the log")
	}
}

func TestTheOriginalsAreLeftAlone(t *testing.T) {
	a, b := base(), base()
	edits[len(edits)-1].edit(&b)
	Compare(a, b)
	if !reflect.DeepEqual(a, base()) {
		t.Error("Compare changed its argument")
	}
}
