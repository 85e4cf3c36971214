package registry

import (
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// minutes is a track whose records were made a minute apart, the first at noon.
func minutes(t *testing.T, story string) Track {
	t.Helper()
	out := track(t, story)
	for i := range out {
		out[i].At = noon.Add(time.Duration(i) * time.Minute)
	}
	return out
}

func TestWhatRanIsWhatTheLastRecordUntilThenSays(t *testing.T) {
	const story = "deploy 1.0, canary 1.0, shift 1.0, promote 1.1, retire 1.1, deploy 1.2"
	tests := []struct {
		name  string
		after time.Duration // since noon
		want  string
	}{
		{"before the first record nothing ran", -time.Nanosecond, ""},
		{"at the moment of a record it stands", 0, "1.0.0 100 %"},
		{"until the next", time.Minute - time.Nanosecond, "1.0.0 100 %"},
		{"a canary has two arms, the larger first", time.Minute, "1.0.0 95 %, 1.1.0 5 %"},
		{"however often it is shifted", 2*time.Minute + time.Second, "1.0.0 95 %, 1.1.0 5 %"},
		{"a candidate that was promoted runs alone", 3 * time.Minute, "1.1.0 100 %"},
		{"what was retired does not run", 4 * time.Minute, ""},
		{"until it is deployed again", 5 * time.Minute, "1.2.0 100 %"},
		{"the last record stands for ever", 1000 * time.Hour, "1.2.0 100 %"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := RanIn("production", map[prompt.ID]Track{"support": minutes(t, story), "never": nil}, noon.Add(tt.after))
			var cells []string
			for _, r := range got.Prompts {
				for _, a := range r.Arms {
					cells = append(cells, a.Version.String()+" "+a.Share.String())
				}
			}
			if s := strings.Join(cells, ", "); s != tt.want || got.Forgotten != nil || !got.At.Equal(noon.Add(tt.after)) {
				t.Errorf("%q ran, want %q; %+v", s, tt.want, got)
			}
		})
	}
}

func TestWhatRanTellsWhoAndWhyInTheOrderOfNames(t *testing.T) {
	a, b := minutes(t, "deploy 1.0, deploy 1.1"), minutes(t, "deploy 2.0")
	a[1].By, a[1].Reason = "Ada", "warmer"
	got := RanIn("dev", map[prompt.ID]Track{"b": b, "a": a}, noon.Add(time.Hour))
	want := []Ran{
		{Prompt: "a", Seq: 2, Action: Deploy, Since: noon.Add(time.Minute), By: "Ada", Reason: "warmer", Strategy: Full, Arms: []RanArm{{Name: StableArm, Version: a[1].Version, Share: Scale}}},
		{Prompt: "b", Seq: 1, Action: Deploy, Since: noon, Strategy: Full, Arms: []RanArm{{Name: StableArm, Version: b[0].Version, Share: Scale}}},
	}
	if !reflect.DeepEqual(got.Prompts, want) {
		t.Errorf("%+v ran, want %+v", got.Prompts, want)
	}
}

func TestWhatIsNotKeptIsSaidToBeForgotten(t *testing.T) {
	whole := minutes(t, "deploy 1.0, deploy 1.1, deploy 1.2")
	for _, at := range []time.Duration{-time.Hour, 30 * time.Second, time.Minute, time.Hour} {
		got := RanIn("dev", map[prompt.ID]Track{"support": whole[1:]}, noon.Add(at))
		if lost := at < time.Minute; (len(got.Forgotten) == 1) != lost || (len(got.Prompts) == 0) != lost {
			t.Errorf("%s after noon: %+v", at, got)
		}
	}
}

// The last record is enough where it is not later than the moment: so few
// tracks have to be read.
func TestTheLastRecordIsEnoughWhereItStands(t *testing.T) {
	whole := minutes(t, "deploy 1.0, canary 1.0, promote 1.1, retire 1.1, deploy 1.2, rollback 1.1")
	law := func(n uint8, later uint16) bool {
		t := whole[:1+int(n)%len(whole)]
		at := t[len(t)-1].At.Add(time.Duration(later) * time.Second)
		a := RanIn("dev", map[prompt.ID]Track{"support": t}, at)
		b := RanIn("dev", map[prompt.ID]Track{"support": t[len(t)-1:]}, at)
		return reflect.DeepEqual(a, b)
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

func TestARecordOfAClockThatWentBackStandsAfterTheOneBeforeIt(t *testing.T) {
	back := minutes(t, "deploy 1.0, deploy 1.1")
	back[1].At = noon.Add(-time.Minute)
	if d, ok := back.At(noon.Add(time.Second)); !ok || d.Seq != 2 {
		t.Errorf("%+v stood", d)
	}
	if _, ok := back.At(noon.Add(-2 * time.Minute)); ok {
		t.Error("something stood before all records")
	}
}

func TestBroughtIsTheBeginningOfTheRowThatServesARelease(t *testing.T) {
	const story = "deploy 1.0, canary 1.0, shift 1.0, promote 1.1, rollback 1.0, retire 1.0, deploy 1.1"
	tests := []struct {
		name, version string
		after         time.Duration
		want          int // its number, 0 for none
	}{
		{"the first release was deployed", "1.0.0", 0, 1},
		{"and is stable through a rollout", "1.0.0", 2 * time.Minute, 1},
		{"a candidate came with the rollout", "1.1.0", time.Minute, 2},
		{"and stays what it was when it is shifted", "1.1.0", 2 * time.Minute, 2},
		{"and promoted", "1.1.0", 3 * time.Minute, 2},
		{"an application may be behind", "1.0.0", 3 * time.Minute, 1},
		{"a rollback brings a release back", "1.0.0", 4 * time.Minute, 5},
		{"what was rolled back ran by the row before", "1.1.0", 4 * time.Minute, 2},
		{"as what was retired", "1.0.0", 5 * time.Minute, 5},
		{"a release that is deployed again begins again", "1.1.0", time.Hour, 7},
		{"a release that was not there yet was not brought", "1.1.0", 0, 0},
		{"nor one that never ran", "9.9.9", time.Hour, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := prompt.ParseVersion(tt.version)
			if err != nil {
				t.Fatal(err)
			}
			d, ok := minutes(t, story).Brought(v, noon.Add(tt.after))
			if d.Seq != tt.want || ok != (tt.want > 0) {
				t.Errorf("deployment %d brought it, want %d", d.Seq, tt.want)
			}
		})
	}
}
