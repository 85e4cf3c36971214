package source

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Entries are changed by splicing: what Put returns must be what reading its
// bytes again gives, whatever the order and the length of what changed.
func TestPutReadsLikeItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reg, err := parseRegistry([]byte("{}\n"), "registry.json")
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 8).Draw(t, "puts") {
			id := prompt.ID(rapid.SampledFrom([]string{"a", "b", "c/d", "z"}).Draw(t, "id"))
			e, err := reg.Entry(id)
			if err != nil {
				t.Fatal(err)
			}
			if e == nil {
				e = &Entry{}
			}
			e.Description = strings.Repeat("é", rapid.IntRange(0, 40).Draw(t, "length"))
			if reg, err = reg.Put(id, e); err != nil {
				t.Fatal(err)
			}
			again, err := parseRegistry(reg.Bytes(), "registry.json")
			if err != nil {
				t.Fatalf("%v in %s", err, reg.Bytes())
			}
			if d := cmp.Diff(again.members, reg.members); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestPutLeavesOtherBytesAlone(t *testing.T) {
	const file = `{
  "a": {"name":"A",   "ours_unknown": [1,2], "current_version": "1.0.0", "deployments": {}},
  "b": {"name":"B", "current_version": "2.0.0"}
}
`
	reg, err := parseRegistry([]byte(file), "registry.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := reg.Entry("a")
	if err != nil {
		t.Fatal(err)
	}
	e.CurrentVersion = "1.1.0"
	if reg, err = reg.Put("a", e); err != nil {
		t.Fatal(err)
	}
	got := string(reg.Bytes())
	for _, kept := range []string{`"ours_unknown": [1,2]`, `  "b": {"name":"B", "current_version": "2.0.0"}` + "\n}\n", `"current_version": "1.1.0"`} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is not in\n%s", kept, got)
		}
	}
}

func TestTrackOfAPlainFileIsOneDeployment(t *testing.T) {
	var e Entry
	raw := `{"deployments": {"staging": {"version": "1.4.0-rc1", "deployed_at": "2026-01-31T09:00:00Z"}}}`
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		t.Fatal(err)
	}
	track, err := e.Track("staging")
	if err != nil || len(track) != 1 || track[0].Seq != 1 || track[0].Version.String() != "1.4.0-rc1" {
		t.Errorf("got %+v, %v", track, err)
	}
	if !track[0].At.Equal(time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("deployed at %v", track[0].At)
	}
}

func TestAVersionThatAnotherProgramWroteCountsAsADeployment(t *testing.T) {
	var e Entry
	e.Install("dev", nil, registry.Deployment{Seq: 1, Action: registry.Deploy, Version: prompt.Version{Major: 1}})
	e.Deployments["dev"].Version = "2.0.0"
	track, err := e.Track("dev")
	if err != nil || track.Seq() != 2 || track[1].Version.Major != 2 || track[1].From != "1.0.0" {
		t.Errorf("got %+v, %v", track, err)
	}
}

func TestHistoryKeepsItsEnd(t *testing.T) {
	var e Entry
	for seq := 1; seq <= 3*maxHistory; seq++ {
		track, err := e.Track("dev")
		if err != nil {
			t.Fatal(err)
		}
		e.Install("dev", track, registry.Deployment{Seq: track.Seq() + 1, Version: prompt.Version{Minor: uint32(seq)}})
	}
	track, err := e.Track("dev")
	if err != nil || len(track) != maxHistory || track.Seq() != 3*maxHistory {
		t.Errorf("%d records up to %d, %v", len(track), track.Seq(), err)
	}
}

func TestParseRegistryNamesThePlace(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"a duplicate id", "{\n  \"a\": {},\n  \"a\": {}\n}", `registry.json:3:3: the registry is not valid: key "a" appears twice`},
		{"an id that is none", "{\n  \"../x\": {}\n}", "registry.json:2:3: "},
		{"a list", "[]", "must be a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseRegistry([]byte(tt.data), "registry.json")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	reg, err := parseRegistry([]byte("{}\n"), "registry.json")
	if err != nil {
		b.Fatal(err)
	}
	for n := range 1000 {
		if reg, err = reg.Put(prompt.ID(fmt.Sprintf("prompt-%04d", n)), &Entry{Description: strings.Repeat("x", 500)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		e, err := reg.Entry("prompt-0500")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := reg.Put("prompt-0500", e); err != nil {
			b.Fatal(err)
		}
	}
}
