package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// trialOf is an experiment of the arms b, c, … over 1.0.0 at these shares.
func trialOf(t *testing.T, b Bucketing, shares ...Share) Rollout {
	t.Helper()
	arms, want := armsOf(shares...)
	r, err := NewExperiment(b, "s", "errors", Arm{Version: prompt.Version{Major: 1}}, arms, want)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func armsOf(shares ...Share) (arms []Arm, want map[string]Share) {
	want = make(map[string]Share)
	for i, s := range shares {
		name := string('b' + rune(i))
		arms = append(arms, Arm{Name: name, Version: prompt.Version{Major: 1, Minor: uint32(i + 1)}})
		want[name] = s
	}
	return arms, want
}

// moved is how many slots belong to another arm in next.
func moved(r, next Rollout) Share {
	n := Share(Scale)
	for _, a := range next.Arms {
		was, _ := r.Arm(a.Name)
		for _, g := range was.Ranges {
			for _, h := range a.Ranges {
				if from, to := max(g.From, h.From), min(g.To, h.To); from < to {
					n -= Share(to - from)
				}
			}
		}
	}
	return n
}

// apart is half the sum of what the shares differ by: no change of the ranges
// can move fewer slots.
func apart(r, next Rollout) (n Share) {
	for _, a := range next.Arms { // what an arm gains, another one loses
		was, _ := r.Arm(a.Name)
		n += max(a.Share(), was.Share()) - was.Share()
	}
	return n
}

// A course is the shares of up to nine arms, in whole percents, one step after
// the other. An arm that is missing in a step is taken out, and comes back
// later.
type course struct {
	arms  int
	steps []map[string]Share
}

func (course) Generate(r *rand.Rand, _ int) reflect.Value {
	c := course{arms: 1 + r.Intn(MaxContenders)}
	for range 1 + r.Intn(12) {
		step, left := make(map[string]Share), Share(100)
		for i := range c.arms {
			if r.Intn(5) > 0 {
				share := Share(r.Intn(int(left) + 1))
				step[string('b'+rune(i))], left = share*(Scale/100), left-share
			}
		}
		c.steps = append(c.steps, step)
	}
	return reflect.ValueOf(c)
}

// Whatever arms come, go, grow and shrink: the shares are those that were asked
// for, as few slots as possible change hands, and the ranges are in order.
func TestAsFewSubjectsAsPossibleMove(t *testing.T) {
	law := func(c course) bool {
		for _, b := range []Bucketing{DefaultBucketing, MD5Bucketing} {
			all, _ := armsOf(make([]Share, c.arms)...)
			r := trialOf(t, b, make([]Share, c.arms)...)
			for _, step := range c.steps {
				var arms []Arm
				want := make(map[string]Share)
				for _, a := range all {
					share, in := step[a.Name]
					if !in {
						continue
					}
					arms = append(arms, a)
					if want[a.Name] = share; b == DefaultBucketing {
						want[a.Name] -= share / 7
					}
				}
				if len(arms) == 0 {
					continue
				}
				next, err := r.WithContenders(arms, want)
				if err != nil || moved(r, next) != apart(r, next) {
					t.Logf("%v: %d slots moved, and not %d: %v", want, moved(r, next), apart(r, next), err)
					return false
				}
				for _, a := range next.Contenders() {
					if a.Share() != want[a.Name] || !slices.IsSortedFunc(a.Ranges, func(x, y Range) int { return int(x.To) - int(y.From) }) {
						t.Logf("%s has %s: %v", a.Name, a.Share(), a.Ranges)
						return false
					}
				}
				r = next
			}
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

// A change of one share moves subjects between that arm and the stable release
// alone: who is on another arm stays there.
func TestAChangeOfOneArmLeavesTheOthersAlone(t *testing.T) {
	r := trialOf(t, DefaultBucketing, 25_000, 25_000, 10_000)
	for _, share := range []Share{40_000, 5_000, 0, 250, 65_000} {
		next, err := r.WithShares(map[string]Share{"b": share})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3000 {
			subject := fmt.Sprint("user-", i)
			was, is := r.Assign(subject).Name, next.Assign(subject).Name
			grew := share > r.Arms[0].Share()
			if was != is && (grew && (was != StableArm || is != "b") || !grew && (was != "b" || is != StableArm)) {
				t.Fatalf("b at %s: %s moved from %s to %s", share, subject, was, is)
			}
		}
		r = next
	}
}

// An experiment whose shares are changed for ever does not crumble.
func TestRangesStayFew(t *testing.T) {
	rnd := rand.New(rand.NewSource(5))
	r := trialOf(t, DefaultBucketing, make([]Share, MaxContenders)...)
	most := 0
	for range 3000 {
		shares := make(map[string]Share)
		for _, a := range r.Contenders() {
			shares[a.Name] = Share(rnd.Intn(Scale / MaxContenders))
		}
		var err error
		if r, err = r.WithShares(shares); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, a := range r.Arms {
			n += len(a.Ranges)
		}
		most = max(most, n)
	}
	t.Logf("at most %d ranges of %d arms in 3,000 changes", most, len(r.Arms))
	if most > 100 {
		t.Errorf("%d ranges of %d arms", most, len(r.Arms))
	}
}

func TestAnExperimentIsRefused(t *testing.T) {
	stable := Arm{Version: prompt.Version{Major: 1}}
	arms, _ := armsOf(0, 0)
	named := func(names ...string) []Arm {
		out := make([]Arm, len(names))
		for i, name := range names {
			out[i] = Arm{Name: name, Version: prompt.Version{Major: 2, Minor: uint32(i)}}
		}
		return out
	}
	tests := []struct {
		name   string
		b      Bucketing
		arms   []Arm
		shares map[string]Share
		want   string
	}{
		{"without arms", "", nil, nil, "1 to 9 arms"},
		{"with ten", "", named(strings.Split("a b c d e f g h i j", " ")...), nil, "and not 10"},
		{"that calls an arm stable", "", named("stable"), nil, "the name stable means another arm"},
		{"that calls an arm candidate", "", named("candidate"), nil, "the name candidate means another arm"},
		{"with a name in capitals", "", named("B"), nil, `"B" is no name for an arm`},
		{"with a name that begins with a dash", "", named("-b"), nil, "is no name"},
		{"with a name that is too long", "", named(strings.Repeat("b", 33)), nil, "is no name"},
		{"with a name that is none", "", named(""), nil, "is no name"},
		{"that names an arm twice", "", named("b", "b"), nil, "the arm b is named twice"},
		{"with one release twice", "", []Arm{{Name: "b"}, {Name: "c"}}, nil, "the arms b and c are both 0.0.0"},
		{"of the stable release with itself", "", []Arm{{Name: "b", Version: stable.Version}}, nil, "1.0.0 is the stable release already"},
		{"of more than everybody", "", arms, map[string]Share{"b": 60_000, "c": 50_000}, "add up to 110 %"},
		{"of far more than everybody", "", arms, map[string]Share{"b": 1<<32 - 1, "c": 1<<32 - 1}, "add up to"},
		{"of less, where all is said", "", arms, map[string]Share{"b": 60_000, StableArm: 30_000}, "add up to 90 %, and not to 100 %"},
		{"of parts of a percent with md5-100", MD5Bucketing, arms, map[string]Share{"b": 5_500}, "a share of 5.5 % is not valid with md5-100"},
	}
	for _, tt := range tests {
		b, err := ParseBucketing(string(tt.b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewExperiment(b, "s", "", stable, tt.arms, tt.shares); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("an experiment %s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := NewExperiment(DefaultBucketing, "s", "speed", stable, arms, nil); err == nil || err.Error() != `there is no metric "speed"` {
		t.Error(err)
	}
	r := trialOf(t, DefaultBucketing, 5_000)
	if _, err := r.WithShares(map[string]Share{"x": 1}); err == nil || err.Error() != `the experiment has no arm "x"` {
		t.Error(err)
	}
	if _, err := r.WithContenders([]Arm{{Name: "b", Version: prompt.Version{Major: 9}}}, nil); err == nil || err.Error() != "the arm b is 1.1.0 in this experiment, and not 9.0.0" {
		t.Error(err)
	}
	r.Arms = []Arm{r.Arms[1], r.Arms[0]}
	if err := r.Validate(); !errors.Is(err, prompt.ErrInvalid) {
		t.Error("the stable arm stands last, or nobody knows which it is")
	}
}

// What was written before there were experiments is written alike.
func TestTheJSONOfRollouts(t *testing.T) {
	two, err := json.Marshal(canary(DefaultBucketing, "support/production/2", 5_000))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"strategy":"canary","bucketing":"fnv1a-fmix32","salt":"support/production/2","arms":[{"name":"candidate","version":"1.1.0","ranges":[{"from":0,"to":5000}]},{"name":"stable","version":"1.0.0","ranges":[{"from":5000,"to":100000}]}],"steps":["5","25","100"]}`
	if string(two) != want {
		t.Errorf("%s", two)
	}
	many, err := json.Marshal(trialOf(t, DefaultBucketing, 25_000, 500))
	if err != nil {
		t.Fatal(err)
	}
	const wantMany = `{"strategy":"experiment","bucketing":"fnv1a-fmix32","salt":"s","arms":[{"name":"b","version":"1.1.0","ranges":[{"from":75000,"to":100000}]},{"name":"c","version":"1.2.0","ranges":[{"from":74500,"to":75000}]},{"name":"stable","version":"1.0.0","ranges":[{"from":0,"to":74500}]}],"primary":"errors"}`
	if string(many) != wantMany {
		t.Errorf("%s", many)
	}
}

func TestQuarantineAfterAnExperiment(t *testing.T) {
	release := func(v string) (prompt.Version, string) {
		parsed, err := prompt.ParseVersion(v + ".0")
		if err != nil {
			t.Fatal(err)
		}
		return parsed, "sha256:" + v
	}
	arm := func(name, v string) Arm {
		parsed, digest := release(v)
		return Arm{Name: name, Version: parsed, Digest: digest}
	}
	b, c, d := arm("b", "1.1"), arm("c", "1.2"), arm("d", "1.3")
	var at Track
	add := func(action Action, v string, contenders ...Arm) {
		version, digest := release(v)
		next := Deployment{Seq: len(at) + 1, Action: action, Version: version, Digest: digest}
		if len(contenders) > 0 {
			r, err := NewExperiment(DefaultBucketing, "s", "", arm("", v), contenders, nil)
			if err != nil {
				t.Fatal(err)
			}
			next.Rollout = &r
		}
		at = append(at, next)
	}
	held := func(want string) {
		t.Helper()
		var got []string
		for _, v := range []string{"1.0", "1.1", "1.2", "1.3"} {
			if _, is := at.Quarantined("sha256:" + v); is {
				got = append(got, v)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("after %s: %v, want %s", story(at), got, want)
		}
	}
	add(Deploy, "1.0")
	add(Deploy, "1.0", b, c, d)
	held("")
	add(Rollback, "1.0", b, d) // the arm c alone
	held("1.2")
	if good, err := at.LastGood(); err != nil || good.String() != "1.0.0" {
		t.Errorf("%s, %v", good, err)
	}
	add(Shift, "1.0", b, d)
	held("1.2")
	add(Rollback, "1.0") // nobody knows which one was at fault
	held("1.1 1.2 1.3")
	add(Deploy, "1.0", b, c)
	held("1.3")
	add(Promote, "1.0") // it ends without a winner, and without a fault
	held("1.3")
	add(Deploy, "1.0", b, c)
	add(Promote, "1.2")
	held("1.3")
	if good, err := at.LastGood(); err != nil || good.String() != "1.0.0" {
		t.Errorf("%s, %v", good, err)
	}
}
