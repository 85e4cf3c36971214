package prompt

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestFieldsAreKnownOnesInOrderThenTheOthers(t *testing.T) {
	files := Files{
		Dir: "prompts/a", System: []byte("You answer questions about invoices, briefly and politely."),
		Metadata: []byte(`{"zone": {"b": 1,  "a": [2]}, "model": "echo", "version": "1.0.0", "tags": [], "name": "a", "budget_code": "x<y", "test_status": null}`),
	}
	d, _ := Parse("a", files, nil)
	var got []string
	fields, err := d.Metadata.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		known := ""
		if !f.Known {
			known = "?"
		}
		got = append(got, f.Key+known+"="+string(f.Value))
	}
	want := []string{`name="a"`, `version="1.0.0"`, `model="echo"`, `budget_code?="x<y"`, `zone?={"b":1,"a":[2]}`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	stored, err := json.Marshal(d.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	var again Metadata
	if err := json.Unmarshal(stored, &again); err != nil || len(again.Other) != 2 {
		t.Errorf("read again: %v, %v", again.Other, err)
	}
}
