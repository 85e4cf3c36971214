package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheckRefuses(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"a duplicate key", `{"env":"staging","env":"production"}`, "twice"},
		{"a duplicate key that is escaped", `{"env":1,"\u0065nv":2}`, "twice"},
		{"a duplicate key deep inside", `{"a":[{"b":1,"b":2}]}`, "twice"},
		{"text after the value", `{} {}`, "after the end"},
		{"invalid UTF-8", "{\"a\":\"\xff\xfe\"}", "0xff"},
		{"an overlong encoding", "{\"a\":\"\xc0\xaf\"}", "0xc0"},
		{"a lone high surrogate", `{"a":"\ud800"}`, "surrogate"},
		{"a lone low surrogate", `{"a":"\udc00x"}`, "surrogate"},
		{"a high surrogate before a plain escape", `{"a":"\ud800\u0041"}`, "surrogate"},
		{"NaN", `{"a":NaN}`, "value should stand"},
		{"a number beyond a float64", `{"a":1e400}`, "too large"},
		{"a number with a leading zero", `{"a":01}`, "not a JSON number"},
		{"a raw control character", "{\"a\":\"\x01\"}", "control character"},
		{"an unknown escape", `{"a":"\x41"}`, "escape"},
		{"an open string", `{"a":"b`, "not closed"},
		{"an open object", `{"a":1`, "comma or }"},
		{"a trailing comma", `{"a":1,}`, "key in double quotes"},
		{"a comment", `{/*x*/"a":1}`, "key in double quotes"},
		{"nothing", ``, "missing"},
		{"a depth of ten thousand", strings.Repeat("[", 10_000), "deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check([]byte(tt.doc))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Msg, tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, doc := range []string{
		`{}`, ` [ ] `, `null`, `"x"`, `-0.5e-3`, `{"env":1,"ENV":2}`,
		`{"a":"\ud83d\ude00\u2028\\\"","b":[1,{"c":null}]}`,
	} {
		if err := Check([]byte(doc)); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestPositionCountsCharacters(t *testing.T) {
	doc := []byte("{\n  \"é\": x\n}")
	var e *Error
	if !errors.As(Check(doc), &e) {
		t.Fatal("no error")
	}
	if line, col := Position(doc, e.Offset); line != 2 || col != 8 {
		t.Errorf("got %d:%d, want 2:8", line, col)
	}
}

func TestSetKeepsEveryOtherByte(t *testing.T) {
	tests := []struct{ name, doc, key, want string }{
		{
			"replaces a value in place",
			"{\n    \"b\": [1, 2],\n    \"version\":   \"1.0.0\",\n    \"x\": {\"y\":1}\n}\n", "version",
			"{\n    \"b\": [1, 2],\n    \"version\":   \"v\",\n    \"x\": {\"y\":1}\n}\n",
		},
		{"appends with the neighbors' indentation", "{\n\t\"a\": 1\n}", "version", "{\n\t\"a\": 1,\n\t\"version\": \"v\"\n}"},
		{"keeps sorted keys sorted", "{\n  \"a\": 1,\n  \"z\": 2\n}", "version", "{\n  \"a\": 1,\n  \"version\": \"v\",\n  \"z\": 2\n}"},
		{"comes first among sorted keys", "{\n  \"w\": 1,\n  \"z\": 2\n}", "version", "{\n  \"version\": \"v\",\n  \"w\": 1,\n  \"z\": 2\n}"},
		{"fills an empty object", "{}", "version", "{\n  \"version\": \"v\"\n}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set([]byte(tt.doc), tt.key, "v")
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// The first document is the example of RFC 8785 §3.2.2, the second tests the
// order of §3.2.3.
func TestCanonicalFollowsTheRFC(t *testing.T) {
	tests := []struct{ doc, want string }{
		{
			`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		},
		{
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		},
		{`{"x":-0,"y":9007199254740992}`, `{"x":0,"y":9007199254740992}`},
		{`["\u2028<&>\b\f\u000b"]`, "[\"\u2028<&>\\b\\f\\u000b\"]"},
	}
	for _, tt := range tests {
		got, err := Canonical(json.RawMessage(tt.doc))
		if err != nil || string(got) != tt.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
		}
	}
	if _, err := Canonical(json.RawMessage(`9007199254740993`)); err == nil {
		t.Error("an integer beyond 2^53 passed")
	}
}

// Whatever Check accepts, encoding/json accepts too; Set and Canonical then
// succeed on objects and their results are strict again.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\ud83d\ude00",null]}`, `{"a":1,"a":2}`, "\xff", `[[[`, `{"a":1e400}`, `"\ud800"`, `{"":1e20}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if Check(data) != nil {
			return
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if c, err := Canonical(json.RawMessage(data)); err == nil {
			again, err := Canonical(json.RawMessage(c))
			if err != nil && strings.Contains(err.Error(), "beyond 2^53") {
				return // 1e20 prints as an integer that nobody may write
			}
			if err != nil || string(again) != string(c) {
				t.Fatalf("canonical form is not a fixed point: %s, %v", c, err)
			}
		}
		if _, isObject := v.(map[string]any); isObject {
			out, err := Set(data, "version", "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(out); err != nil {
				t.Fatalf("Set made %q of %q: %v", out, data, err)
			}
		}
	})
}
