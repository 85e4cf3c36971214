package prompt

import (
	"encoding/json"
	"fmt"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// examples reads messages.json: turns of user and assistant, the last of them
// the assistant's.
func (p *parser) examples(data []byte, add func(role string, t source)) {
	list, err := strictjson.Elements(data)
	if err != nil {
		p.syntax(ExamplesFile, data, err)
		return
	}
	role, start := "", 0
	for i, e := range list {
		start = e.Start
		bad := func(offset int, msg, fix string) {
			p.at(ExamplesFile, data, offset, "examples", fmt.Sprintf("message %d %s", i+1, msg), fix)
		}
		ms, err := strictjson.Members(data[e.Start:e.End])
		if err != nil {
			bad(start, "must be an object", exampleForm)
			continue
		}
		m := make(map[string]string)
		quote := 0
		for _, field := range ms {
			var s string
			switch at := start + field.KeyStart; {
			case field.Key != "role" && field.Key != "content":
				bad(at, fmt.Sprintf("has the unknown key %q", Clip(field.Key, 40)), exampleForm)
			case json.Unmarshal(data[start+field.Start:start+field.End], &s) != nil || data[start+field.Start] != '"':
				bad(at, field.Key+" must be a string", exampleForm)
			case field.Key == "role" && s != User && s != Assistant:
				bad(at, fmt.Sprintf("has the role %q", Clip(s, 40)), "examples have the roles user and assistant")
			}
			m[field.Key] = s
			if field.Key == "content" {
				quote = start + field.Start
			}
		}
		for _, key := range []string{"role", "content"} {
			if _, ok := m[key]; !ok {
				bad(start, "has no "+key, exampleForm)
			}
		}
		role = m["role"]
		add(role, source{ExamplesFile, data, []byte(m["content"]), quote})
	}
	if len(list) > 0 && role != Assistant {
		p.at(ExamplesFile, data, start, "examples", "the last example must be the assistant's", "end with an answer; what the user says at run time belongs in "+UserFile)
	}
}

const exampleForm = `write [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]`
