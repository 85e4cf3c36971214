package registry

import "time"

// A Trial is an experiment that is open.
type Trial struct {
	Place
	Seq       int       `json:"deployment"` // that changed it last
	Since     time.Time `json:"since"`      // it was started
	By        string    `json:"by"`         // who started it
	Reason    string    `json:"reason,omitempty"`
	Primary   string    `json:"primary"` // the metric that decides
	Bucketing Bucketing `json:"bucketing"`
	Salt      string    `json:"salt,omitempty"`
	Arms      []RanArm  `json:"arms"` // the stable one last
	// Contest is how it stands; nil where nobody watches it.
	Contest *ContestReport `json:"contest,omitempty"`
}

// Trial is the experiment that is open at the end of a track, and false if
// there is none.
func (t Track) Trial(at Place) (Trial, bool) {
	now, ok := t.Current()
	if !ok || now.Rollout == nil || now.Rollout.Strategy != Experiment {
		return Trial{}, false
	}
	r := now.Rollout
	began := now
	for i := len(t) - 1; i >= 0 && t[i].Rollout != nil && t[i].Rollout.Strategy == Experiment && t[i].Rollout.Salt == r.Salt; i-- {
		began = t[i]
	}
	return Trial{
		Place: at, Seq: now.Seq, Since: began.At, By: began.By, Reason: began.Reason,
		Primary: r.Primary, Bucketing: r.Bucketing, Salt: r.Salt, Arms: r.ran(),
	}, true
}

// ran is the arms with their shares.
func (r Rollout) ran() []RanArm {
	out := make([]RanArm, len(r.Arms))
	for i, a := range r.Arms {
		out[i] = RanArm{Name: a.Name, Version: a.Version, Digest: a.Digest, Share: a.Share()}
	}
	return out
}
