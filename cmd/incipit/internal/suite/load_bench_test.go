package suite

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// benchSuites are 10,000 cases with contains, regex and is-json: a tenth of
// the time and memory that issue 6 gives to a whole run of them.
func benchSuites() map[string]fstest.MapFS {
	const n = 10_000
	var csv, yaml, jsonl, inline strings.Builder
	csv.WriteString("question,expected_word,__expected1,__expected2,__expected3\n")
	for i := range n {
		fmt.Fprintf(&csv, "\"What is item %d, please?\",w%d,contains:w%d,regex:w\\d+,is-json\n", i, i, i)
		fmt.Fprintf(&yaml, "- vars:\n    question: What is item %d, please?\n    expected_word: w%d\n  assert:\n    - {type: contains, value: w%d}\n    - {type: regex, value: 'w\\d+'}\n    - {type: is-json}\n", i, i, i)
		fmt.Fprintf(&jsonl, `{"vars":{"question":"What is item %d, please?","expected_word":"w%d"},"assert":[{"type":"contains","value":"w%d"},{"type":"regex","value":"w\\d+"},{"type":"is-json"}]}`+"\n", i, i, i)
		fmt.Fprintf(&inline, "  - vars: {question: 'Item %d?', w: w%d}\n", i, i)
	}
	head := "prompts: ['{{question}}']\nproviders: [echo]\ntests: "
	return map[string]fstest.MapFS{
		"csv":   {"c.yaml": {Data: []byte(head + "t.csv\n")}, "t.csv": {Data: []byte(csv.String())}},
		"yaml":  {"c.yaml": {Data: []byte(head + "t.yaml\n")}, "t.yaml": {Data: []byte(yaml.String())}},
		"jsonl": {"c.yaml": {Data: []byte(head + "t.jsonl\n")}, "t.jsonl": {Data: []byte(jsonl.String())}},
		"inline with defaultTest": {"c.yaml": {Data: []byte("prompts: ['{{question}}']\nproviders: [echo]\n" +
			"defaultTest: {assert: [{type: contains, value: '{{w}}'}, {type: regex, value: 'w\\d+'}, {type: is-json}]}\ntests:\n" + inline.String())}},
	}
}

func BenchmarkLoad10000(b *testing.B) {
	for name, files := range benchSuites() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := Load(files, "c.yaml", LoadOptions{Strict: true, Prompts: true})
				if err != nil || len(s.Cases) != 10_000 {
					b.Fatal(err)
				}
			}
		})
	}
}
