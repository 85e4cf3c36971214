package registry

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func aCopy(t testing.TB) []byte {
	t.Helper()
	p := prompt.Prompt{Version: "1.0.0", Model: "test-model-1", Messages: []prompt.Message{{Role: prompt.System, Content: "Be kind <to> all & everybody."}}}
	digest, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	d := Deployment{Version: prompt.Version{Major: 1}, Digest: digest}
	s := &Snapshot{Environment: "production", Generation: 2, Revision: 7, Prompts: map[prompt.ID]*Entry{
		"support": {Rollout: d.Running(), Releases: map[string]prompt.Prompt{StableArm: p}}, "old": {Removed: true},
	}}
	data, err := EncodeCopy(s, time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestACopyReadsBackAsItWasWritten(t *testing.T) {
	data := aCopy(t)
	s, at, err := DecodeCopy(data)
	if err != nil {
		t.Fatal(err)
	}
	if s.Environment != "production" || s.Generation != 2 || s.Revision != 7 || !s.Prompts["old"].Removed || !at.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) {
		t.Errorf("got %+v, saved at %v", s, at)
	}
	for id, e := range s.Prompts {
		if err := e.Check(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	again, err := EncodeCopy(s, at)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("written again, it differs: %v", err)
	}
}

func TestACopyThatIsNotWhatWasWrittenIsRefused(t *testing.T) {
	good := aCopy(t)
	for n := range good {
		if _, _, err := DecodeCopy(good[:n]); !errors.Is(err, prompt.ErrInvalid) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
		flipped := bytes.Clone(good)
		flipped[n] ^= 0x20
		if _, _, err := DecodeCopy(flipped); !errors.Is(err, prompt.ErrInvalid) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	sealed := func(body string) []byte { return []byte(copyFormat + " " + checksum([]byte(body)) + "\n" + body) }
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"another format":       {append([]byte("incipit-copy/2"), good[len(copyFormat):]...), "incipit-copy/2"},
		"something else":       {[]byte("{}"), "no copy"},
		"no snapshot":          {sealed("{\"saved_at\":\"2026-01-02T03:04:05Z\"}\n"), "no snapshot"},
		"a key twice":          {sealed("{\"snapshot\":{},\"snapshot\":{}}\n"), "twice"},
		"text after the end":   {append(bytes.Clone(good), "\n"...), "checksum"},
		"a snapshot of a kind": {sealed("{\"snapshot\":[]}\n"), "cannot be read"},
	} {
		if _, _, err := DecodeCopy(c.data); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", name, err, c.says)
		}
	}
}

func FuzzDecodeCopy(f *testing.F) {
	good := aCopy(f)
	f.Add(good, true)
	f.Add([]byte("{\"snapshot\":{\"prompts\":{\"a\":null}}}\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		if !whole { // a body: what is behind the checksum is reached only with the right one
			data = append([]byte(copyFormat+" "+checksum(data)+"\n"), data...)
		}
		s, at, err := DecodeCopy(data)
		if err != nil {
			if !errors.Is(err, prompt.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range s.Prompts {
			if e != nil {
				_ = e.Check()
			}
		}
		if at.Year() > 9999 || at.Year() < 0 {
			return // JSON cannot hold it
		}
		again, err := EncodeCopy(s, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := DecodeCopy(again); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}
