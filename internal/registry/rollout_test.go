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

// canary is a rollout of 1.1.0 over 1.0.0 at a share.
func canary(b Bucketing, salt string, share Share) Rollout {
	stable, candidate := Arm{Version: prompt.Version{Major: 1}}, Arm{Version: prompt.Version{Major: 1, Minor: 1}}
	return NewRollout(Canary, b, salt, stable, candidate, []Share{5_000, 25_000, Scale}).WithShare(share)
}

func snapshot(r Rollout) *Snapshot {
	e := &Entry{Rollout: r, Releases: map[string]prompt.Prompt{}}
	for _, a := range r.Arms {
		e.Releases[a.Name] = prompt.Prompt{ID: "support", Version: a.Version.String()}
	}
	return &Snapshot{Environment: "production", Revision: 7, Prompts: map[prompt.ID]*Entry{"support": e}}
}

// While the salt stands, a subject that is in the candidate stays in it when
// the share grows, and one that is out stays out when it shrinks.
func TestAssignIsMonotone(t *testing.T) {
	law := func(salt, subject string, a, b uint32) bool {
		lo, hi := Share(min(a%(Scale+1), b%(Scale+1))), Share(max(a%(Scale+1), b%(Scale+1)))
		small, large := canary(DefaultBucketing, salt, lo), canary(DefaultBucketing, salt, hi)
		return small.Assign(subject).Name != CandidateArm || large.Assign(subject).Name == CandidateArm
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
	percents := func(subject string, a, b uint32) bool {
		lo, hi := Share(min(a%101, b%101)*1000), Share(max(a%101, b%101)*1000)
		small, large := canary(MD5Bucketing, "", lo), canary(MD5Bucketing, "", hi)
		return small.Assign(subject).Name != CandidateArm || large.Assign(subject).Name == CandidateArm
	}
	if err := quick.Check(percents, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

// A restart, an upgrade, another machine: what a rollout says of itself is
// all that decides.
func TestAssignDependsOnItsInputsAlone(t *testing.T) {
	law := func(salt, subject string, n uint32) bool {
		r := canary(DefaultBucketing, salt, Share(n%(Scale+1)))
		first := r.Assign(subject)
		text, err := json.Marshal(r)
		var back Rollout
		if err != nil || json.Unmarshal(text, &back) != nil {
			return false
		}
		slices.Reverse(back.Arms) // not even on the order of the arms
		again := back.Assign(string([]byte(subject)))
		_, arm, err := Resolve(snapshot(r), "support", subject)
		return err == nil && reflect.DeepEqual(first, again) && reflect.DeepEqual(first, arm) && first == r.Assign(subject)
	}
	// A salt and a subject go through JSON: no half characters.
	config := &quick.Config{MaxCount: 5000, Values: func(v []reflect.Value, r *rand.Rand) {
		text := func() string {
			return strings.ToValidUTF8(fmt.Sprintf("%c%c%x", r.Intn(0x3000), 0x1F600+r.Intn(60), r.Int63()), "")
		}
		v[0], v[1], v[2] = reflect.ValueOf(text()), reflect.ValueOf(text()), reflect.ValueOf(r.Uint32())
	}}
	if err := quick.Check(law, config); err != nil {
		t.Error(err)
	}
}

func TestResolveIsAssign(t *testing.T) {
	r := canary(DefaultBucketing, "s", 40_000)
	s := snapshot(r)
	for i := range 1000 {
		subject := fmt.Sprint("user-", i)
		e, arm, err := Resolve(s, "support", subject)
		if err != nil || arm.Name != r.Assign(subject).Name || arm != e.Rollout.Assign(subject) || e.Releases[arm.Name].Version != arm.Version.String() {
			t.Fatalf("%s: %+v, %v", subject, arm, err)
		}
	}
	_, _, err := Resolve(s, "unknown", "x")
	if !errors.Is(err, ErrNotFound) || err.Error() != "unknown runs no release in production" {
		t.Error(err)
	}
}

func TestAssignAndResolveAllocateNothing(t *testing.T) {
	for _, b := range []Bucketing{DefaultBucketing, MD5Bucketing} {
		r := canary(b, "customer-support#1", 5_000)
		s := snapshot(r)
		subject := strings.Repeat("long-subject-", 19)
		assign := testing.AllocsPerRun(1000, func() { r.Assign(subject) })
		resolve := testing.AllocsPerRun(1000, func() {
			if _, _, err := Resolve(s, "support", subject); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%s: Assign %v, Resolve %v allocations", b, assign, resolve)
		if assign > 0 || resolve > 0 {
			t.Errorf("%s: Assign %v, Resolve %v allocations", b, assign, resolve)
		}
	}
}

// A partition is a random division of the slots between arms; broken, it has
// one hole, one overlap or one range that is none.
type partition struct {
	rollout Rollout
	broken  bool
}

func (partition) Generate(r *rand.Rand, _ int) reflect.Value {
	cuts := []uint32{0, Scale}
	for range r.Intn(6) {
		cuts = append(cuts, uint32(r.Intn(Scale+1)))
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var ranges []Range
	for i := range cuts[1:] {
		ranges = append(ranges, Range{cuts[i], cuts[i+1]})
	}
	p := partition{broken: r.Intn(2) == 0}
	if p.broken {
		i := r.Intn(len(ranges))
		switch g := &ranges[i]; r.Intn(7) {
		case 0:
			ranges = slices.Delete(ranges, i, i+1)
		case 1:
			ranges = append(ranges, *g)
		case 2:
			g.From++
		case 3:
			g.To--
		case 4:
			g.To++
		case 5:
			g.From, g.To = g.To, g.From
		case 6:
			ranges = append(ranges, Range{g.From, g.From})
		}
	}
	p.rollout = Rollout{Bucketing: DefaultBucketing, Arms: []Arm{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	r.Shuffle(len(ranges), func(i, j int) { ranges[i], ranges[j] = ranges[j], ranges[i] })
	for _, g := range ranges {
		a := &p.rollout.Arms[r.Intn(3)]
		a.Ranges = append(a.Ranges, g)
	}
	return reflect.ValueOf(p)
}

func TestValidateAcceptsPartitionsAndNothingElse(t *testing.T) {
	law := func(p partition) bool {
		err := p.rollout.Validate()
		if p.broken {
			return errors.Is(err, prompt.ErrInvalid)
		}
		var total Share
		for _, a := range p.rollout.Arms {
			total += a.Share()
		}
		for i := range 50 { // none panics
			p.rollout.Assign(fmt.Sprint(i))
		}
		return err == nil && total == Scale
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	arms := func(ranges ...Range) Rollout { return Rollout{Arms: []Arm{{Name: "a", Ranges: ranges}}} }
	md5 := canary(MD5Bucketing, "", 5_500)
	unknown := canary("sha256", "", 0)
	tests := []struct {
		name    string
		rollout Rollout
		want    string
	}{
		{"no arm", Rollout{}, "slots 0 to 100000 are served by no arm"},
		{"no range", arms(), "slots 0 to 100000 are served by no arm"},
		{"a hole at the end", arms(Range{0, 99_999}), "slots 99999 to 100000 are served by no arm"},
		{"a hole at the start", arms(Range{1, Scale}), "slots 0 to 100000 are not served exactly once"},
		{"an overlap", arms(Range{0, 60_000}, Range{50_000, Scale}), "slots 50000 to 100000 are not served exactly once"},
		{"beyond the end", arms(Range{0, Scale + 1}), "are not served exactly once"},
		{"the largest number", arms(Range{0, 1<<32 - 1}), "are not served exactly once"},
		{"backwards", arms(Range{Scale, 0}), "are not served exactly once"},
		{"half a percent with md5-100", md5, "5.5 % is not valid with md5-100"},
		{"a bucketing that is unknown", unknown, `"sha256" is not valid as a bucketing`},
	}
	for _, tt := range tests {
		if err := tt.rollout.Validate(); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, share := range []Share{0, 1, 5_000, Scale - 1, Scale} {
		r := canary(DefaultBucketing, "", share)
		if err := r.Validate(); err != nil || r.Candidate().Share() != share || r.Arms[1].Share() != Scale-share {
			t.Errorf("at %s: %v", share, err)
		}
	}
}

func TestWithShareLeavesTheOriginalAlone(t *testing.T) {
	r := canary(DefaultBucketing, "s", 5_000)
	r.WithShare(50_000)
	if r.Candidate().Share() != 5_000 {
		t.Error("the original grew")
	}
}

func TestNextStep(t *testing.T) {
	r := canary(DefaultBucketing, "s", 0)
	for _, tt := range []struct{ now, next Share }{{0, 5_000}, {1, 5_000}, {5_000, 25_000}, {30_000, Scale}, {Scale, 0}} {
		if got, ok := r.WithShare(tt.now).NextStep(); got != tt.next || ok != (tt.next > 0) {
			t.Errorf("after %s: %s, %t", tt.now, got, ok)
		}
	}
}

func TestParseShare(t *testing.T) {
	tests := []struct {
		text string
		want Share
	}{
		{"0", 0},
		{"5", 5_000},
		{"5%", 5_000},
		{"05", 5_000},
		{"005", 5_000},
		{"0.25", 250},
		{"0.001", 1},
		{"0.000", 0},
		{"99.999", 99_999},
		{"100", Scale},
		{"100.000", Scale},
		{"100.0%", Scale},
	}
	for _, tt := range tests {
		if got, err := ParseShare(tt.text); err != nil || got != tt.want {
			t.Errorf("ParseShare(%q) = %d, %v", tt.text, got, err)
		}
	}
	for _, s := range []string{
		"", "%", ".", "5.", ".5", "-1", "-0", "+5", "100.001", "101", "1000", "0.0001", "0.2500", "5,5", "1e2", "0x5", "5 %", " 5", "5 ", "5%%", "%5", "5\n", "5\x00",
		"NaN", "Inf", "five", "1_0", "\uff15", "\u0665", "5.5.5", "5.-5", "5.+5", "0.1e1", "--to", "99999999999999999999", strings.Repeat("9", 1<<16), "0." + strings.Repeat("0", 1<<16),
	} {
		if got, err := ParseShare(s); got != 0 || !errors.Is(err, prompt.ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("ParseShare(%.40q) = %d, %.400v", s, got, err)
		}
	}
}

func TestEveryShareIsReadAsItIsPrinted(t *testing.T) {
	for s := range Share(Scale + 1) {
		if got, err := ParseShare(s.Number()); err != nil || got != s {
			t.Fatalf("%d is printed as %q and read as %d, %v", s, s.Number(), got, err)
		}
	}
	text, err := json.Marshal([]Share{0, 1, 250, 5_000, Scale})
	if err != nil || string(text) != `["0","0.001","0.25","5","100"]` {
		t.Errorf("%s, %v", text, err)
	}
	if s := Share(250).String(); s != "0.25 %" {
		t.Error(s)
	}
}

func TestParseSteps(t *testing.T) {
	tests := []struct {
		text string
		want []Share
	}{
		{"5,25,50,100", []Share{5_000, 25_000, 50_000, Scale}},
		{"100", []Share{Scale}},
		{" 1 , 2% ,3.5", []Share{1_000, 2_000, 3_500}},
		{"0.001", []Share{1}},
	}
	for _, tt := range tests {
		if got, err := ParseSteps(tt.text); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("ParseSteps(%q) = %v, %v", tt.text, got, err)
		}
	}
	for _, s := range []string{"", ",", "5,", ",5", "0,5", "0", "5,5", "25,5", "5,25,25", "5;25", "5 25", "5,101", "5,x", "5,,25", "-5,5", strings.Repeat("5,", 1<<16)} {
		if got, err := ParseSteps(s); got != nil || !errors.Is(err, prompt.ErrInvalid) || len(err.Error()) > 400 {
			t.Errorf("ParseSteps(%.40q) = %v, %.500v", s, got, err)
		}
	}
}

// Whatever is accepted is a share between nothing and everybody, and is read
// again as it is printed.
func FuzzParseShare(f *testing.F) {
	for _, s := range []string{"5", "0.25", "100", "100%", "0.001", "100.001", "-1", "1e2", ".5", "5.", "", "5 %", "５", "5,25,50,100", "5,5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		share, err := ParseShare(s)
		if err != nil {
			if share != 0 || !errors.Is(err, prompt.ErrInvalid) {
				t.Fatalf("ParseShare(%q) = %d, %v", s, share, err)
			}
		} else if again, err := ParseShare(share.Number()); share > Scale || err != nil || again != share {
			t.Fatalf("ParseShare(%q) = %d, again %d, %v", s, share, again, err)
		}
		steps, err := ParseSteps(s)
		if err != nil && (steps != nil || !errors.Is(err, prompt.ErrInvalid)) {
			t.Fatalf("ParseSteps(%q) = %v, %v", s, steps, err)
		}
		last := Share(0)
		for _, step := range steps {
			if step <= last || step > Scale {
				t.Fatalf("ParseSteps(%q) = %v", s, steps)
			}
			last = step
		}
	})
}
