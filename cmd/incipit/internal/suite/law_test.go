package suite

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// texts are texts that make trouble in YAML, JSON, CSV and templates.
var texts = []string{"a", "no", "010", "", "a, b", "\"q\"", "two\nlines", "é⟨", "# x", "- y", "{{z}}", "1.0", "null", " blank "}

func drawVars(t *rapid.T, label string) map[string]any {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return rapid.IntRange(-9, 9).Draw(t, "int")
		case 1:
			return rapid.Bool().Draw(t, "bool")
		}
		return rapid.SampledFrom(texts).Draw(t, "text")
	}), 0, 4).Draw(t, label)
}

func drawAsserts(t *rapid.T, label string) []any {
	out := []any{}
	for range rapid.IntRange(1, 3).Draw(t, label) {
		out = append(out, map[string]any{"type": "equals", "value": rapid.SampledFrom(texts).Draw(t, "value")})
	}
	return out
}

func write(t *rapid.T, v any) fstest.MapFS {
	data, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"c.yaml": {Data: data}}
}

func mustLoad(t *rapid.T, files fstest.MapFS) *Suite {
	s, err := Load(files, "c.yaml", LoadOptions{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A test's variables stand over those of defaultTest, and its assertions
// behind them.
func TestMergingIsThatOfMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		common, own := drawVars(t, "default"), drawVars(t, "own")
		first, second := drawAsserts(t, "default asserts"), drawAsserts(t, "own asserts")
		s := mustLoad(t, write(t, map[string]any{
			"defaultTest": map[string]any{"vars": common, "assert": first},
			"tests":       []any{map[string]any{"vars": own, "assert": second}},
		}))
		want := maps.Clone(common)
		maps.Copy(want, own)
		for name, v := range want {
			if text, ok := v.(string); ok {
				want[name] = strings.TrimSuffix(text, "\n")
			}
		}
		if got := s.Cases[0].Vars; !maps.Equal(got, want) {
			t.Fatalf("the variables are %v, want %v", got, want)
		}
		var got, values []any
		for _, a := range s.Cases[0].Asserts {
			got = append(got, a.Value)
		}
		for _, a := range append(first, second...) {
			values = append(values, a.(map[string]any)["value"])
		}
		if !slices.Equal(got, values) {
			t.Fatalf("the values are %v, want %v", got, values)
		}
	})
}

// A case's key and cluster depend on what it says, not on where it stands or
// what stands beside it; and no two cases have one key.
func TestKeysDependOnWhatACaseSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) any {
			test := map[string]any{"vars": drawVars(t, "vars"), "assert": drawAsserts(t, "asserts"), "description": rapid.SampledFrom(texts).Draw(t, "description")}
			if rapid.Bool().Draw(t, "expands") {
				test["vars"].(map[string]any)["e"] = []any{"x", "y", "z"}
			}
			return test
		})
		tests := rapid.SliceOfN(draw, 1, 5).Draw(t, "tests")
		alone := mustLoad(t, write(t, map[string]any{"tests": tests[len(tests)-1:]}))
		all := mustLoad(t, write(t, map[string]any{"tests": tests}))
		seen := map[string]bool{}
		for _, c := range all.Cases {
			if seen[c.Key] {
				t.Fatalf("two cases have the key %s", c.Key)
			}
			seen[c.Key] = true
		}
		for _, c := range alone.Cases {
			if !slices.ContainsFunc(all.Cases, func(o Case) bool { return o.Key == c.Key && o.Cluster == c.Cluster }) {
				t.Fatalf("the case %s of %s is not found beside other cases", c.Key, c.Cluster)
			}
		}
	})
}

// YAML, JSON and JSONL that say the same are the same cases.
func TestOneSuiteInThreeFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tests []any
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			tests = append(tests, map[string]any{"vars": drawVars(t, "vars"), "assert": drawAsserts(t, "asserts"), "description": "d"})
		}
		asYAML, _ := yaml.Marshal(tests)
		asJSON, _ := json.MarshalIndent(tests, "", "\t")
		var lines strings.Builder
		enc := json.NewEncoder(&lines)
		for _, test := range tests {
			if err := enc.Encode(test); err != nil {
				t.Fatal(err)
			}
		}
		var keys [][]string
		for name, data := range map[string]string{"t.yaml": string(asYAML), "t.json": string(asJSON), "t.jsonl": lines.String()} {
			s := mustLoad(t, fstest.MapFS{"c.yaml": {Data: []byte("tests: " + name + "\n")}, name: {Data: []byte(data)}})
			var of []string
			for _, c := range s.Cases {
				of = append(of, c.Key)
			}
			keys = append(keys, of)
		}
		if !slices.Equal(keys[0], keys[1]) || !slices.Equal(keys[1], keys[2]) {
			t.Fatalf("the keys differ: %v", keys)
		}
	})
}

// What is written as a CSV is read back, quotes and line ends and all.
func TestACSVIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(append([]string{"\"", ",", "x\r\ny", "é"}, texts...)), 3, 3), 1, 5).Draw(t, "rows")
		var b strings.Builder
		b.WriteString("a,b,c\n")
		for _, row := range values {
			for i, v := range row {
				row[i] = v
				fmt.Fprintf(&b, "%s\"%s\"", strings.Repeat(",", min(i, 1)), strings.ReplaceAll(v, `"`, `""`))
			}
			b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(t, "end"))
		}
		l := &loader{}
		got, ok := l.table("t.csv", b.String())
		if !ok || len(got.rows) != len(values) {
			t.Fatalf("%q is not read: %v", b.String(), l.findings)
		}
		for i, row := range got.rows {
			if !slices.Equal(row.fields, values[i]) {
				t.Fatalf("row %d is %q, want %q", i, row.fields, values[i])
			}
		}
	})
}

func TestLoadingIsDeterministic(t *testing.T) {
	archive := `
-- c.yaml --
prompts: [file://p/*.txt]
tests: [t/*.csv, {vars: {a: [x, y], b: 'file://p/*.txt'}, assert: [{type: equals, value: a}]}]
-- p/1.txt --
one
-- p/2.txt --
two
-- t/1.csv --
a,b,__expected
1,2,3
-- t/2.csv --
a,b,__expected
1,2,3
`
	first := load(t, archive)
	for range 20 {
		equal(t, "the suite", load(t, archive), first)
	}
	if !strings.HasPrefix(first.Hash, "sha256:") || len(first.Hash) != 71 {
		t.Errorf("the hash is %q", first.Hash)
	}
	changed := filesOf(archive)
	changed["p/1.txt"] = &fstest.MapFile{Data: []byte("One\n")}
	if s, err := Load(changed, "c.yaml", LoadOptions{Prompts: true}); err != nil || s.Hash == first.Hash {
		t.Errorf("a changed prompt leaves the hash as it was, error %v", err)
	}
	if k := []string{first.Cases[0].Key, first.Cases[1].Key}; k[1] != k[0]+"-2" {
		t.Errorf("the same case twice has the keys %q", k)
	}
}

func TestExpectedIsPromptfoosShortForm(t *testing.T) {
	for s, want := range map[string]assertion.Assertion{
		"plain text":                  {Type: "equals", Value: "plain text"},
		"contains:x: y":               {Type: "contains", Value: "x: y"},
		"contains: x ":                {Type: "contains", Value: "x"},
		"not-contains:x":              {Type: "contains", Not: true, Value: "x"},
		"is-json":                     {Type: "is-json"},
		"not-is-json":                 {Type: "is-json", Not: true},
		"is-json:{\"a\": 1} ":         {Type: "is-json", Value: "{\"a\": 1}"},
		"similar:x":                   {Type: "similar", Value: "x", Threshold: new(0.8)},
		"similar(0.5):x":              {Type: "similar", Value: "x", Threshold: new(0.5)},
		"levenshtein:x":               {Type: "levenshtein", Value: "x", Threshold: new(0.75)},
		"latency(500)":                {Type: "latency", Threshold: new(500.0)},
		"cost(0.01)":                  {Type: "cost", Threshold: new(0.01)},
		"latency(fast)":               {Type: "equals", Value: "latency(fast)"},
		"fn: output.length > 3":       {Type: "javascript", Value: "output.length > 3"},
		"eval:1":                      {Type: "javascript", Value: "1"},
		"javascript: a:b":             {Type: "javascript", Value: "a:b"},
		"python: len(output)":         {Type: "python", Value: "len(output)"},
		"file://x.js":                 {Type: "javascript", Value: "file://x.js"},
		"file://x.py:check":           {Type: "python", Value: "file://x.py:check"},
		"grade: is kind":              {Type: "llm-rubric", Value: " is kind"},
		"llm-rubric:is kind":          {Type: "llm-rubric", Value: "is kind"},
		"contains-any:a, b,c":         {Type: "contains-any", Value: []any{"a", "b", "c"}},
		`contains-all:"a, b", "c""d"`: {Type: "contains-all", Value: []any{"a, b", `c"d`}},
		"containz:x":                  {Type: "equals", Value: "containz:x"},
		"trajectory:tool-used:x":      {Type: "trajectory:tool-used", Value: "x"},
		"regex:^a(b)c$":               {Type: "regex", Value: "^a(b)c$"},
		"bleu(0.4):x":                 {Type: "bleu", Value: "x", Threshold: new(0.4)},
		"contains:two\nlines":         {Type: "contains", Value: "two\nlines"},
	} {
		got, err := expected(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		equal(t, s, got, want)
	}
}

func TestFilterLeavesSomethingOrFails(t *testing.T) {
	cases := []Case{{Key: "1", Description: "red fox"}, {Key: "2", Description: "red hen"}, {Key: "3", Description: "blue hen"}}
	for _, c := range []struct {
		name, pattern string
		first         int
		keys          map[string]bool
		want          string
	}{
		{"all", "", 0, nil, "123"},
		{"by description", "^red", 0, nil, "12"},
		{"the first", "hen", 1, nil, "2"},
		{"by key", "", 0, map[string]bool{"3": true}, "3"},
		{"none by key", "", 0, map[string]bool{}, ""},
		{"none by description", "cow", 0, nil, ""},
		{"no pattern at all", "(", 0, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Filter(cases, c.pattern, c.first, c.keys)
			keys := ""
			for _, one := range got {
				keys += one.Key
			}
			if keys != c.want || (err == nil) == (c.want == "") {
				t.Errorf("left are %q, error %v; want %q", keys, err, c.want)
			}
		})
	}
}

func TestACaseIsAskedOfTheTemplatesAndProvidersThatItMeans(t *testing.T) {
	s := load(t, `
-- c.yaml --
prompts: [{raw: a, label: long}, {raw: b, label: "short:1"}]
providers: [{id: "openai:chat:m", label: m}, {id: echo, prompts: [long]}]
tests:
  - {description: all}
  - {description: short, prompts: [short]}
  - {description: starred, providers: ["openai:*"]}
  - {description: echoed, providers: echo}
`)
	var targets []Target
	for _, p := range s.Prompts {
		targets = append(targets, &Rendered{Template: p, Render: plainRenderer{}})
	}
	run, err := runner(&stub{}).Run(t.Context(), Plan{Suite: s, Targets: targets})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, c := range run.Cases {
		got[c.Target+" "+c.Provider] += c.Description + " "
	}
	for asked, want := range map[string]string{"long m": "all starred ", "short:1 m": "all short starred ", "long echo": "all echoed ", "short:1 echo": ""} {
		equal(t, asked, got[asked], want)
	}
}

func TestClosestIsNear(t *testing.T) {
	for _, c := range []struct{ name, want string }{{"asert", "assert"}, {"asserts", "assert"}, {"treshold", "threshold"}, {"mood", ""}, {"x", ""}} {
		if got, _ := closest(c.name, []string{"threshold", "assert", "vars"}); got != c.want {
			t.Errorf("closest to %q is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPatternsMatchAsInTheShell(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a/*.txt", "a/b.txt", true},
		{"a/*.txt", "a/b/c.txt", false},
		{"a/**/*.txt", "a/c.txt", true},
		{"a/**/*.txt", "a/b/d/c.txt", true},
		{"**", "a/b", true},
		{"**/x", "a/b/x", true},
		{"**/x", "a/b/y", false},
		{"*", ".hidden", false},
		{".*", ".hidden", true},
		{"**/x", ".git/x", false},
		{"a/?.txt", "a/b.txt", true},
		{"a/[bc].txt", "a/d.txt", false},
		{"a/[", "a/[", false},
	} {
		if got := matchPath(strings.Split(c.pattern, "/"), strings.Split(c.name, "/")); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.name, got)
		}
	}
	equal(t, "braces", braces("a.{x,y}{1,2}"), []string{"a.x1", "a.x2", "a.y1", "a.y2"})
	if n := len(braces(strings.Repeat("{a,b}", 40))); n > maxAlternates {
		t.Errorf("braces make %d patterns", n)
	}
}

// seeds are suites to begin with.
func seeds(f *testing.F) {
	f.Helper()
	for _, c := range refusals() {
		for _, file := range filesOf(c.archive) {
			if len(file.Data) < 2000 {
				f.Add(string(file.Data))
			}
		}
	}
	f.Add("defaultTest: {assert: [{type: equals, value: a}]}\ntests: [{vars: {a: [x, y]}}, {vars: {<<: {b: 1}}}]\n")
}

func FuzzYAML(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, suite string) {
		files := fstest.MapFS{"c.yaml": {Data: []byte(suite)}, "t.csv": {Data: []byte("a,__expected\n1,2\n")}}
		for _, strict := range []bool{false, true} {
			s, err := Load(files, "c.yaml", LoadOptions{Strict: strict, Prompts: true})
			if err == nil && len(s.Cases) == 0 {
				t.Fatal("a suite without a case is no error")
			}
			if err != nil {
				findingsOf(t, err)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, -2.5e3, true, null, "x\u00e9\ud83d\ude00\n"]}`, `[`, `"\ud83d"`, `01`, `{"a":1,"a":2}`, "[1,\n2 3]", `nul`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) {
			s = strings.ToValidUTF8(s, "")
		}
		l := &loader{}
		n, ok := l.parseJSON("t.json", []byte(strings.ToValidUTF8(s, "")), 1)
		if ok && !json.Valid([]byte(strings.ToValidUTF8(s, ""))) {
			t.Fatalf("%q is no JSON, and is read", s)
		}
		if ok && !json.Valid(n.json(nil)) {
			t.Fatalf("%q is written as %q", s, n.json(nil))
		}
	})
}

func FuzzExpected(f *testing.F) {
	for _, s := range []string{"contains:x", "similar(0.8):x", `contains-any:"a, b",c`, "not-is-json", "fn:1", "latency(", "similar(1.", `contains-all:"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := expected(s)
		if err == nil && a.Type == "" {
			t.Fatalf("%q is an assertion of no type", s)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\"\"y\"\r\n", "a,b\n\"1\n2\",3", "a\n\"", "a,a\n", "\n\n", ",\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := &loader{}
		got, ok := l.table("t.csv", s)
		if ok != (len(l.findings) == 0) {
			t.Fatalf("read: %v, and the findings are %v", ok, l.findings)
		}
		if !ok {
			return
		}
		line := 0
		for _, row := range got.rows {
			if len(row.fields) != len(got.columns) || row.line <= line {
				t.Fatalf("row %v does not follow line %d of %d columns", row, line, len(got.columns))
			}
			line = row.line
		}
	})
}

// A list that is parsed in parts is the list that is parsed whole, or is left
// to be parsed whole.
func TestAListInPartsIsTheListWhole(t *testing.T) {
	entry := rapid.SampledFrom([]string{
		"- a\n", "- {a: 1}\n", "- a: 1\n  b: |\n    - x\n   \n", "- \"two\n- lines\"\n", "- [a,\n- b]\n", "- &x y\n", "- *x\n", "- >\n - x\n", "# c\n",
		"-\n", "- - a\n  - b\n", "- 'it''s'\n", "---\n", "- é\n\n",
	})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			b.WriteString(entry.Draw(t, "entry"))
		}
		parts := entries([]byte(b.String()), rapid.IntRange(1, 20).Draw(t, "size"))
		if parts == nil {
			return
		}
		whole, inParts := &loader{}, &loader{}
		want, wantOK := whole.parseYAML("t.yaml", []byte(b.String()))
		got, ok := inParts.parseParts("t.yaml", parts)
		if len(inParts.findings) > 0 {
			t.Fatalf("parts of %q are reported: %v", b.String(), inParts.findings)
		}
		if ok && (!wantOK || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%q in parts is %s, whole %s", b.String(), got.json(nil), want.json(nil))
		}
	})
}
