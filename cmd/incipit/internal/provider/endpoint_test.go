package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnEndpointIsAskedAsItsConfigSays(t *testing.T) {
	for name, tt := range map[string]struct {
		config map[string]any
		query  string
		body   string // JSON, or raw
	}{
		"an object":           {map[string]any{"body": map[string]any{"q": "ask: {{ prompt }}", "n": 1, "deep": []any{map[string]any{"m": "{{model}}"}}}}, "", `{"q":"ask: say \"hi\"","n":1,"deep":[{"m":"m"}]}`},
		"a JSON text":         {map[string]any{"body": `{"q": "{{prompt}}"}`}, "", `{"q":"say \"hi\""}`},
		"a dump":              {map[string]any{"body": `{"q": {{prompt | dump}}}`}, "", `{"q":"say \"hi\""}`},
		"the messages":        {map[string]any{"body": map[string]any{"messages": "{{messages}}"}}, "", `{"messages":[{"role":"user","content":"say \"hi\""}]}`},
		"a plain text":        {map[string]any{"body": "Q: {{prompt}}"}, "", `{"raw":"Q: say \"hi\""}`},
		"parameters of query": {map[string]any{"queryParams": map[string]any{"q": "{{prompt}}", "n": 1}}, "n=1&q=say+%22hi%22", `null`},
	} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, `{"a":[{"b":"yes"}]}`)
			tt.config["transformResponse"] = "json.a[0].b"
			p, _ := open(t, Spec{ID: m.URL + "/ask", Config: tt.config}, testConfig(nil))
			got, err := p.Call(t.Context(), ask(`say "hi"`))
			if err != nil || got.Output != "yes" {
				t.Fatal(got, err)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.body), &want); err != nil {
				t.Fatal(err)
			}
			s := m.last(t)
			if diff := cmp.Diff(want, s.Body); diff != "" || s.Query != tt.query {
				t.Errorf("%s: %s", s.Query, diff)
			}
		})
	}
}

func TestWhatAnEndpointAnswersIsTransformed(t *testing.T) {
	evaluate := func(_ context.Context, code string, vars map[string]any) (any, error) {
		switch code {
		case "json.a.length + 1", "((json) => json.a.length + 1)(json, text, context)":
			return len(vars["json"].(map[string]any)["a"].([]any)) + 1, nil
		case "({output: text})":
			return map[string]any{"output": vars["text"]}, nil
		}
		return nil, errors.New("it throws " + canary)
	}
	const answer = `{"a":[{"b":"yes","c d":[1,null]}]}`
	for code, want := range map[string]string{
		"": answer, "json.a[0].b": "yes", "data.a[0].b": "yes", `json.a[0]["c d"][0]`: "1", "json.a[0]": `{"b":"yes","c d":[1,null]}`, "text": answer, "json?.a[0]?.b": "yes",
		"json.a.length + 1": "2", "(json) => json.a.length + 1": "2", "({output: text})": answer,
	} {
		m := serve(t, answer)
		c := testConfig(map[string]string{"OPENAI_API_KEY": canary})
		c.Transform = evaluate
		config := map[string]any{}
		if code != "" {
			config["transformResponse"] = code
		}
		p, _ := open(t, Spec{ID: m.URL, Config: config}, c)
		got, err := p.Call(t.Context(), ask("hi"))
		if err != nil || got.Output != want {
			t.Errorf("%s: %q, %v", code, got.Output, err)
		}
	}
	for code, kind := range map[string]Kind{"json.b": Malformed, "json.a[7]": Malformed, "json.a.b": Malformed, "boom()": Malformed} {
		m := serve(t, answer)
		c := testConfig(map[string]string{"OPENAI_API_KEY": canary})
		c.Transform = evaluate
		p, _ := open(t, Spec{ID: m.URL, Config: map[string]any{"transformResponse": code}}, c)
		_, err := p.Call(t.Context(), ask("hi"))
		fails(t, err, kind)
	}
	p, _ := open(t, Spec{ID: serve(t, answer).URL, Config: map[string]any{"transformResponse": "json.a.map(x => x)"}}, testConfig(nil))
	_, err := p.Call(t.Context(), ask("hi"))
	fails(t, err, Rejected)
	p, _ = open(t, Spec{ID: serve(t, "<html>").URL, Config: map[string]any{"transformResponse": "json.a"}}, testConfig(nil))
	_, err = p.Call(t.Context(), ask("hi"))
	fails(t, err, Malformed)
}

func TestAnEndpointThatIsNotSetUpIsRefused(t *testing.T) {
	for name, config := range map[string]map[string]any{
		"a method that is none":       {"method": "BREW"},
		"a POST without a body":       {"method": "POST"},
		"a setting that nobody knows": {"session": 1},
		"a file":                      {"transformResponse": "file://x.js"},
		"a transform that is no text": {"transformResponse": 7},
	} {
		_, _, err := Open(Spec{ID: "https://llm.example.com/", Config: config}, testConfig(nil))
		if err == nil {
			t.Errorf("%s is taken", name)
			continue
		}
		fails(t, err, Rejected)
	}
	evil := trap(t)
	for _, body := range []string{"{{vars.x}}", "{{prompt", "{{prompt | upper}}", "{{}}"} {
		p, _ := open(t, Spec{ID: evil, Config: map[string]any{"body": body}}, testConfig(nil))
		_, err := p.Call(t.Context(), ask("hi"))
		fails(t, err, Rejected)
	}
	// What a prompt says is no template.
	m := serve(t, `"ok"`)
	p, _ := open(t, Spec{ID: m.URL, Config: map[string]any{"body": map[string]any{"q": "{{prompt}}"}}}, testConfig(map[string]string{"OPENAI_API_KEY": canary}))
	if got, err := p.Call(t.Context(), ask("{{env.OPENAI_API_KEY}} {{prompt}}")); err != nil || got.Output != "ok" || m.last(t).Body["q"] != "{{env.OPENAI_API_KEY}} {{prompt}}" {
		t.Error(got, err, m.last(t))
	}
}

// The same address asked in another way is another provider to a cassette, and
// what is secret of it is not shown.
func TestAnEndpointsIDTellsItsConfig(t *testing.T) {
	ids := map[string]bool{}
	for _, config := range []map[string]any{{}, {"body": "a"}, {"body": "b"}, {"body": "a", "headers": map[string]any{"X": "y"}}, {"body": "a", "transformResponse": "json.a"}} {
		p, _ := open(t, Spec{ID: "https://llm.example.com/ask?token=" + canary, Config: config}, testConfig(nil))
		if ids[p.ID()] || strings.Contains(p.ID(), canary) || !strings.HasPrefix(p.ID(), "https://llm.example.com/ask#") {
			t.Error(p.ID())
		}
		ids[p.ID()] = true
	}
}

func TestAnEndpointThatRefusesIsAnError(t *testing.T) {
	at := handler(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "go away", http.StatusTeapot) })
	p, _ := open(t, Spec{ID: at}, testConfig(nil))
	_, err := p.Call(t.Context(), ask("hi"))
	if e := failure(t, err, Rejected); e.Text != "go away" || e.Status != http.StatusTeapot {
		t.Errorf("%+v", e)
	}
}
