package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAMessageIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		texts := rapid.SliceOf(rapid.String()).Draw(t, "texts")
		for _, text := range texts {
			frame, err := encodeFrame(request{Code: text}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(frame)
		}
		for _, text := range texts {
			var got request
			if err := readFrame(&stream, 1<<20, &got); err != nil || got.Code != strings.ToValidUTF8(text, "\uFFFD") {
				t.Fatalf("got %q, %v; want %q", got.Code, err, text)
			}
		}
		if err := readFrame(&stream, 1<<20, new(request)); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestAMessageThatLiesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   error
	}{
		"it ends in its length":          {"\x00\x00", io.ErrUnexpectedEOF},
		"it ends too early":              {"\x00\x00\x00\x09{}", io.ErrUnexpectedEOF},
		"it ends at once":                {"\x00\x00\x00\x09", io.ErrUnexpectedEOF},
		"it says that it is huge":        {"\xff\xff\xff\xff{}", ErrSize},
		"it is larger than it should be": {"\x00\x00\x10\x01{}", ErrSize},
	} {
		t.Run(name, func(t *testing.T) {
			if err := readFrame(strings.NewReader(c.stream), 1<<12, new(answer)); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := readFrame(strings.NewReader("\x00\x00\x00\x02{]"), 100, new(answer)); err == nil {
		t.Error("what is no JSON was read")
	}
	if err := ServeChild(strings.NewReader("\x00\x00\x00\x02{]"), io.Discard); err == nil {
		t.Error("limits that are no JSON were read")
	}
	if _, err := encodeFrame(func() {}, 100); err == nil {
		t.Error("a function was written")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x0e{\"value\":[1]} "))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var a answer
		if readFrame(bytes.NewReader(stream), 1<<16, &a) != nil {
			return
		}
		frame, err := encodeFrame(a, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var again answer
		if err := readFrame(bytes.NewReader(frame), 1<<20, &again); err != nil {
			t.Fatal(err)
		}
		compact := func(m json.RawMessage) string {
			var b bytes.Buffer
			if len(m) == 0 || json.Compact(&b, m) != nil {
				return ""
			}
			var v any
			_ = json.Unmarshal(m, &v)
			s, _ := json.Marshal(v)
			return string(s)
		}
		if compact(a.Value) != compact(again.Value) || !reflect.DeepEqual(a.Fault, again.Fault) || a.Number != again.Number {
			t.Fatalf("%+v became %+v", a, again)
		}
	})
}
