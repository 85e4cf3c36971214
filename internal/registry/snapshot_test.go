package registry

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// entry is a canary of two releases, as it can be served.
func entry(t *testing.T) *Entry {
	t.Helper()
	e := &Entry{Rollout: canary(DefaultBucketing, "s", 5_000), Releases: make(map[string]prompt.Prompt)}
	for i, a := range e.Rollout.Arms {
		p := prompt.Prompt{ID: "support", Version: a.Version.String(), Model: "m", Messages: []prompt.Message{{Role: prompt.System, Content: "Be kind. " + a.Name}}}
		digest, err := p.Digest()
		if err != nil {
			t.Fatal(err)
		}
		e.Releases[a.Name], e.Rollout.Arms[i].Digest = p, digest
	}
	return e
}

func TestAnEntryThatCannotBeServedIsFound(t *testing.T) {
	if err := entry(t).Check(); err != nil {
		t.Fatal(err)
	}
	if err := (&Entry{Removed: true}).Check(); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
	tests := []struct {
		name string
		edit func(*Entry)
		says string
	}{
		{"a text that was changed", func(e *Entry) { e.Releases[StableArm].Messages[0].Content += "!" }, "has the digest"},
		{"a model that was changed", func(e *Entry) {
			p := e.Releases[CandidateArm]
			p.Model = "m2"
			e.Releases[CandidateArm] = p
		}, "arm candidate has the digest"},
		{"a digest that was changed", func(e *Entry) { e.Rollout.Arms[1].Digest = "sha256:00" }, "not sha256:00"},
		{"no digest", func(e *Entry) { e.Rollout.Arms[1].Digest = "" }, "has the digest"},
		{"texts that changed places", func(e *Entry) {
			e.Releases[StableArm], e.Releases[CandidateArm] = e.Releases[CandidateArm], e.Releases[StableArm]
		}, "has the digest"},
		{"a release that is missing", func(e *Entry) { delete(e.Releases, CandidateArm) }, "arm candidate is missing"},
		{"no releases", func(e *Entry) { e.Releases = nil }, "is missing"},
		{"slots that nobody serves", func(e *Entry) { e.Rollout.Arms[0].Ranges = nil }, "ranges of the arms"},
		{"slots that two serve", func(e *Entry) { e.Rollout.Arms[1].Ranges = []Range{{0, Scale}} }, "ranges of the arms"},
		{"slots beyond the end", func(e *Entry) { e.Rollout.Arms[1].Ranges = []Range{{5_000, Scale + 1}} }, "ranges of the arms"},
		{"a bucketing that is not known", func(e *Entry) { e.Rollout.Bucketing = "dice" }, "dice"},
		{"no arms", func(e *Entry) { e.Rollout.Arms = nil }, "no arm"},
		{"a number that has no digest", func(e *Entry) {
			p := e.Releases[StableArm]
			p.Parameters = []byte(`{"seed":9007199254740993}`)
			e.Releases[StableArm] = p
		}, "2^53"},
	}
	for _, tt := range tests {
		e := entry(t)
		tt.edit(e)
		if err := e.Check(); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want something of %q", tt.name, err, tt.says)
		}
	}
}

func TestASnapshotCrossesJSONUnchanged(t *testing.T) {
	s := &Snapshot{Environment: "production", Generation: 2, Revision: 7, Prompts: map[prompt.ID]*Entry{"support": entry(t), "billing/old": {Removed: true}}}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again Snapshot
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, &again) {
		t.Errorf("it became %+v", again)
	}
	for id, e := range again.Prompts {
		if err := e.Check(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for id, want := range map[prompt.ID]string{"billing/old": "was retired in production", "nothing": "runs no release in production"} {
		if _, _, err := Resolve(&again, id, "u"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}
