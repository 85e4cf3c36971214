package rollout

import (
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Compared is a look at the evidence of an experiment. It has no steps, and
// nothing is promoted in it by itself: an arm that is worse is taken out, about
// one that is better people are asked.
type Compared struct {
	Elapsed   time.Duration // observed since the last look
	Calls     int64         // of the experiment, since then
	Winner    string        // the arm that is better, "" if there is none
	Worse     []string      // arms that are worse and still in it
	Untrusted bool          // an arm's calls are not split as subjects are
}

func compared(p Plan, s State, c Compared) (State, []Command) {
	s.Watched += c.Elapsed
	s.Quiet += c.Elapsed
	if c.Calls > 0 {
		s.Calls += c.Calls
		s.Quiet = 0
	}
	verdict := c.verdict(s.Calls)
	var out []Command
	if verdict != s.Verdict && (verdict == Untrusted || s.Verdict == Untrusted) {
		out = append(out, Command{Tell: TellVerdict})
	}
	s.Verdict = verdict
	if s.Phase == Paused { // whoever paused it wins, also against the evidence
		return s, out
	}
	s.InStep += c.Elapsed
	if s.Question == IsBetter && c.Winner != s.Winner || s.Question == IsWorse && len(c.Worse) == 0 {
		s.Phase, s.Question = Watching, "" // it has no object any more
	}
	for _, arm := range c.Worse {
		if p.OnRegress != registry.GuardAsk { // the others have their turn when it was done
			return s, append(out, Command{Action: registry.Rollback, Arm: arm, Tell: TellRolled})
		}
		if !strings.Contains(" "+s.Losers, " "+arm+" ") {
			s.Losers += arm + " "
			s.Phase, s.Question = Asking, IsWorse
			out = append(out, Command{Arm: arm, Tell: TellAsks})
		}
	}
	if c.Winner != "" && c.Winner != s.Winner {
		s.Winner, s.Phase, s.Question = c.Winner, Asking, IsBetter
		out = append(out, Command{Arm: c.Winner, Tell: TellAsks})
	}
	return s, out
}

// verdict is what the evidence says about all arms, after so many calls.
func (c Compared) verdict(calls int64) Verdict {
	switch {
	case len(c.Worse) > 0:
		return Regressed
	case c.Untrusted:
		return Untrusted
	case c.Winner != "":
		return Better
	case calls == 0:
		return Unmeasured
	}
	return Insufficient
}
