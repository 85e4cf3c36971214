package lifecycle

import (
	"encoding/binary"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A split is a rollout as its calls name it, with the shares that it had.
type split struct {
	salt     string
	versions map[string]string // by arm
	shares   []sharedFrom      // the oldest first, never empty
}

// A sharedFrom is the candidate's share from a time on.
type sharedFrom struct {
	at    time.Time
	share registry.Share
}

// splitOf is that of the open rollout which began with record opened.
func splitOf(t registry.Track, opened int) split {
	var s split
	for _, d := range t {
		if d.Seq < opened || d.Rollout == nil || d.Seq > opened && !d.Continues() {
			if d.Seq > opened {
				break
			}
			continue
		}
		s.salt, s.versions = d.Rollout.Salt, make(map[string]string, 2)
		for _, a := range d.Rollout.Arms {
			s.versions[a.Name] = a.Version.String()
		}
		s.shares = append(s.shares, sharedFrom{d.At, d.Rollout.Beside()})
	}
	return s
}

// settling is how long it takes until applications have heard of new shares,
// whatever their clocks say: what a call does not say itself is not told from its
// time before that.
const settling = 30 * time.Second

// of is the candidate's share when a call was assigned, and false if the call
// is not one of the rollout.
//
// A call says its arm's share as its application knew it. One that does not,
// because it was recorded by other means, has the share of the time when it
// started.
func (s *split) of(c *calllog.Seen) (share float64, ok bool) {
	if s.versions[c.Arm] != c.Version || c.Version == "" || c.Rollout != "" && c.Rollout != s.salt {
		return 0, false
	}
	if c.Share.Known {
		part := c.Share.Value
		if c.Arm == registry.StableArm {
			part = registry.Scale - part
		}
		// One release for everybody is no rollout: the application had not heard of it.
		return float64(part) / registry.Scale, c.Rollout != "" || part > 0
	}
	found := false
	for i, from := range s.shares {
		settled := from.at
		if i == 0 {
			settled = settled.Add(settling)
		}
		if !c.StartedAt.Before(settled) {
			share, found = float64(from.share)/registry.Scale, true
		}
	}
	return share, found
}

// observation is a call, or a rating, as the guard takes it.
func observation(c *calllog.Seen, share float64) guard.Observation {
	o := guard.Observation{
		Candidate: c.Arm == registry.CandidateArm, Share: share,
		Hour: c.StartedAt.Unix() / 3600, Call: max(binary.BigEndian.Uint64(c.Call[8:]), 1),
	}
	if c.Subject != (calllog.SubjectHash{}) {
		o.Subject = string(c.Subject[:])
	}
	if c.Rating {
		o.Satisfaction = c.Satisfaction
		return o
	}
	o.Satisfaction = c.Satisfaction
	if c.Outcome == registry.Cancelled { // by whoever waited: it says that it started, and no more
		o.Cancelled = true
		return o
	}
	o.Error = registry.Some(c.Outcome == registry.Failed)
	o.LatencyMS = registry.Some(milliseconds(c.Latency))
	if c.FirstToken.Known {
		o.FirstTokenMS = registry.Some(milliseconds(c.FirstToken.Value))
	}
	if c.OutputTokens.Known {
		o.Tokens = registry.Some(float64(c.OutputTokens.Value))
	}
	if c.Cost.Known {
		o.Cost = registry.Some(c.Cost.Value.USD())
	}
	return o
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measured are the metrics that calls have values of.
func measured(calls []calllog.Seen) guard.Set {
	var s guard.Set
	for i := range calls {
		c := &calls[i]
		s |= guard.Of(guard.Errors, guard.Latency)
		if c.FirstToken.Known {
			s |= guard.Of(guard.FirstToken)
		}
		if c.OutputTokens.Known {
			s |= guard.Of(guard.Tokens)
		}
		if c.Cost.Known {
			s |= guard.Of(guard.Cost)
		}
		if c.Satisfaction.Known {
			s |= guard.Of(guard.Satisfaction)
		}
	}
	return s
}
