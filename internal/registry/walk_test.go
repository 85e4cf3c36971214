package registry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// walk is a random life of a prompt in an environment, as the verbs allow it.
// With clear, what was rolled back may be gone back to, too.
func walk(r *rand.Rand, steps int, clear bool) Track {
	var t Track
	release := func(minor int) (prompt.Version, string) {
		return prompt.Version{Major: 1, Minor: uint32(minor)}, fmt.Sprint("sha256:", minor)
	}
	for range steps {
		now, runs := t.Current()
		d := Deployment{Seq: len(t) + 1}
		v, digest := release(r.IntN(5))
		switch verb := r.IntN(6); {
		case verb == 0 && runs && now.Rollout == nil && now.Version != v:
			candidate := Arm{Version: v, Digest: digest}
			ro := NewRollout(Canary, DefaultBucketing, "s", Arm{Version: now.Version, Digest: now.Digest}, candidate, nil).WithShare(Share(r.IntN(3) * 1000))
			if r.IntN(2) == 0 {
				ro = trial(r, now, release)
			}
			d.Action, d.Version, d.Digest, d.Rollout = Deploy, now.Version, now.Digest, &ro
		case verb == 1 && runs && now.Rollout != nil && now.Rollout.Strategy == Experiment:
			ro, err := now.Rollout.WithShares(map[string]Share{now.Rollout.Arms[0].Name: Share(r.IntN(3) * 20_000)})
			if err != nil {
				panic(err)
			}
			d.Action, d.Version, d.Digest, d.Rollout = Shift, now.Version, now.Digest, &ro
		case verb == 1 && runs && now.Rollout != nil:
			ro := now.Rollout.WithShare(Share(r.IntN(3) * 1000))
			d.Action, d.Version, d.Digest, d.Rollout = Shift, now.Version, now.Digest, &ro
		case verb == 2 && runs && now.Rollout != nil:
			winner := now.Rollout.Arms[r.IntN(len(now.Rollout.Contenders()))]
			d.Action, d.Version, d.Digest = Promote, winner.Version, winner.Digest
		case verb == 3 && runs && now.Rollout != nil && len(now.Rollout.Contenders()) > 1 && r.IntN(2) == 0:
			left := now.Rollout.Contenders()
			k := r.IntN(len(left))
			ro, err := now.Rollout.WithContenders(slices.Delete(slices.Clone(left), k, k+1), nil)
			if err != nil {
				panic(err)
			}
			d.Action, d.Version, d.Digest, d.Rollout = Rollback, now.Version, now.Digest, &ro
		case verb == 3 && runs:
			target, err := t.LastGood()
			if r.IntN(2) == 0 {
				target, err = v, nil
			}
			_, digest = release(int(target.Minor))
			_, bad := t.Quarantined(digest)
			if err != nil || !t.Ran(target) || bad && !clear || target == now.Version && now.Rollout == nil {
				continue
			}
			d.Action, d.Version, d.Digest = Rollback, target, digest
		case verb == 4 && runs && now.Rollout == nil:
			d.Action, d.Version, d.Digest = Retire, now.Version, now.Digest
		case verb == 5 && (!runs || now.Version != v || now.Rollout != nil):
			d.Action, d.Version, d.Digest = Deploy, v, digest
		default:
			continue
		}
		t = append(t, d)
	}
	return t
}

// trial is an experiment with every release that does not run.
func trial(r *rand.Rand, now Deployment, release func(int) (prompt.Version, string)) Rollout {
	var arms []Arm
	shares := make(map[string]Share)
	for minor := range 5 {
		if v, digest := release(minor); v != now.Version {
			name := string('a' + rune(minor))
			arms = append(arms, Arm{Name: name, Version: v, Digest: digest})
			shares[name] = Share(r.IntN(3) * 10_000)
		}
	}
	ro, err := NewExperiment(DefaultBucketing, "s", "errors", Arm{Version: now.Version, Digest: now.Digest}, arms[:3], shares)
	if err != nil {
		panic(err)
	}
	return ro
}

func story(t Track) string {
	var b strings.Builder
	for _, d := range t {
		fmt.Fprintf(&b, "%s %s", d.Action, d.Version)
		if d.Rollout != nil {
			for _, a := range d.Rollout.Contenders() {
				fmt.Fprintf(&b, " (%s at %s)", a.Version, a.Share())
			}
		}
		b.WriteString(", ")
	}
	return b.String()
}

func checkWalks(t *testing.T, clear bool, law func(Track) string) {
	t.Helper()
	actions := make(map[Action]int)
	err := quick.Check(func(a, b uint64) bool {
		tr := walk(rand.New(rand.NewPCG(a, b)), 24, clear)
		for n := range len(tr) + 1 {
			if why := law(tr[:n]); why != "" {
				t.Logf("%s: %s", why, story(tr[:n]))
				return false
			}
		}
		for _, d := range tr {
			actions[d.Action]++
		}
		return true
	}, &quick.Config{MaxCount: 400})
	if err != nil {
		t.Error(err)
	}
	for _, a := range []Action{Deploy, Shift, Promote, Rollback, Retire} {
		if actions[a] < 100 && !t.Failed() {
			t.Errorf("the walks have %d records of %s", actions[a], a)
		}
	}
}

// Going back must always be possible: neither what runs nor what a rollback
// without a version goes back to is held in quarantine.
func TestWhatIsGoneBackToIsNeverInQuarantine(t *testing.T) {
	for _, clear := range []bool{false, true} {
		answers := 0
		checkWalks(t, clear, func(tr Track) string {
			now, runs := tr.Current()
			good, err := tr.LastGood()
			if !runs {
				if !errors.Is(err, ErrNotFound) {
					return "nothing runs, and there is something to go back to"
				}
				return ""
			}
			if _, bad := tr.Quarantined(now.Digest); bad {
				return "what runs is in quarantine"
			}
			if now.Rollout != nil {
				for _, a := range now.Rollout.Contenders() {
					if _, bad := tr.Quarantined(a.Digest); bad {
						return "what is tried beside it is in quarantine"
					}
				}
			}
			if err != nil {
				return ""
			}
			answers++
			if _, bad := tr.Quarantined(fmt.Sprint("sha256:", good.Minor)); bad {
				return fmt.Sprintf("%s is good and in quarantine", good)
			}
			if !tr.Ran(good) || good == now.Version && now.Rollout == nil {
				return fmt.Sprintf("%s is no release to go back to", good)
			}
			return ""
		})
		if answers < 1000 {
			t.Errorf("only %d answers", answers)
		}
	}
}

// A rollback puts what it took away into quarantine, and nothing else comes
// into it; only what was rolled back is ever in it.
func TestARollbackPutsWhatItTookAwayIntoQuarantine(t *testing.T) {
	checkWalks(t, true, func(tr Track) string {
		if len(tr) == 0 {
			return ""
		}
		before, last := tr[:len(tr)-1], tr[len(tr)-1]
		for minor := range 5 {
			digest := fmt.Sprint("sha256:", minor)
			_, was := before.Quarantined(digest)
			by, is := tr.Quarantined(digest)
			took := last.Action == Rollback && last.Digest != digest && serving(before[len(before)-1], digest) && !serving(last, digest)
			switch {
			case took && (!is || by.Seq != last.Seq):
				return digest + " was taken away"
			case !was && is && !took:
				return digest + " came into quarantine by itself"
			case was && !is && last.Action != Deploy && last.Action != Rollback:
				return digest + " came out by itself"
			case is && by.Action != Rollback:
				return digest + " is held by no rollback"
			}
		}
		return ""
	})
}

// serving reports whether a rollback could take a digest away from where d has
// it.
func serving(d Deployment, digest string) bool {
	if d.Rollout == nil {
		return d.Digest == digest
	}
	return slices.ContainsFunc(d.Rollout.Arms, func(a Arm) bool { return a.Name != StableArm && a.Digest == digest })
}

func TestWhatRanIsWhatServedSomebody(t *testing.T) {
	checkWalks(t, true, func(tr Track) string {
		served := make(map[string]bool)
		for _, d := range tr {
			if d.Action == Retire {
				continue
			}
			r := d.Running()
			for i := range 200 { // the shares are 0 %, 1 % and 2 %
				served[r.Assign(fmt.Sprint("subject-", i)).Digest] = true
			}
		}
		for minor := range 5 {
			digest := fmt.Sprint("sha256:", minor)
			if tr.RanDigest(digest) != served[digest] {
				return fmt.Sprintf("%s ran: %v", digest, tr.RanDigest(digest))
			}
		}
		return ""
	})
}

func TestATrackEndsWithItsLastRecord(t *testing.T) {
	checkWalks(t, true, func(tr Track) string {
		now, runs := tr.Current()
		if tr.Seq() != len(tr) || runs != (len(tr) > 0 && tr[len(tr)-1].Action != Retire) || runs && now.Seq != len(tr) || !runs && now.Seq != 0 {
			return "its end is another one"
		}
		return ""
	})
}

// told is a track whose digests follow from the versions.
func told(t *testing.T, s string) Track {
	t.Helper()
	tr := track(t, s)
	for i := range tr {
		tr[i].Digest = "sha256:" + tr[i].Version.String()
		if r := tr[i].Rollout; r != nil {
			for k, a := range r.Arms {
				r.Arms[k].Digest = "sha256:" + a.Version.String()
			}
		}
	}
	return tr
}

func TestQuarantine(t *testing.T) {
	tests := []struct{ name, story, held string }{
		{"nothing was rolled back", "deploy 1.0, deploy 1.1, deploy 1.0", ""},
		{"what was rolled back is", "deploy 1.0, deploy 1.1, rollback 1.0", "1.1.0"},
		{"what lay between is not", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.0", "1.2.0"},
		{"two in a row", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.1, rollback 1.0", "1.1.0 1.2.0"},
		{"deployed again it is cleared", "deploy 1.0, deploy 1.1, rollback 1.0, deploy 1.1", ""},
		{"gone back to it is cleared", "deploy 1.0, deploy 1.1, rollback 1.0, rollback 1.1", "1.0.0"},
		{"a candidate that was rolled back", "deploy 1.0, canary 1.0, rollback 1.0", "1.1.0"},
		{"a candidate that was tried again", "deploy 1.0, canary 1.0, rollback 1.0, canary 1.0", ""},
		{"and promoted", "deploy 1.0, canary 1.0, rollback 1.0, canary 1.0, promote 1.1", ""},
		{"and rolled back again", "deploy 1.0, canary 1.0, rollback 1.0, canary 1.0, rollback 1.0", "1.1.0"},
		{"another deploy does not clear it", "deploy 1.0, deploy 1.1, rollback 1.0, deploy 1.2", "1.1.0"},
		{"nor does a retirement", "deploy 1.0, deploy 1.1, rollback 1.0, retire 1.0, deploy 1.0", "1.1.0"},
		{"the kept records may begin with a rollback", "rollback 1.0", ""},
		{"a rollout over another one rolled nothing back", "deploy 1.0, canary 1.0, deploy 1.2", ""},
	}
	for _, tt := range tests {
		var held []string
		tr := told(t, tt.story)
		for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
			if _, is := tr.Quarantined("sha256:" + v); is {
				held = append(held, v)
			}
		}
		if !slices.Equal(held, strings.Fields(tt.held)) {
			t.Errorf("%s: %v, want %s", tt.name, held, tt.held)
		}
	}
}

func TestLastGoodAfterAPromptWasRetired(t *testing.T) {
	tests := []struct{ name, story, want string }{
		{"nothing runs", "deploy 1.0, deploy 1.1, retire 1.1", "nothing was deployed"},
		{"the same release again", "deploy 1.0, deploy 1.1, retire 1.1, deploy 1.1", "1.0.0"},
		{"another one goes back to what ran before", "deploy 1.0, retire 1.0, deploy 1.1", "1.0.0"},
		{"the first of all", "deploy 1.0, retire 1.0, deploy 1.0", "is the first release"},
		{"twice", "deploy 1.0, retire 1.0, deploy 1.1, retire 1.1, deploy 1.2", "1.1.0"},
		{"records may start with it", "retire 1.0, deploy 1.1", "1.0.0"},
		{"a rollout after it", "deploy 1.0, retire 1.0, deploy 1.0, canary 1.0", "1.0.0"},
		{"what was rolled back is passed over", "deploy 1.0, deploy 1.1, deploy 1.2, rollback 1.0, rollback 1.1", "before 1.1.0 was rolled back"},
		{"as far as there is something", "deploy 1.3, deploy 1.0, deploy 1.1, rollback 1.0, rollback 1.1", "1.3.0"},
	}
	for _, tt := range tests {
		v, err := told(t, tt.story).LastGood()
		if got := fmt.Sprint(v, err); !strings.Contains(got, tt.want) || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRanDigest(t *testing.T) {
	for s, want := range map[string]string{
		"":                                   "",
		"deploy 1.0":                         "1.0.0",
		"deploy 1.0, canary 1.0":             "1.0.0 1.1.0", // at 5 %
		"deploy 1.0, retire 1.0, deploy 1.2": "1.0.0 1.2.0",
		"retire 1.0":                         "",
	} {
		var ran []string
		for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
			if told(t, s).RanDigest("sha256:" + v) {
				ran = append(ran, v)
			}
		}
		if !slices.Equal(ran, strings.Fields(want)) {
			t.Errorf("%s: %v ran, want %s", s, ran, want)
		}
	}
	tr := told(t, "deploy 1.0, canary 1.0")
	loaded := tr[1].Rollout.WithShare(0)
	tr[1].Rollout = &loaded
	if tr.RanDigest("sha256:1.1.0") {
		t.Error("a candidate that is loaded beside the stable release has served nobody")
	}
}
