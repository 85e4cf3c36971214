package words

import (
	"cmp"
	"fmt"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Served is how the release of a call came to serve it: who deployed it, what
// stood in the environment then, and the rollout.
func Served(t *registry.Trace) []Fact {
	out := brought(t)
	if d := t.Deployment; d != nil && d.Rollout != nil {
		r, beside := d.Rollout, Arms(d.Rollout.Contenders())
		if r.Strategy != registry.Experiment {
			beside = "candidate " + r.Candidate().Version.String()
		}
		out = append(out, Fact{"rollout", fmt.Sprintf("%s, %s, stable %s, %s, salt %s", r.Strategy, beside, d.Version, r.Bucketing, r.Salt)})
	}
	if t.Share != nil {
		out = append(out, Fact{"share", t.Share.String() + " of the subjects got this release"})
	}
	return out
}

func brought(t *registry.Trace) []Fact {
	now, then := t.Brought, t.Deployment
	switch {
	case then == nil:
		return []Fact{{"then", "nothing had been deployed there, by the clock of the application"}}
	case now == nil:
		return []Fact{{"brought by", "no deployment until then: the application served a copy of its own, or its clock is slow"}, {"then stood", record(then)}}
	case now.Seq == then.Seq:
		return []Fact{{"brought by", record(now)}}
	}
	out := []Fact{{"brought by", record(now)}, {"then stood", record(then)}}
	if _, runs := then.Arm(t.Release.Version); !runs {
		out = append(out, Fact{"stale", "the application had not followed that deployment yet, or its clock is fast"})
	}
	return out
}

// record is a deployment on one line.
func record(d *registry.Deployment) string {
	return fmt.Sprintf("#%d, %s, %s by %s%s", d.Seq, Deployment(*d), Second(d.At), cmp.Or(Name(d.By), Unknown), after(": ", d.Reason))
}

// after is s with something before it, "" if there is no s.
func after(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// Sent says what the messages of a trace are: as they were sent, or as they
// were released and why no more is known.
func Sent(t *registry.Trace) string {
	switch {
	case t.Rendered != nil:
		return "messages, as they were sent"
	case t.Call.Input != "":
		return "messages, as they were released; the input that was kept does not tell what stood for the variables"
	}
	return "messages, as they were released; what stood for the variables was not kept"
}
