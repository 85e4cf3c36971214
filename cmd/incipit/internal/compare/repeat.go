package compare

// Undecided are the places in pairs of the cases that another repeat could
// decide: those whose answers differ between the sides, or among themselves, on
// a metric that decides. Cases that agree would answer the same again, or lose
// as often as they gain.
//
// The verdict stays valid if each of them is asked again equally often on both
// sides, and the verdict is asked for once, after it. The rule looks at one case
// at a time and treats both sides alike, so a case's two sides can still be
// exchanged without changing what is likely, which is all that the test rests
// on. It must not depend on a verdict: to repeat only what looks bad, until it
// looks good, would.
func Undecided(pairs []Pair, r Rules) []int {
	r = r.withDefaults()
	var out []int
	for i, p := range pairs {
		if len(p.Base) > 0 && len(p.Candidate) > 0 && r.wavers(p) {
			out = append(out, i)
		}
	}
	return out
}

func (r Rules) wavers(p Pair) bool {
	for _, name := range r.Gate {
		m := measureOf(name)
		if m.relative {
			continue // it differs from call to call, whatever the prompt
		}
		all := append(m.values(p.Base), m.values(p.Candidate)...)
		for _, v := range all {
			if v != all[0] {
				return true
			}
		}
	}
	return false
}
