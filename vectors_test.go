package incipit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec" //nolint:depguard // the vectors are proved by a program in another language
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

// checkVectors holds a file of vectors against what the code says now. Vectors
// that change mean that subjects move, or that digests no longer match: look
// twice before -update.
func checkVectors(t *testing.T, name, about string, parts ...vectorPart) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"about\": %s", compact(t, about))
	for _, p := range parts {
		fmt.Fprintf(&b, ",\n  %s: [", compact(t, p.key))
		for i, row := range p.rows {
			b.WriteString(strings.Repeat(",", min(i, 1)) + "\n    " + compact(t, row))
		}
		b.WriteString("\n  ]")
	}
	b.WriteString("\n}\n")

	file := filepath.Join("testdata", "vectors", name)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(lines)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(lines) {
			w = lines[i]
		}
		if g != w {
			t.Fatalf("%s:%d differs\n got %s\nwant %s", file, i+1, g, w)
		}
	}
}

// A vectorPart is a list of vectors, one a line.
type vectorPart struct {
	key  string
	rows []any
}

func compact(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

const bucketingAbout = `slot is the slot, from 0 to 99999, that subject falls into. ` +
	`fnv1a-fmix32: h = fnv1a32(salt + "\x00" + subject) over UTF-8 bytes (offset 2166136261, prime 16777619); ` +
	`h ^= h >> 16; h *= 0x85ebca6b; h ^= h >> 13; h *= 0xc2b2ae35; h ^= h >> 16, all modulo 2^32; slot = (uint64(h) * 100000) >> 32. ` +
	`md5-100: slot = (the 128-bit big-endian MD5 of subject modulo 100) * 1000, whatever the salt. ` +
	`bulk: sha256 is over the slots of the subjects prefix + "0" to prefix + (count - 1), in decimal, each followed by a newline. ` +
	`assign: a subject gets the arm one of whose ranges [from, to) holds its slot.`

func TestBucketingVectors(t *testing.T) {
	type row struct {
		Bucketing registry.Bucketing `json:"bucketing"`
		Salt      string             `json:"salt"`
		Subject   string             `json:"subject"`
		Slot      uint32             `json:"slot"`
	}
	salts := []string{"", "a", "customer-support#1", "billing/refunds#27", "a longer salt with spaces", "Grüße", "🦀", "a\x00b"}
	subjects := []string{
		"", "0", "1", "42", "a", "A", " ", "user", "user ", "user-1", "user-2", "user-1000000", "alice@example.com",
		"018f3c2e-7b1a-7c3d-9e4f-0123456789ab", "conversation/7f3a", "b\x00c", "\x00", "line\nbreak", "tab\there", `quote"back\slash`,
		"é", "e\u0301", "Ünïcödé", "你好", "שלום", "🦀🦀", "\u2028", "\U0010ffff", strings.Repeat("long", 256), strings.Repeat("長い", 500),
	}
	var rows []any
	for _, salt := range salts {
		for _, subject := range subjects {
			rows = append(rows, row{registry.DefaultBucketing, salt, subject, registry.DefaultBucketing.Slot(salt, subject)})
		}
	}
	for i, subject := range subjects {
		salt := salts[i%len(salts)]
		rows = append(rows, row{registry.MD5Bucketing, salt, subject, registry.MD5Bucketing.Slot(salt, subject)})
	}
	for i := range 40 {
		subject := fmt.Sprintf("subject-%d", i*i*i)
		rows = append(rows, row{registry.MD5Bucketing, "", subject, registry.MD5Bucketing.Slot("", subject)})
	}

	type bulk struct {
		Bucketing registry.Bucketing `json:"bucketing"`
		Salt      string             `json:"salt"`
		Prefix    string             `json:"prefix"`
		Count     int                `json:"count"`
		SHA256    string             `json:"sha256"`
	}
	var bulks []any
	for _, b := range []bulk{
		{Bucketing: registry.DefaultBucketing, Salt: "customer-support#1", Prefix: "user-"},
		{Bucketing: registry.DefaultBucketing, Salt: "", Prefix: ""},
		{Bucketing: registry.DefaultBucketing, Salt: "Grüße", Prefix: "ü"},
		{Bucketing: registry.MD5Bucketing, Salt: "", Prefix: "user-"},
	} {
		b.Count = 10_000
		sum := sha256.New()
		for i := range b.Count {
			fmt.Fprintln(sum, b.Bucketing.Slot(b.Salt, fmt.Sprint(b.Prefix, i)))
		}
		b.SHA256 = hex.EncodeToString(sum.Sum(nil))
		bulks = append(bulks, b)
	}

	type assign struct {
		Bucketing registry.Bucketing `json:"bucketing"`
		Salt      string             `json:"salt"`
		Arms      []registry.Arm     `json:"arms"`
		Subject   string             `json:"subject"`
		Arm       string             `json:"arm"`
	}
	var assigns []any
	for i, share := range []registry.Share{0, 1, 250, 5_000, 25_000, 50_000, 99_999, registry.Scale} {
		for _, b := range []registry.Bucketing{registry.DefaultBucketing, registry.MD5Bucketing} {
			stable, candidate := registry.Arm{Version: prompt.Version{Major: 1}}, registry.Arm{Version: prompt.Version{Major: 1, Minor: 1}}
			r := registry.NewRollout(registry.Canary, b, "greeting#7", stable, candidate, nil).WithShare(share)
			if r.Validate() != nil {
				continue // md5-100 knows whole percents alone
			}
			for n := range 6 {
				subject := fmt.Sprintf("user-%d", 100*i+n)
				assigns = append(assigns, assign{b, r.Salt, r.Arms, subject, r.Assign(subject).Name})
			}
		}
	}
	checkVectors(t, "bucketing.json", bucketingAbout, vectorPart{"cases", rows}, vectorPart{"bulk", bulks}, vectorPart{"assign", assigns})
}

const renderingAbout = `messages are templates, variables what the prompt declares, vars what a caller gives. ` +
	`Rendering is one pass: {{name}}, with white space allowed around name, is replaced by its value, which is never read as a template; ` +
	`\{{ is two plain braces; the }} that closes ends at most 1024 bytes behind the {{. A name is a letter or _ and up to 63 letters, digits and _ (ASCII). ` +
	`A variable is required if "required" says so, else if it has no default. ` +
	`An error is one of: template (a {{ that cannot be read), include (one that was not expanded), undeclared (a name in a message without a declaration), ` +
	`default (a default that does not fit), missing, unknown (given but not declared), type, length (more characters than max_length). ` +
	`integer: an optional sign and digits, within 64 bits; number: a decimal with optional fraction and exponent, finite; boolean: true or false. ` +
	`A default is written as it stands if it is a string, as true or false, or as the shortest decimal without an exponent; a number of 2^53 or more does not fit.`

var renderings = []struct{ name, messages, variables, vars, failure string }{
	{"plain text stays", `[{"role":"system","content":"Be kind.\n"}]`, `{}`, `{}`, ""},
	{"a value goes in", `[{"role":"user","content":"Hi {{name}}!"}]`, `{"name":{}}`, `{"name":"Ann"}`, ""},
	{"at both ends and twice", `[{"role":"user","content":"{{a}}{{b}}{{a}}"}]`, `{"a":{},"b":{}}`, `{"a":"1","b":"2"}`, ""},
	{"white space around a name does not count", `[{"role":"user","content":"{{ a }}{{\n\ta}}{{\u00a0a\u2003}}"}]`, `{"a":{}}`, `{"a":"x"}`, ""},
	{"several messages", `[{"role":"system","content":"S {{a}}"},{"role":"user","content":"q"},{"role":"assistant","content":"r"},{"role":"user","content":"{{b}}"}]`, `{"a":{"trusted":true},"b":{}}`, `{"a":"1","b":"2"}`, ""},
	{"a value that looks like a variable stays as it is", `[{"role":"user","content":"{{a}} {{b}}"}]`, `{"a":{},"b":{}}`, `{"a":"{{b}}","b":"{{a}}"}`, ""},
	{"a value that makes a variable with its surroundings stays too", `[{"role":"user","content":"{ {{a}} }"}]`, `{"a":{}}`, `{"a":"{a}"}`, ""},
	{"other languages' templates are plain text", `[{"role":"user","content":"{{a}}"}]`, `{"a":{}}`, `{"a":"{%import os%} ${7*7} {0.__class__} <%= 1 %> {{.Env}}"}`, ""},
	{"a backslash value is no escape", `[{"role":"user","content":"{{a}}{{b}}"}]`, `{"a":{},"b":{}}`, `{"a":"\\","b":"x"}`, ""},
	{"an escape is two braces", `[{"role":"user","content":"write \\{{name}} for a name"}]`, `{}`, `{}`, ""},
	{"an escape beside a variable", `[{"role":"user","content":"\\{{{{a}}}}"}]`, `{"a":{}}`, `{"a":"x"}`, ""},
	{"a second backslash stays", `[{"role":"user","content":"a\\\\{{b}}"}]`, `{}`, `{}`, ""},
	{"a backslash elsewhere stays", `[{"role":"user","content":"C:\\dir\\{a} {{a}}\\"}]`, `{"a":{}}`, `{"a":"x"}`, ""},
	{"single braces are text", `[{"role":"user","content":"{\"a\": {}} {{a}} }} { {"}]`, `{"a":{}}`, `{"a":"x"}`, ""},
	{"unicode in text and value", `[{"role":"user","content":"Grüße {{a}} 🦀"}]`, `{"a":{}}`, `{"a":"你好\u202e"}`, ""},
	{"an empty value", `[{"role":"user","content":"[{{a}}]"}]`, `{"a":{}}`, `{"a":""}`, ""},
	{"no messages", `[]`, `{}`, `{}`, ""},

	{"a default fills in", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"default":"x"}}`, `{}`, ""},
	{"a value wins over it", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"default":"x"}}`, `{"a":"y"}`, ""},
	{"even an empty one", `[{"role":"user","content":"[{{a}}]"}]`, `{"a":{"default":"x"}}`, `{"a":""}`, ""},
	{"a default that looks like a variable stays", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"default":"{{a}}"}}`, `{}`, ""},
	{"a whole default", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer","default":1000000}}`, `{}`, ""},
	{"a default with an exponent", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer","default":1e3}}`, `{}`, ""},
	{"a small default", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number","default":1.5e-7}}`, `{}`, ""},
	{"a default of one point zero", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number","default":1.0}}`, `{}`, ""},
	{"a negative zero is zero", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number","default":-0.0}}`, `{}`, ""},
	{"a default of false", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"boolean","default":false}}`, `{}`, ""},
	{"a number may be the default of a string", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"default":2.5}}`, `{}`, ""},
	{"optional by name and without a default is empty", `[{"role":"user","content":"[{{a}}]"}]`, `{"a":{"required":false}}`, `{}`, ""},

	{"integers", `[{"role":"user","content":"{{a}} {{b}} {{c}} {{d}}"}]`, `{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"},"d":{"type":"integer"}}`, `{"a":"-9223372036854775808","b":"9223372036854775807","c":"+5","d":"007"}`, ""},
	{"numbers", `[{"role":"user","content":"{{a}} {{b}} {{c}} {{d}}"}]`, `{"a":{"type":"number"},"b":{"type":"number"},"c":{"type":"number"},"d":{"type":"number"}}`, `{"a":"-0.5","b":"1e300","c":".5","d":"12."}`, ""},
	{"booleans", `[{"role":"user","content":"{{a}} {{b}}"}]`, `{"a":{"type":"boolean"},"b":{"type":"boolean"}}`, `{"a":"true","b":"false"}`, ""},
	{"max_length counts characters", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"max_length":3}}`, `{"a":"日本語"}`, ""},

	{"one that is not closed", `[{"role":"user","content":"{{a"}]`, `{"a":{}}`, `{"a":"x"}`, "template"},
	{"one that closes too far away", `[{"role":"user","content":"{{a` + strings.Repeat(" ", 1024) + `}}"}]`, `{"a":{}}`, `{"a":"x"}`, "template"},
	{"one that closes just in time", `[{"role":"user","content":"{{a` + strings.Repeat(" ", 1021) + `}}"}]`, `{"a":{}}`, `{"a":"x"}`, ""},
	{"an empty name", `[{"role":"user","content":"{{}}"}]`, `{}`, `{}`, "template"},
	{"a name with a dash", `[{"role":"user","content":"{{a-b}}"}]`, `{"a-b":{}}`, `{"a-b":"x"}`, "template"},
	{"a name with a dot", `[{"role":"user","content":"{{.Env}}"}]`, `{}`, `{}`, "template"},
	{"a name with an accent", `[{"role":"user","content":"{{é}}"}]`, `{"é":{}}`, `{"é":"x"}`, "template"},
	{"a name that starts with a digit", `[{"role":"user","content":"{{1a}}"}]`, `{"1a":{}}`, `{"1a":"x"}`, "template"},
	{"a name of 65 letters", `[{"role":"user","content":"{{` + strings.Repeat("a", 65) + `}}"}]`, `{}`, `{}`, "template"},
	{"three braces", `[{"role":"user","content":"{{{a}}}"}]`, `{"a":{}}`, `{"a":"x"}`, "template"},
	{"a block", `[{"role":"user","content":"{{#if a}}x{{/if}}"}]`, `{"a":{}}`, `{"a":"x"}`, "template"},
	{"an include", `[{"role":"user","content":"{{> tone}}"}]`, `{}`, `{}`, "include"},
	{"a variable that is not declared", `[{"role":"user","content":"{{a}}"}]`, `{}`, `{"a":"x"}`, "undeclared"},
	{"names are case-sensitive", `[{"role":"user","content":"{{A}}"}]`, `{"a":{}}`, `{"a":"x"}`, "undeclared"},
	{"a value that is missing", `[{"role":"user","content":"{{a}}"}]`, `{"a":{}}`, `{}`, "missing"},
	{"one that is declared and stands nowhere must be given too", `[{"role":"user","content":"x"}]`, `{"a":{}}`, `{}`, "missing"},
	{"a value that nobody asked for", `[{"role":"user","content":"{{a}}"}]`, `{"a":{}}`, `{"a":"x","b":"y"}`, "unknown"},
	{"a fraction for an integer", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer"}}`, `{"a":"1.0"}`, "type"},
	{"an integer beyond 64 bits", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer"}}`, `{"a":"9223372036854775808"}`, "type"},
	{"an integer with a space", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer"}}`, `{"a":" 1"}`, "type"},
	{"digits of another script", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer"}}`, `{"a":"１２"}`, "type"},
	{"an integer with underscores", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer"}}`, `{"a":"1_000"}`, "type"},
	{"not a number", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number"}}`, `{"a":"NaN"}`, "type"},
	{"infinity", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number"}}`, `{"a":"Inf"}`, "type"},
	{"a number beyond a double", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number"}}`, `{"a":"1e309"}`, "type"},
	{"a hexadecimal number", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number"}}`, `{"a":"0x10p0"}`, "type"},
	{"an empty number", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"number"}}`, `{"a":""}`, "type"},
	{"a boolean with a capital", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"boolean"}}`, `{"a":"True"}`, "type"},
	{"one character too many", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"max_length":3}}`, `{"a":"日本語!"}`, "length"},
	{"a default of the wrong type", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer","default":"x"}}`, `{"a":"1"}`, "default"},
	{"a default with a fraction", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer","default":1.5}}`, `{"a":"1"}`, "default"},
	{"a list as a default", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"default":[1]}}`, `{}`, "default"},
	{"a default that is too long", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"max_length":1,"default":"xy"}}`, `{}`, "default"},
	{"a default that a double cannot hold", `[{"role":"user","content":"{{a}}"}]`, `{"a":{"type":"integer","default":9007199254740993}}`, `{}`, "default"},
}

func TestRenderingVectors(t *testing.T) {
	type row struct {
		Name      string           `json:"name"`
		Messages  json.RawMessage  `json:"messages"`
		Variables json.RawMessage  `json:"variables"`
		Vars      json.RawMessage  `json:"vars"`
		Rendered  []prompt.Message `json:"rendered,omitempty"`
		Error     string           `json:"error,omitempty"`
	}
	says := map[string]string{
		"template": "{{", "include": "is not expanded", "undeclared": "is not declared", "default": "default of variable", "missing": "is missing",
		"unknown": "this prompt has", "type": "is not a value of type", "length": "characters, at most",
	}
	var rows []any
	for _, c := range renderings {
		var (
			p    prompt.Prompt
			vars prompt.Vars
		)
		if err := errors.Join(json.Unmarshal([]byte(c.messages), &p.Messages), json.Unmarshal([]byte(c.variables), &p.Variables), json.Unmarshal([]byte(c.vars), &vars)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var rendered []prompt.Message
		tmpl, err := prompt.Compile(p)
		if err == nil {
			rendered, err = tmpl.Render(vars)
		}
		switch {
		case c.failure == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.failure != "" && (!errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), says[c.failure])):
			t.Errorf("%s: got %q and %v, want an error about %s", c.name, rendered, err, c.failure)
		}
		rows = append(rows, row{c.name, json.RawMessage(c.messages), json.RawMessage(c.variables), json.RawMessage(c.vars), rendered, c.failure})
	}
	checkVectors(t, "rendering.json", renderingAbout, vectorPart{"cases", rows})
}

const digestAbout = `digest is "sha256:" and the hexadecimal SHA-256 of canonical, which is the RFC 8785 form (UTF-8, no white space, keys in the order of their UTF-16 code units, ` +
	`numbers as ECMAScript prints them, -0 as 0) of an object with the keys format ("incipit-prompt/1"), model, messages (role and content of each), ` +
	`variables (by name: type, "string" unless said; required, as said or else true without a default; default, null or the text that rendering would insert; max_length, 0 unless said; trusted, false unless said), ` +
	`parameters, tools and output_schema (null for absent, {} and []). Id, version and descriptions of variables take no part. ` +
	`An integer beyond 2^53 has no digest: readers would round it. Equal digests mean that a model is asked the same.`

var digests = []struct{ name, prompt string }{
	{"the least prompt", `{"model":"m","messages":[{"role":"system","content":"Be kind."}]}`},
	{"id and version take no part", `{"id":"billing/refunds","version":"1.2.3","model":"m","messages":[{"role":"system","content":"Be kind."}]}`},
	{"empty is the same as absent", `{"model":"m","messages":[{"role":"system","content":"Be kind."}],"variables":{},"parameters":{},"tools":[],"output_schema":{}}`},
	{"another model", `{"model":"m2","messages":[{"role":"system","content":"Be kind."}]}`},
	{"a final newline counts", `{"model":"m","messages":[{"role":"system","content":"Be kind.\n"}]}`},
	{"another role", `{"model":"m","messages":[{"role":"user","content":"Be kind."}]}`},
	{"no messages", `{"model":"m","messages":[]}`},
	{"few-shot examples", `{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"{{x}}"}],"variables":{"x":{}}}`},
	{"unicode stays unescaped", `{"model":"m","messages":[{"role":"system","content":"Grüße 你好 🦀 \u2028 \u2029 \u007f \ufeff"}]}`},
	{"composed and decomposed differ", `{"model":"m","messages":[{"role":"system","content":"e\u0301"}]}`},
	{"composed", `{"model":"m","messages":[{"role":"system","content":"\u00e9"}]}`},
	{"control characters, quotes and slashes", `{"model":"m","messages":[{"role":"system","content":"\u0000\u0001\b\t\n\u000b\f\r\u001f\"\\/<>&'"}]}`},
	{"a variable with everything unsaid", `{"model":"m","messages":[],"variables":{"a":{}}}`},
	{"a variable with everything said", `{"model":"m","messages":[],"variables":{"a":{"type":"integer","required":false,"default":5,"max_length":20,"trusted":true,"description":"takes no part"}}}`},
	{"defaults of each type", `{"model":"m","messages":[],"variables":{"s":{"default":"x"},"i":{"type":"integer","default":1e3},"n":{"type":"number","default":1.50},"b":{"type":"boolean","default":false},"e":{"default":""},"z":{"type":"number","default":-0.0},"t":{"type":"number","default":1e-7}}}`},
	{"a default as text is the same as the number", `{"model":"m","messages":[],"variables":{"s":{"default":"x"},"i":{"type":"integer","default":"1000"},"n":{"type":"number","default":"1.5"},"b":{"type":"boolean","default":"false"},"e":{"default":""},"z":{"type":"number","default":0},"t":{"type":"number","default":"0.0000001"}}}`},
	{"a long integer among numbers", `{"model":"m","messages":[],"parameters":{"a":1e30,"b":0.000001,"c":-0,"d":-0.0,"e":1.0,"f":0.1,"g":1e-7,"h":1e21,"i":123456789012345680000,"j":4.50,"k":9007199254740992,"l":-9007199254740992,"m":333333333.33333329,"n":5e-324,"o":1.7976931348623157e308,"p":100,"q":1E2,"r":0.00001234,"s":-1.5e-9,"t":1e20}}`},
	{"numbers", `{"model":"m","messages":[],"parameters":{"a":1e30,"b":0.000001,"c":-0,"d":-0.0,"e":1.0,"f":0.1,"g":1e-7,"h":1e21,"i":1.2345678901234568e20,"j":4.50,"k":9007199254740992,"l":-9007199254740992,"m":333333333.33333329,"n":5e-324,"o":1.7976931348623157e308,"p":100,"q":1E2,"r":0.00001234,"s":-1.5e-9,"t":1e20}}`},
	{"an integer beyond 2^53", `{"model":"m","messages":[],"parameters":{"seed":9007199254740993}}`},
	{"an integer beyond 64 bits", `{"model":"m","messages":[],"parameters":{"seed":100000000000000000000}}`},
	{"the order of keys does not count", `{"model":"m","messages":[],"parameters":{"top_p":1,"temperature":0.2,"stop":["b","a"]}}`},
	{"the order of keys does not count, the other way", `{"model":"m","messages":[],"parameters":{"stop":["b","a"],"temperature":2e-1,"top_p":1.0}}`},
	{"the order of a list does", `{"model":"m","messages":[],"parameters":{"top_p":1,"temperature":0.2,"stop":["a","b"]}}`},
	{"keys beyond the basic plane come before U+FB33", `{"model":"m","messages":[],"parameters":{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\r":4,"1":5,"\u0080":6,"\u00f6":7,"\uffff":8,"\ud800\udc00":9,"A":10,"a":11,"":12}}`},
	{"variables are sorted the same way", `{"model":"m","messages":[],"variables":{"b":{},"_":{},"A":{},"a":{},"a1":{},"aB":{}}}`},
	{"tools", `{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"refund","description":"Pays back.","parameters":{"type":"object","properties":{"amount":{"type":"number"},"order":{"type":"string"}},"required":["order"]}}},{"name":"lookup","input_schema":{"type":"object"}}]}`},
	{"an output schema", `{"model":"m","messages":[],"output_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"sentiment":{"enum":["good","bad",null]},"score":{"type":"number","minimum":0,"maximum":1}},"required":["sentiment"],"additionalProperties":false}}`},
	{"null, true and false inside", `{"model":"m","messages":[],"parameters":{"a":null,"b":true,"c":false,"d":[],"e":{},"f":[[],{}]}}`},
	{"everything at once", `{"model":"claude-sonnet-4-5","messages":[{"role":"system","content":"You support {{product}}."},{"role":"user","content":"{{question}}"}],"variables":{"product":{"trusted":true,"max_length":80},"question":{"max_length":4000},"lang":{"default":"en"}},"parameters":{"temperature":0.2,"max_tokens":1024},"tools":[{"name":"lookup"}],"output_schema":{"type":"object"}}`},
}

func TestDigestVectors(t *testing.T) {
	type row struct {
		Name      string          `json:"name"`
		Prompt    json.RawMessage `json:"prompt"`
		Canonical string          `json:"canonical,omitempty"`
		Digest    string          `json:"digest,omitempty"`
		Error     string          `json:"error,omitempty"`
	}
	var rows []any
	for _, c := range digests {
		var p prompt.Prompt
		if err := json.Unmarshal([]byte(c.prompt), &p); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := row{Name: c.name, Prompt: json.RawMessage(c.prompt)}
		digest, err := p.Digest()
		if err != nil {
			r.Error = "integer"
			if !strings.Contains(err.Error(), "beyond 2^53") {
				t.Errorf("%s: %v", c.name, err)
			}
		} else {
			r.Canonical, r.Digest = string(document(t, p)), digest
			sum := sha256.Sum256([]byte(r.Canonical))
			if got := "sha256:" + hex.EncodeToString(sum[:]); got != digest {
				t.Errorf("%s: the document of the description has the digest %s, Digest says %s\n%s", c.name, got, digest, r.Canonical)
			}
		}
		rows = append(rows, r)
	}
	checkVectors(t, "digest.json", digestAbout, vectorPart{"cases", rows})
}

// document builds what a digest is taken over from the description in
// digestAbout. A default is what rendering inserts.
func document(t *testing.T, p prompt.Prompt) []byte {
	t.Helper()
	variables := map[string]any{}
	for name, v := range p.Variables {
		contract := map[string]any{"type": "string", "required": v.Default == nil, "default": nil, "max_length": v.MaxLength, "trusted": v.Trusted}
		if v.Type != "" {
			contract["type"] = v.Type
		}
		if v.Required != nil {
			contract["required"] = *v.Required
		}
		if v.Default != nil {
			tmpl, err := prompt.Compile(prompt.Prompt{
				Variables: map[string]prompt.Variable{"x": v},
				Messages:  []prompt.Message{{Role: prompt.User, Content: "{{x}}"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := tmpl.Render(nil)
			if err != nil {
				t.Fatal(err)
			}
			contract["default"] = rendered[0].Content
		}
		variables[name] = contract
	}
	doc := map[string]any{"format": "incipit-prompt/1", "model": p.Model, "messages": p.Messages, "variables": variables}
	for key, raw := range map[string]json.RawMessage{"parameters": p.Parameters, "tools": p.Tools, "output_schema": p.OutputSchema} {
		doc[key] = raw
		if len(raw) == 0 || string(raw) == "{}" || string(raw) == "[]" {
			doc[key] = nil
		}
	}
	canonical, err := strictjson.Canonical(doc)
	if err != nil {
		t.Fatal(err)
	}
	return canonical
}

const versionsAbout = `order: versions from the lowest to the highest, by Semantic Versioning 2.0.0 §11. ` +
	`invalid: texts that are no version here: MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRE, each number from 0 to 4294967295, at most 64 characters, nothing that would be printed differently, no build metadata. ` +
	`next: the version that a bump makes of a stable version, and the bump that leads there.`

func TestVersionVectors(t *testing.T) {
	order := []string{
		"0.0.0-0", "0.0.0", "0.0.1", "0.1.0", "0.9.0", "0.10.0", "1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999", "1.0.0--", "1.0.0---1", "1.0.0-0A",
		"1.0.0-1a", "1.0.0-A", "1.0.0-a", "1.0.0-a.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc", "1.0.0-rc.1", "1.0.0-rc.1.0", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0-rc-1", "1.0.0-rc1", "1.0.0-rc10", "1.0.0-rc2", "1.0.0", "1.0.1-rc.1", "1.0.1", "1.0.9", "1.0.10", "1.1.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "10.0.0",
		"4294967295.4294967295.4294967295-rc.1", "4294967295.4294967295.4294967295",
	}
	var versions []prompt.Version
	var ordered []any
	for _, s := range order {
		v, err := prompt.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		versions, ordered = append(versions, v), append(ordered, s)
	}
	if !slices.IsSortedFunc(versions, prompt.Version.Compare) {
		for i := range versions[1:] {
			if versions[i].Compare(versions[i+1]) >= 0 {
				t.Errorf("%s is not lower than %s", versions[i], versions[i+1])
			}
		}
	}
	var invalid []any
	for _, s := range []string{
		"", "1", "1.0", "1.0.0.0", "v1.0.0", "V1.0.0", "=1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n", "01.0.0", "1.00.0", "1.0.00", "1.0.0-", "1.0.0-01", "1.0.0-rc..1", "1.0.0-.rc", "1.0.0-rc.",
		"1.0.0-rc_1", "1.0.0-ü", "1.0.0+meta", "1.0.0-rc.1+meta", "1.0.0+", "4294967296.0.0", "99999999999999999999.0.0", "-1.0.0", "+1.0.0", "1.-0.0", "1.0.0x", "a.b.c", "..", "1..0", "1e1.0.0", "0x1.0.0", "1_0.0.0",
		"１.0.0", "١.٠.٠", "1.0.0\x00", "1.0.0-rc/1", "1.0.0-" + strings.Repeat("a", 59), "latest", "HEAD", "--version", "1.0.x", "1.0.*", "^1.0.0",
	} {
		if v, err := prompt.ParseVersion(s); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q was read as %s: %v", s, v, err)
		}
		invalid = append(invalid, s)
	}
	type next struct {
		Version prompt.Version `json:"version"`
		Bump    prompt.Bump    `json:"bump"`
		Next    prompt.Version `json:"next"`
	}
	var nexts []any
	for _, v := range versions {
		for _, b := range []prompt.Bump{prompt.Patch, prompt.Minor, prompt.Major} {
			if v.Pre == "" && v.Major < 1<<32-1 {
				nexts = append(nexts, next{v, b, v.Next(b)})
			}
		}
	}
	checkVectors(t, "versions.json", versionsAbout, vectorPart{"order", ordered}, vectorPart{"invalid", invalid}, vectorPart{"next", nexts})
}

// check.py knows the rules from the descriptions alone. That it agrees shows
// that another language can.
func TestVectorsHoldInAnotherLanguage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is missing, and CI must not skip this proof: apt-get install python3")
		}
		t.Skip("python3 is missing")
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/vectors/check.py").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
