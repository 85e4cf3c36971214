package rollout

import (
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// An Event is something that happened: a Tick, a Compared, a Moved or a Held.
type Event interface{ event() }

// A Tick is a look at the evidence.
type Tick struct {
	Elapsed time.Duration // observed since the last tick
	Calls   int64         // of the rollout, since the last tick
	Verdict Verdict
	Frozen  bool // nothing may advance now
	Ready   bool // both releases can be served: before a switch
}

// A Moved is a record of the prompt in its environment, whoever made it.
type Moved struct{ Deployment registry.Deployment }

// A Held is a person who pauses the rollout, or lets it go on.
type Held struct{ Resume bool }

func (Tick) event()     {}
func (Compared) event() {}
func (Moved) event()    {}
func (Held) event()     {}

// A Command is something that must be done.
type Command struct {
	Action registry.Action // shift, promote or rollback; "" is to tell alone
	Share  registry.Share  // of a shift
	Arm    string          // of an experiment, that it is about
	Tell   Tell            // what became different, for the log and for people
}

// A Tell is something that people are told once.
type Tell string

// What is told.
const (
	TellAdvanced Tell = "advanced"
	TellPromoted Tell = "promoted"
	TellRolled   Tell = "rolled back"
	TellVerdict  Tell = "verdict" // it is another one than before
	TellAsks     Tell = "asks"
)

// Next is the state after an event, and what must be done now.
func Next(p Plan, s State, e Event) (State, []Command) {
	if s.Phase == Ended {
		return s, nil
	}
	switch e := e.(type) {
	case Tick:
		return tick(p, s, e)
	case Compared:
		return compared(p, s, e)
	case Moved:
		return moved(s, e.Deployment), nil
	case Held:
		return held(s, e), nil
	}
	return s, nil
}

// moved takes over what was recorded. Records that are in the state already
// change nothing, so each may be told twice.
func moved(s State, d registry.Deployment) State {
	if d.Seq <= s.Seq {
		return s
	}
	s.Seq = d.Seq
	if !d.Continues() {
		s.Phase, s.Question, s.Granted = Ended, "", false
		if d.Action != registry.Deploy {
			s.End = d.Action
		}
		return s
	}
	s.Share = d.Rollout.Beside()
	s.InStep, s.Healthy, s.Granted = 0, 0, false
	if s.Phase == Asking && d.Action == registry.Shift {
		s.Phase, s.Question = Watching, ""
	}
	return s
}

func held(s State, h Held) State {
	if !h.Resume {
		s.Phase, s.Question = Paused, ""
		return s
	}
	s.Granted = s.Phase == Asking && s.Question != AtLimit
	s.Phase, s.Question, s.InStep = Watching, "", 0
	return s
}

func tick(p Plan, s State, t Tick) (State, []Command) {
	s.Watched += t.Elapsed
	s.Quiet += t.Elapsed
	silent, observed := s.silent(p), time.Duration(0)
	if t.Calls > 0 {
		if !silent {
			observed = s.Quiet // time counts as observed once a call ends it
		}
		s.Calls += t.Calls
		s.Quiet, silent = 0, false
	}
	verdict := t.Verdict
	if silent && verdict != Regressed && verdict != Untrusted {
		verdict = Unmeasured
	}
	var out []Command
	if silent != s.Silent || verdict != s.Verdict && !(s.Verdict == Unmeasured && verdict == Insufficient) { // the first calls are no news
		out = append(out, Command{Tell: TellVerdict})
	}
	s.Verdict, s.Silent = verdict, silent
	if s.Phase != Paused {
		s.InStep += t.Elapsed
	}
	if verdict == Healthy || verdict == Insufficient {
		s.Healthy += observed
	}
	if s.Phase == Paused { // whoever paused it wins, also against the evidence
		return s, out
	}
	s, commands := act(p, s, t)
	if len(commands) > 0 { // which say what the verdict is
		return s, commands
	}
	return s, out
}

// silent reports whether there was no call for so long that there must be
// something wrong: for the time of the plan, or where calls are rare, for 30
// times as long as there usually is between two.
func (s State) silent(p Plan) bool {
	if s.Calls == 0 {
		return s.Quiet >= p.Silence
	}
	return s.Quiet >= max(p.Silence, 30*s.Watched/time.Duration(s.Calls))
}

func act(p Plan, s State, t Tick) (State, []Command) {
	switch s.Verdict {
	case Regressed:
		if p.OnRegress != registry.GuardAsk {
			return s, []Command{{Action: registry.Rollback, Tell: TellRolled}}
		}
		if s.Granted { // a person has seen it, and wants it to stay for now
			return s, nil
		}
		return ask(s, IsWorse)
	case Healthy:
		return advance(p, s, t)
	case Insufficient, Unmeasured, Untrusted:
	}
	if s.Share == 0 {
		return advance(p, s, t)
	}
	if s.InStep < p.Limit {
		return s, nil
	}
	if s.Verdict == Insufficient {
		switch p.AtLimit {
		case registry.GuardAdvance:
			return advance(p, s, t)
		case registry.GuardRollback:
			return s, []Command{{Action: registry.Rollback, Tell: TellRolled}}
		}
	}
	return ask(s, AtLimit)
}

// ask asks once.
func ask(s State, q Question) (State, []Command) {
	if s.Phase == Asking && s.Question == q {
		return s, nil
	}
	s.Phase, s.Question = Asking, q
	return s, []Command{{Tell: TellAsks}}
}

// advance goes to the next step, or promotes, if it may.
func advance(p Plan, s State, t Tick) (State, []Command) {
	if s.Phase == Asking && (s.Question == AtLimit || s.Question == IsWorse) {
		s.Phase, s.Question = Watching, "" // the evidence has answered
	}
	if t.Frozen || s.Healthy < p.Stay(s.Share) || s.Share == 0 && !t.Ready {
		return s, nil
	}
	if p.Ask && !s.Granted {
		if s.Share == 0 {
			return ask(s, MaySwitch)
		}
		return ask(s, MayMove)
	}
	if s.Share == 0 && !s.Granted && (s.Silent || s.Calls == 0) {
		return s, nil // nobody would see what comes of it
	}
	if next, more := p.Next(s.Share); more {
		return s, []Command{{Action: registry.Shift, Share: next, Tell: TellAdvanced}}
	}
	return s, []Command{{Action: registry.Promote, Tell: TellPromoted}}
}
