package rollout

import (
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Phase is what a rollout is doing.
type Phase string

// The phases.
const (
	Watching Phase = "watching"
	Paused   Phase = "paused" // by a person: nothing moves until they say so
	Asking   Phase = "asking" // a person must say what comes next; evidence still counts
	Ended    Phase = "ended"
)

// A Verdict is what the evidence says, in the words of the guard.
type Verdict string

// The verdicts.
const (
	Unmeasured   Verdict = "cannot measure"
	Insufficient Verdict = "insufficient evidence"
	Healthy      Verdict = "healthy"
	Regressed    Verdict = "regressed"
	Untrusted    Verdict = "data not trusted"
	Better       Verdict = "better" // an arm of an experiment is
)

// A Question is why a person is asked.
type Question string

// The questions.
const (
	AtLimit   Question = "limit"   // there is no verdict, and the time is up
	MayMove   Question = "advance" // it is safe; may it go on?
	MaySwitch Question = "switch"  // it is loaded and ready; may everybody move?
	IsWorse   Question = "regress" // it is worse, and the rules leave what to do to people
	IsBlocked Question = "blocked" // what must be done was refused, and is tried again
	IsBetter  Question = "better"  // an arm of an experiment is; what becomes of it?
)

// A State is where a rollout stands. The zero State is none: see Begin.
type State struct {
	Phase    Phase          `json:"phase"`
	Question Question       `json:"question,omitempty"` // while it asks
	Granted  bool           `json:"granted,omitempty"`  // a person said yes to one move
	Share    registry.Share `json:"share"`              // the candidate's, or that of all arms beside the stable one
	Seq      int            `json:"seq"`                // of the last deployment that is in it
	Verdict  Verdict        `json:"verdict"`
	Silent   bool           `json:"silent,omitempty"` // no calls come, though they should

	// Observed time, in nanoseconds: at this share, of it with a verdict that is
	// no reason to worry, in all, and since the last call.
	InStep  time.Duration `json:"in_step"`
	Healthy time.Duration `json:"healthy"`
	Watched time.Duration `json:"watched"`
	Quiet   time.Duration `json:"quiet"`
	Calls   int64         `json:"calls"` // of the rollout so far

	// Of an experiment: the arm that people were asked about since it is better,
	// and those, each with a blank behind it, that they were since they are worse.
	Winner string `json:"winner,omitempty"`
	Losers string `json:"losers,omitempty"`

	End registry.Action `json:"end,omitempty"` // how it ended; "" also if another deployment took its place
}

// Begin is the state after the deployment by which a rollout began.
func Begin(d registry.Deployment) State {
	s := State{Phase: Watching, Seq: d.Seq, Verdict: Unmeasured}
	if d.Rollout != nil {
		s.Share = d.Rollout.Beside()
	}
	return s
}
