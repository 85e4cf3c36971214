package strictjson

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestMembersAndElementsSayWhereTheyStand(t *testing.T) {
	doc := []byte(" {\"a\" : 1,\n \"b\":{\"a\":[2]} , \"\\u0063\":\"é\"}\n")
	ms, err := Members(doc)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range ms {
		got = append(got, m.Key+"="+string(doc[m.KeyStart])+string(doc[m.Start:m.End]))
	}
	if want := []string{`a="1`, `b="{"a":[2]}`, `c=""é"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	list := []byte("[ 1 ,{\"a\":[2,3]},\n[4],\"é\" ]")
	es, err := Elements(list)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, e := range es {
		got = append(got, string(list[e.Start:e.End]))
	}
	if want := []string{`1`, `{"a":[2,3]}`, `[4]`, `"é"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if es, err := Elements([]byte(" [ ] ")); err != nil || es != nil {
		t.Errorf("an empty list: %v, %v", es, err)
	}
}

func TestMembersAndElementsRefuse(t *testing.T) {
	for doc, want := range map[string]string{
		`[]`: "must be a JSON object", `1`: "must be a JSON object", ``: "missing", "{\"a\":\"\xff\"}": "0xff", `{} {}`: "after the end", `{"a":1,"a":2}`: "twice", `{"a":[{"b":1,"b":2}]}`: "twice",
	} {
		_, err := Members([]byte(doc))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, want) {
			t.Errorf("Members(%q): %v, want %q", doc, err, want)
		}
	}
	for doc, want := range map[string]string{
		`{}`: "must be a JSON array", `"a"`: "must be a JSON array", ``: "missing", "[\"\xff\"]": "0xff", `[1,]`: "value should stand", `[1] 2`: "after the end", `[{"b":1,"b":2}]`: "twice",
	} {
		_, err := Elements([]byte(doc))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, want) {
			t.Errorf("Elements(%q): %v, want %q", doc, err, want)
		}
	}
}

func TestLocate(t *testing.T) {
	doc := []byte(`{"x": {"y": {"z": 1}, "a": [{"z": 2}]}, "y": 3}`)
	tests := []struct {
		path []string
		at   string // the text that stands there
	}{
		{nil, `{"x"`},
		{[]string{"x"}, `"x": `},
		{[]string{"y"}, `"y": 3`},
		{[]string{"x", "y"}, `"y": {`},
		{[]string{"x", "y", "z"}, `"z": 1`},
		{[]string{"x", "y", "gone"}, `"y": {`},
		{[]string{"x", "a", "z"}, `"a": [`},
		{[]string{"gone", "x"}, `{"x"`},
		{[]string{"y", "x"}, `"y": 3`},
	}
	for _, tt := range tests {
		if got := string(doc[Locate(doc, tt.path...):]); !strings.HasPrefix(got, tt.at) {
			t.Errorf("%q is at %.10q, want %q", tt.path, got, tt.at)
		}
	}
	if Locate(nil, "a") != 0 || Locate([]byte("[["), "a") != 0 {
		t.Error("a broken document has a place")
	}
}

// Escaped finds each character of a string's value where it is written.
func TestEscapedFindsEachCharacter(t *testing.T) {
	written := []string{"a", `\n`, "é", `\u00e9`, `\"`, `\\`, "🦀", `\ud83e\udd80`, `\/`, `\u0000`, `\ud7ff`, "日", "z"}
	doc := []byte(`"` + strings.Join(written, "") + `", "more"`)
	value, offset, at := "", 0, 1
	for _, w := range written {
		if got := Escaped(doc, offset); got != at {
			t.Errorf("%s is at %d, want %d", w, got, at)
		}
		var s string
		if err := json.Unmarshal([]byte(`"`+w+`"`), &s); err != nil {
			t.Fatal(err)
		}
		value += s
		offset += len(s)
		at += len(w)
	}
	if got := Escaped(doc, len(value)+100); got != at {
		t.Errorf("behind the end is at %d, want the quote at %d", got, at)
	}
	for _, broken := range []string{``, `"`, `"\`, `"\u`, `"\ud83e`, `"\ud83e\u`} {
		for offset := range 8 {
			if got := Escaped([]byte(broken), offset); got < 0 || got > max(1, len(broken)) {
				t.Errorf("%q: %d", broken, got)
			}
		}
	}
}

func TestCanonicalRefusesIntegersThatOthersRound(t *testing.T) {
	for _, doc := range []string{`9007199254740993`, `-9007199254740993`, `9223372036854775807`, `9223372036854775808`, `[{"a":100000000000000000000}]`} {
		if b, err := Canonical(json.RawMessage(doc)); err == nil {
			t.Errorf("%s became %s", doc, b)
		}
	}
	for doc, want := range map[string]string{
		`9007199254740992`: `9007199254740992`, `-9007199254740992`: `-9007199254740992`, `1e20`: `100000000000000000000`, `1E21`: `1e+21`, `-0.0`: `0`, `0.000001`: `0.000001`, `1e-7`: `1e-7`,
	} {
		if b, err := Canonical(json.RawMessage(doc)); err != nil || string(b) != want {
			t.Errorf("%s became %s, %v, want %s", doc, b, err, want)
		}
	}
}

func TestAppendPutsANewKeyLast(t *testing.T) {
	got, err := Append([]byte("{\n  \"a\": 1,\n  \"z\": 2\n}"), "m", json.RawMessage(`[1]`))
	if want := "{\n  \"a\": 1,\n  \"z\": 2,\n  \"m\": [1]\n}"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Set([]byte(`[]`), "a", 1); err == nil {
		t.Error("a list has a key")
	}
}
