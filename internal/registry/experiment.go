package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// MaxContenders bounds the arms of an experiment beside the stable one: each
// costs the others evidence, and every application holds the texts of all.
const MaxContenders = 9

// maxArmName bounds the name of an arm, in bytes.
const maxArmName = 32

// Metrics are the names of what a release can be better or worse at.
func Metrics() []string {
	return []string{"errors", "latency", "first_token", "tokens", "cost", "satisfaction"}
}

// NewExperiment starts an experiment: contenders, which have names of their
// own, beside the stable release. primary is the metric that decides, errors if
// it is "". Shares are as WithShares takes them.
func NewExperiment(b Bucketing, salt, primary string, stable Arm, contenders []Arm, shares map[string]Share) (Rollout, error) {
	primary = cmp.Or(primary, Metrics()[0])
	if !slices.Contains(Metrics(), primary) {
		return Rollout{}, WithFix(Errorf(prompt.ErrInvalid, "there is no metric %q", prompt.Clip(primary, 40)), "metrics are %s", strings.Join(Metrics(), ", "))
	}
	stable.Name, stable.Ranges = StableArm, []Range{{0, Scale}}
	r := Rollout{Strategy: Experiment, Bucketing: b, Salt: salt, Arms: []Arm{stable}, Primary: primary}
	return r.WithContenders(contenders, shares)
}

// WithContenders returns an experiment with these contenders in place of those
// that it has, at these shares. One that it has already, by name and version,
// is the same arm: it loses subjects only if its share falls. A name that meant
// another version is refused, since calls that were recorded under it would be
// taken for those of the new one.
func (r Rollout) WithContenders(contenders []Arm, shares map[string]Share) (Rollout, error) {
	if err := checkContenders(contenders, r.Stable()); err != nil {
		return r, err
	}
	next, free := make([]Arm, 0, len(contenders)+1), []Range(nil)
	for _, a := range contenders {
		if was, ok := r.Arm(a.Name); ok && was.Version != a.Version {
			return r, WithFix(Errorf(prompt.ErrInvalid, "the arm %s is %s in this experiment, and not %s", a.Name, was.Version, a.Version), "give the new arm another name")
		} else if ok {
			a = was
		}
		next = append(next, a)
	}
	for _, was := range r.Contenders() {
		if !slices.ContainsFunc(next, func(a Arm) bool { return a.Name == was.Name }) {
			free = append(free, was.Ranges...)
		}
	}
	return r.deal(append(next, r.Stable()), free, shares)
}

// WithShares returns an experiment in which arms have other shares. One that is
// not named keeps its own; the stable release has what the others leave, unless
// it is named. As few subjects as possible change arms: half the sum of what
// the shares differ by, each from an arm that loses to one that gains.
func (r Rollout) WithShares(shares map[string]Share) (Rollout, error) {
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		if _, ok := r.Arm(name); !ok {
			return r, WithFix(Errorf(prompt.ErrInvalid, "the experiment has no arm %q", prompt.Clip(name, 40)), "its arms are %s", r.names())
		}
	}
	return r.deal(slices.Clone(r.Arms), nil, shares)
}

// names lists the arms, for a reader.
func (r Rollout) names() string {
	out := make([]string, len(r.Arms))
	for i, a := range r.Arms {
		out[i] = a.Name
	}
	return strings.Join(out, ", ")
}

// deal returns r with arms that together own all slots but the free ones, after
// they gave and took what their shares ask for.
func (r Rollout) deal(arms []Arm, free []Range, shares map[string]Share) (Rollout, error) {
	want, err := r.wanted(arms, shares)
	if err != nil {
		return r, err
	}
	for i := range arms {
		if have := arms[i].Share(); have > want[i] {
			var given []Range
			arms[i].Ranges, given = give(arms[i].Ranges, uint32(have-want[i]))
			free = append(free, given...)
		}
	}
	free = merged(free)
	for i := range arms {
		if have := arms[i].Share(); have < want[i] {
			var taken []Range
			free, taken = give(free, uint32(want[i]-have))
			arms[i].Ranges = merged(slices.Concat(arms[i].Ranges, taken))
		}
	}
	r.Arms = arms
	return r, r.Validate()
}

// wanted is the share of each arm, the last of which is the stable one.
func (r Rollout) wanted(arms []Arm, shares map[string]Share) ([]Share, error) {
	want, sum, last := make([]Share, len(arms)), uint64(0), len(arms)-1
	for i, a := range arms {
		share, named := shares[a.Name]
		if !named && i < last {
			share = a.Share()
		}
		if r.Bucketing == MD5Bucketing && share%(Scale/100) != 0 {
			return nil, Errorf(prompt.ErrInvalid, "a share of %s is not valid with %s, which knows whole percents alone", share, MD5Bucketing)
		}
		want[i], sum = share, sum+uint64(share)
	}
	_, named := shares[StableArm]
	switch {
	case sum > Scale:
		return nil, WithFix(Errorf(prompt.ErrInvalid, "the shares of the arms add up to %s", Share(min(sum, 1<<31))), "they must be 100 %% together; what the arms leave is the stable release's")
	case named && sum < Scale:
		return nil, WithFix(Errorf(prompt.ErrInvalid, "the shares of all arms add up to %s, and not to 100 %%", Share(sum)), "leave out %s: it has what the others leave", StableArm)
	case !named:
		want[last] = Scale - Share(sum)
	}
	return want, nil
}

// give splits ranges into what is kept and n slots that are given away. Small
// ranges go first, and at most one is cut: shares may change for ever, and the
// ranges stay few.
func give(from []Range, n uint32) (kept, given []Range) {
	kept = slices.Clone(from)
	slices.SortFunc(kept, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.To-a.From, b.To-b.From), cmp.Compare(b.From, a.From))
	})
	for n > 0 && len(kept) > 0 {
		g := &kept[0]
		if size := g.To - g.From; size <= n {
			given, kept, n = append(given, *g), kept[1:], n-size
			continue
		}
		given = append(given, Range{g.To - n, g.To})
		g.To, n = g.To-n, 0
	}
	return merged(kept), given
}

// merged is the same slots in order, in as few ranges as there can be; nil if
// there are none.
func merged(ranges []Range) []Range {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	var out []Range
	for _, g := range ranges {
		if n := len(out); n > 0 && out[n-1].To == g.From {
			out[n-1].To = g.To
		} else {
			out = append(out, g)
		}
	}
	return out
}

// checkContenders reports arms that cannot stand beside a stable one, or beside
// each other.
func checkContenders(arms []Arm, stable Arm) error {
	if len(arms) == 0 || len(arms) > MaxContenders {
		return Errorf(prompt.ErrInvalid, "an experiment has 1 to %d arms beside the stable release, and not %d", MaxContenders, len(arms))
	}
	for i, a := range arms {
		if err := CheckArmName(a.Name); err != nil {
			return err
		}
		if a.Version == stable.Version {
			return Errorf(prompt.ErrInvalid, "%s is the stable release already: the arm %s would be compared with itself", a.Version, a.Name)
		}
		for _, b := range arms[:i] {
			switch {
			case a.Name == b.Name:
				return Errorf(prompt.ErrInvalid, "the arm %s is named twice", a.Name)
			case a.Version == b.Version:
				return Errorf(prompt.ErrInvalid, "the arms %s and %s are both %s", b.Name, a.Name, a.Version)
			}
		}
	}
	return nil
}

// CheckArmName reports a name that an arm of an experiment cannot have.
func CheckArmName(name string) error {
	switch {
	case name == StableArm || name == CandidateArm:
		return WithFix(Errorf(prompt.ErrInvalid, "the name %s means another arm", name), "choose another, such as b or short-answers")
	case name == "" || len(name) > maxArmName || name[0] == '-' || strings.IndexFunc(name, notArmChar) >= 0:
		return WithFix(Errorf(prompt.ErrInvalid, "%q is no name for an arm", prompt.Clip(name, 40)), "use 1 to %d of a-z, 0-9 and -, the first a letter or a digit", maxArmName)
	}
	return nil
}

func notArmChar(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
