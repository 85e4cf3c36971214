package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// track writes a story: "deploy 1.0", "rollback 1.0", "canary 1.0" (a rollout
// over 1.0 has started) and "promote 1.1".
func track(t *testing.T, story string) Track {
	t.Helper()
	var out Track
	for i, line := range strings.Split(story, ", ") {
		if line == "" {
			continue
		}
		verb, version, _ := strings.Cut(line, " ")
		v, err := prompt.ParseVersion(version + ".0")
		if err != nil {
			t.Fatal(err)
		}
		d := Deployment{Seq: i + 1, Action: Action(verb), Version: v}
		if verb == "canary" || verb == "shift" {
			r := canary(DefaultBucketing, "s", 5_000)
			d.Rollout = &r
			if verb == "canary" {
				d.Action = Deploy
			}
		}
		out = append(out, d)
	}
	return out
}

func TestLastGood(t *testing.T) {
	tests := []struct{ name, story, want string }{
		{"nothing was deployed", "", "nothing was deployed"},
		{"the first release has nothing before it", "deploy 1.0", "1.0.0 is the first release"},
		{"the same release twice is one", "deploy 1.0, deploy 1.0", "is the first release"},
		{"the second goes back to the first", "deploy 1.0, deploy 1.1", "1.0"},
		{"the third to the second", "deploy 1.0, deploy 1.1, deploy 1.2", "1.1"},
		{"a rollback is followed by one further back", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.1", "1.0"},
		{"and ends at the first release", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.1, rollback 1.0", "1.0.0 is the first release"},
		{"a rollback over two takes both off", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.0", "1.0.0 is the first release"},
		{"what comes after a rollback goes back to it", "deploy 1.0, deploy 1.1, rollback 1.0, deploy 1.2", "1.0"},
		{"a release that was rolled back and deployed again is good again", "deploy 1.0, deploy 1.1, rollback 1.0, deploy 1.1, deploy 1.2", "1.1"},
		{"the undo of a rollback can be undone", "deploy 1.0, deploy 1.1, rollback 1.0, rollback 1.1", "1.0"},
		{"an older release that was deployed is no rollback", "deploy 1.0, deploy 1.1, deploy 1.0", "1.1"},
		{"during a rollout the stable release is good", "deploy 1.0, canary 1.0", "1.0"},
		{"however far the rollout got", "deploy 1.0, deploy 1.1, canary 1.1, shift 1.1", "1.1"},
		{"even if it was rolled back to", "deploy 1.0, deploy 1.1, rollback 1.0, canary 1.0", "1.0"},
		{"a promoted candidate goes back to the stable release before", "deploy 1.0, canary 1.0, shift 1.0, promote 1.1", "1.0"},
		{"a rollout that was rolled back left no trace", "deploy 1.0, deploy 1.1, canary 1.1, rollback 1.1", "1.0"},
		{"a rollout twice over", "deploy 1.0, canary 1.0, rollback 1.0, canary 1.0, promote 1.1, canary 1.1, promote 1.2", "1.1"},
		{"a rollback to what the kept records no longer show leaves none good", "deploy 1.1, rollback 1.0", "1.0.0 is the first release"},
		{"nor are those above it good", "deploy 1.1, deploy 1.2, rollback 1.0", "1.0.0 is the first release"},
		{"what came after it is", "deploy 1.1, rollback 1.0, deploy 1.2", "1.0"},
		{"records may start with a rollback", "rollback 1.0, deploy 1.2", "1.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := track(t, tt.story).LastGood()
			if err != nil {
				if !errors.Is(err, ErrNotFound) || !v.IsZero() || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %s, %v, want %s", v, err, tt.want)
				}
			} else if v.String() != tt.want+".0" {
				t.Errorf("got %s, want %s", v, tt.want)
			}
		})
	}
}

// Rolling back again and again ends, and never runs a release twice.
func TestRollingBackEnds(t *testing.T) {
	tr := track(t, "deploy 1.0, deploy 1.1, deploy 1.0, deploy 1.2, rollback 1.0, deploy 1.3, canary 1.3, promote 1.4, deploy 1.5")
	seen := map[prompt.Version]bool{}
	for range 10 {
		v, err := tr.LastGood()
		if err != nil {
			return
		}
		if seen[v] {
			t.Fatalf("%s is gone back to twice", v)
		}
		seen[v] = true
		tr = append(tr, Deployment{Action: Rollback, Version: v})
	}
	t.Error("it never ends")
}

func TestTrackKnowsItsEnd(t *testing.T) {
	var none Track
	if _, ok := none.Current(); ok || none.Seq() != 0 || none.Ran(prompt.Version{}) {
		t.Error("an empty track has an end")
	}
	tr := track(t, "deploy 1.0, canary 1.0")
	now, ok := tr.Current()
	if !ok || now.Seq != 2 || tr.Seq() != 2 || now.Rollout == nil {
		t.Errorf("%+v", now)
	}
	if !tr.Ran(prompt.Version{Major: 1}) || tr.Ran(prompt.Version{Major: 1, Minor: 1}) {
		t.Error("the candidate of an open rollout has not run as the stable release")
	}
}

func TestRunningServesEverybody(t *testing.T) {
	d := track(t, "deploy 1.0")[0]
	r := d.Running()
	if err := r.Validate(); err != nil || r.Strategy != Full || r.Assign("x").Version != d.Version || r.Arms[0].Share() != Scale {
		t.Errorf("%+v, %v", r, err)
	}
	d = track(t, "deploy 1.0, canary 1.0")[1]
	if r := d.Running(); r.Strategy != Canary || len(r.Arms) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestErrorsKeepTheirKindAndTheirText(t *testing.T) {
	err := WithFix(Errorf(ErrConflict, "deployment %d is taken", 7), "run it %s", "again")
	var fix *FixError
	if !errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || err.Error() != "deployment 7 is taken" || !errors.As(err, &fix) || fix.Fix != "run it again" {
		t.Errorf("%#v", err)
	}
}
