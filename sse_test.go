package incipit

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll renders the events of a stream.
func readAll(r io.Reader, limit int) (events []string, err error) {
	s := newEventReader(r, limit)
	for {
		e, err := s.next()
		if err != nil {
			return events, err
		}
		events = append(events, fmt.Sprintf("%s|%s|%s|%s", e.name, e.id, e.data, e.comment))
	}
}

func TestEventStreams(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"one event":                          {"event: patch\nid: 1.2\ndata: {}\n\n", []string{"patch|1.2|{}|"}},
		"lines that end in CR LF":            {"event: patch\r\ndata: {}\r\n\r\n", []string{"patch||{}|"}},
		"lines that end in CR":               {"event: patch\rdata: {}\r\r: x\r", []string{"patch||{}|", "|||:x"}},
		"a comment":                          {": heartbeat\n\n", []string{"|||:heartbeat"}},
		"an empty comment":                   {":\n", []string{"|||:"}},
		"data in several lines":              {"data: a\ndata:b\ndata:  c\n\n", []string{"||a\nb\n c|"}},
		"a byte order mark":                  {"\ufeffdata: a\n\n", []string{"||a|"}},
		"a field without a colon":            {"data\n\n", []string{"|||"}},
		"an event without data is none":      {"event: patch\nid: 3\n\ndata: a\n\n", []string{"||a|"}},
		"unknown fields":                     {"retry: 10\nfoo: bar\ndata: a\n\n", []string{"||a|"}},
		"a comment inside an event":          {"event: patch\n: hush\ndata: a\n: hush\n\n", []string{"patch||a|"}},
		"the last event has no end":          {"data: a\n\ndata: b\n", []string{"||a|"}},
		"the last line has no end":           {"data: a\n\ndata: b", []string{"||a|"}},
		"nothing":                            {"", nil},
		"an event is not what the next says": {"event: a\ndata: 1\n\ndata: 2\n\n", []string{"a||1|", "||2|"}},
		"a long line":                        {"data: " + strings.Repeat("x", 200_000) + "\ndata: y\n\ndata: z\n\n", []string{"||" + strings.Repeat("x", 200_000) + "\ny|", "||z|"}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(c.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)),
			} {
				got, err := readAll(r, 1<<20)
				if !errors.Is(err, io.EOF) || fmt.Sprintf("%.100q", got) != fmt.Sprintf("%.100q", c.want) || len(got) != len(c.want) {
					t.Errorf("%s: got %.200q and %v, want %.200q", how, got, err, c.want)
				}
			}
		})
	}
}

func TestAnEventThatIsTooLargeIsNeverHeld(t *testing.T) {
	for name, stream := range map[string]string{
		"one line":   "data: " + strings.Repeat("x", 2000) + "\n\n",
		"no line":    strings.Repeat("x", 2000),
		"many lines": strings.Repeat("data: xxxxxxxxxxxx\n", 200) + "\n",
	} {
		if got, err := readAll(strings.NewReader(stream), 1000); !errors.Is(err, errEventTooLarge) || got != nil {
			t.Errorf("%s: got %q and %v", name, got, err)
		}
	}
}

func FuzzEventStream(f *testing.F) {
	f.Add("event: patch\nid: 1.2\ndata: {}\n\n: heartbeat\n\n", 7)
	f.Add("data: a\r\rdata:b\r\n\r\n\ufeffdata\n\n", 1)
	f.Fuzz(func(t *testing.T, stream string, at int) {
		const limit = 64
		whole, err1 := readAll(strings.NewReader(stream), limit)
		split, err2 := readAll(iotest.OneByteReader(strings.NewReader(stream)), limit)
		if fmt.Sprint(whole, err1) != fmt.Sprint(split, err2) {
			t.Fatalf("how the bytes arrive makes a difference:\n%q %v\n%q %v", whole, err1, split, err2)
		}
		// What was cut off is a beginning of what there would have been.
		if at = max(0, min(at, len(stream))); at < len(stream) {
			part, _ := readAll(strings.NewReader(stream[:at]), limit)
			for i := range part {
				if i >= len(whole) || part[i] != whole[i] {
					t.Fatalf("cut at %d, event %d is %q of %q", at, i, part[i], whole)
				}
			}
		}
	})
}
