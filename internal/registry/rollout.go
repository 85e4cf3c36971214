package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Strategy is how other releases run beside the stable one.
type Strategy string

// The strategies.
const (
	Full      Strategy = "full" // no rollout: one release for everybody
	Canary    Strategy = "canary"
	BlueGreen Strategy = "blue-green"
	// Experiment compares several releases at shares that are chosen; none of
	// them replaces the stable one until somebody says so.
	Experiment Strategy = "experiment"
)

// The names of the arms of a canary and of a blue-green rollout.
const (
	StableArm    = "stable"
	CandidateArm = "candidate"
)

// A Share is a part of all subjects, in thousandths of a percent: Scale is
// everybody.
type Share uint32

// ParseShare reads a percentage with at most three decimals: 5, 0.25, 100.
func ParseShare(s string) (Share, error) {
	invalid := fmt.Errorf("%q is %w as a share: write a percentage from 0 to 100 with at most three decimals, such as 5 or 0.25", prompt.Clip(s, 40), prompt.ErrInvalid)
	whole, frac, hasFrac := strings.Cut(strings.TrimSuffix(s, "%"), ".")
	if hasFrac && (frac == "" || len(frac) > 3) || len(whole) > 3 {
		return 0, invalid
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 3-len(frac)), 10, 32)
	if err != nil || whole == "" || n > Scale {
		return 0, invalid
	}
	return Share(n), nil
}

// String is the share in percent: "5 %", "0.25 %".
func (s Share) String() string { return s.Number() + " %" }

// Number is the share in percent, without the sign.
func (s Share) Number() string { return strconv.FormatFloat(float64(s)/(Scale/100), 'f', -1, 64) }

// MarshalText makes a Share a percentage in JSON: "5", "0.25".
func (s Share) MarshalText() ([]byte, error) { return []byte(s.Number()), nil }

// UnmarshalText is ParseShare.
func (s *Share) UnmarshalText(b []byte) (err error) {
	*s, err = ParseShare(string(b))
	return err
}

// ParseSteps reads the shares of a canary: rising, the first above 0.
func ParseSteps(s string) ([]Share, error) {
	var steps []Share
	for f := range strings.SplitSeq(s, ",") {
		share, err := ParseShare(strings.TrimSpace(f))
		if err != nil {
			return nil, err
		}
		if share == 0 || len(steps) > 0 && share <= steps[len(steps)-1] {
			return nil, fmt.Errorf("the steps %q are %w: each must be larger than the one before, the first larger than 0, as in 5,25,50,100", prompt.Clip(s, 60), prompt.ErrInvalid)
		}
		steps = append(steps, share)
	}
	return steps, nil
}

// A Range is a run of slots, half open: From is in it, To is not.
type Range struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

// An Arm is a release and the slots whose subjects it serves.
type Arm struct {
	Name    string         `json:"name"`
	Version prompt.Version `json:"version"`
	Digest  string         `json:"digest,omitempty"`
	Commit  string         `json:"commit,omitempty"` // that the release is
	Ranges  []Range        `json:"ranges,omitempty"`
}

// Share is the part of all slots that the arm serves.
func (a Arm) Share() Share {
	var n uint32
	for _, r := range a.Ranges {
		n += r.To - r.From
	}
	return Share(n)
}

// A Rollout splits subjects between arms, the stable one last.
// Validate guarantees that each slot belongs to exactly one arm.
type Rollout struct {
	Strategy  Strategy  `json:"strategy"`
	Bucketing Bucketing `json:"bucketing"`
	Salt      string    `json:"salt,omitempty"` // fixed for the life of a rollout
	Arms      []Arm     `json:"arms"`
	Steps     []Share   `json:"steps,omitempty"`   // planned shares of a canary
	Manual    bool      `json:"manual,omitempty"`  // people alone move it, whatever the environment's guard
	Primary   string    `json:"primary,omitempty"` // the metric that decides an experiment
}

// NewRollout starts the replacement of stable by candidate, at share 0 of the
// subjects.
func NewRollout(s Strategy, b Bucketing, salt string, stable, candidate Arm, steps []Share) Rollout {
	stable.Name, candidate.Name = StableArm, CandidateArm
	return Rollout{Strategy: s, Bucketing: b, Salt: salt, Arms: []Arm{candidate, stable}, Steps: steps}.WithShare(0)
}

// WithShare returns r with the candidate owning the slots [0, share): raising
// the share moves subjects into the candidate and none out of it.
func (r Rollout) WithShare(share Share) Rollout {
	r.Arms = slices.Clone(r.Arms)
	r.Arms[0].Ranges, r.Arms[1].Ranges = nil, nil
	if share > 0 {
		r.Arms[0].Ranges = []Range{{0, uint32(share)}}
	}
	if share < Scale {
		r.Arms[1].Ranges = []Range{{uint32(share), Scale}}
	}
	return r
}

// Candidate is the arm that a canary or a blue-green rollout would make stable.
// An experiment has no candidate: see Contenders.
func (r Rollout) Candidate() Arm { return r.Arms[0] }

// Contenders are the arms beside the stable one: the candidate, or those of an
// experiment.
func (r Rollout) Contenders() []Arm { return r.Arms[:len(r.Arms)-1] }

// Stable is the arm of the release that ran when the rollout began.
func (r Rollout) Stable() Arm { return r.Arms[len(r.Arms)-1] }

// Beside is the share of all arms beside the stable one.
func (r Rollout) Beside() Share { return Scale - r.Stable().Share() }

// Arm is the arm of that name, and false if there is none.
func (r Rollout) Arm(name string) (Arm, bool) {
	i := slices.IndexFunc(r.Arms, func(a Arm) bool { return a.Name == name })
	if i < 0 {
		return Arm{}, false
	}
	return r.Arms[i], true
}

// NextStep is the first planned share above the one that stands, and false if
// there is none, as in an experiment.
func (r Rollout) NextStep() (Share, bool) {
	now := r.Candidate().Share()
	for _, s := range r.Steps {
		if s > now {
			return s, true
		}
	}
	return 0, false
}

// Validate reports whether Assign can be called: every slot belongs to exactly
// one arm, and the bucketing is known and can express the shares.
func (r Rollout) Validate() error {
	if _, err := ParseBucketing(string(r.Bucketing)); err != nil {
		return err
	}
	if n := len(r.Arms); r.Strategy == Experiment && (n < 2 || r.Arms[n-1].Name != StableArm) {
		return fmt.Errorf("the arms are %w: the last one of an experiment is %s", prompt.ErrInvalid, StableArm)
	}
	var ranges []Range
	for _, a := range r.Arms {
		ranges = append(ranges, a.Ranges...)
	}
	slices.SortFunc(ranges, func(a, b Range) int { return int(a.From) - int(b.From) })
	end := uint32(0)
	for _, g := range ranges {
		if g.From != end || g.To <= g.From || g.To > Scale {
			return fmt.Errorf("the ranges of the arms are %w: slots %d to %d are not served exactly once", prompt.ErrInvalid, min(end, g.From), g.To)
		}
		if r.Bucketing == MD5Bucketing && g.To%(Scale/100) != 0 {
			return fmt.Errorf("a share of %s is %w with %s, which knows whole percents alone", Share(g.To), prompt.ErrInvalid, MD5Bucketing)
		}
		end = g.To
	}
	if end != Scale {
		return fmt.Errorf("the ranges of the arms are %w: slots %d to %d are served by no arm", prompt.ErrInvalid, end, Scale)
	}
	return nil
}

// Assign returns the arm that serves subject (a user, a conversation, a
// request).
//
// It depends on its inputs alone, and is monotone: while Salt stands, raising
// the candidate's share moves subjects into it and none out of it. For an
// experiment, WithShares says who moves.
func (r *Rollout) Assign(subject string) *Arm {
	slot := r.Bucketing.Slot(r.Salt, subject)
	for i := range r.Arms {
		for _, g := range r.Arms[i].Ranges {
			if g.From <= slot && slot < g.To {
				return &r.Arms[i]
			}
		}
	}
	panic("registry: rollout was not validated")
}

// WithArms returns r with arms of its own, which can be filled in.
func (r Rollout) WithArms() Rollout {
	r.Arms = slices.Clone(r.Arms)
	return r
}
