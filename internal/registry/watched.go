package registry

import (
	"encoding/json"
	"time"
)

// A Watched is a rollout that the guard follows, as it is kept: what it goes on
// from, on whichever replica. The bytes of State and Detector are their
// packages'.
type Watched struct {
	Place
	Opened   int        // number of the deployment by which it began
	Rules    GuardRules // as they stood then
	State    json.RawMessage
	Detector []byte // empty until it begins
	Cursor   int64  // number of the last call that is in it
	Begun    int64  // number of the last call before it: what came after it is in it
	Since    time.Time
	Ended    bool
	Version  int64 // grows with each write; one that expects another is refused
	At       time.Time
}

// A Steady is a release that serves everybody and is watched for changes, as it
// is kept. The bytes of State are the guard's, with what it compares with.
type Steady struct {
	Place
	Deployment int // number of the record by which it serves everybody
	State      []byte
	Cursor     int64     // number up to which the calls of the place are in it
	Since      time.Time // when it began
	At         time.Time
	Alarmed    bool          // there was a change: it is quiet for some time, then begins anew
	Quiet      time.Duration // observed time since the alarm
	Version    int64         // as in Watched
}

// A Decision is one line of a rollout's log: what was decided, on what. A change
// in a release that serves everybody stands under the record by which it does.
type Decision struct {
	Place
	Opened     int             `json:"rollout"` // number of the deployment by which the rollout began
	Seq        int             `json:"seq"`     // from 1, without gaps, per rollout
	At         time.Time       `json:"at"`
	Kind       string          `json:"kind"`
	By         string          `json:"by"` // guard, or whoever did it
	Verdict    string          `json:"verdict"`
	Text       string          `json:"text"`
	Share      Share           `json:"share"`      // the candidate's, from then on
	Deployment int             `json:"deployment"` // the record that it made; 0 is none
	Cursor     int64           `json:"cursor"`     // number of the last call that it rests on
	Evidence   json.RawMessage `json:"evidence,omitempty"`
}

// The kinds of decisions. Those that say what a person did have a By that is
// not GuardName.
const (
	DecisionBegin    = "begin"
	DecisionAdvance  = "advance"
	DecisionShift    = "shift" // by a person
	DecisionHold     = "hold"  // a verdict that is a reason to stay
	DecisionAsk      = "ask"   // a person must say what comes next
	DecisionPause    = "pause"
	DecisionResume   = "resume"
	DecisionRollback = "rollback"
	DecisionPromote  = "promote"
	DecisionEnd      = "end"     // another deployment took its place
	DecisionChanged  = "changed" // since the same hours of the days before
)

// GuardName is who acts where the guard does.
const GuardName = "guard"

// A RolloutReport is where a rollout stands, and why.
type RolloutReport struct {
	Place
	Opened    int             `json:"rollout"`
	Strategy  Strategy        `json:"strategy"`
	Stable    string          `json:"stable"`
	Candidate string          `json:"candidate"`
	Share     Share           `json:"share"`
	Steps     []Share         `json:"steps"` // the last one before it is promoted is the hold-back
	Phase     string          `json:"phase"`
	Verdict   string          `json:"verdict"`
	Text      string          `json:"text"` // why it stands where it stands, in words
	Next      string          `json:"next"` // what happens next, by itself or by whom
	Since     time.Time       `json:"since"`
	At        time.Time       `json:"at"`      // as of when
	InStep    Duration        `json:"in_step"` // observed time at this share
	Healthy   Duration        `json:"healthy"` // of it
	Needed    *float64        `json:"needed"`  // about how many of the candidate's calls a verdict takes, from the first on
	Rules     GuardRules      `json:"rules"`
	Evidence  json.RawMessage `json:"evidence,omitempty"` // a report of the guard
	Decisions []Decision      `json:"decisions"`
}

// PhaseSteady is the phase of a report about no rollout, but about a release that
// serves everybody; its verdict is Unchanged or Changed.
const (
	PhaseSteady = "steady"
	Unchanged   = "unchanged"
	Changed     = "changed"
)

// Open reports whether the rollout goes on.
func (r RolloutReport) Open() bool { return r.Phase != "ended" && r.Phase != PhaseSteady }

// A HoldRequest pauses a rollout or lets it go on.
type HoldRequest struct {
	Place
	Resume bool   `json:"resume"`
	Reason string `json:"reason,omitempty"`
}

// Continues reports whether a record changes the rollout that was open before it,
// and leaves it open: by other shares, or by taking an arm out of an experiment.
func (d Deployment) Continues() bool {
	return d.Rollout != nil && (d.Action == Shift || d.Action == Rollback)
}

// Began is the deployment by which the open rollout began, and false if none is
// open.
func (t Track) Began() (Deployment, bool) {
	now, ok := t.Current()
	if !ok || now.Rollout == nil {
		return Deployment{}, false
	}
	i := len(t) - 1
	for i > 0 && t[i].Continues() {
		i--
	}
	return t[i], true
}

// String names the place: "customer-support in production".
func (p Place) String() string { return string(p.Prompt) + " in " + p.Environment }

// A RolloutReplay is what rules decide over the calls of a rollout.
type RolloutReplay struct {
	Place
	Opened   int             `json:"rollout"`
	Calls    int             `json:"calls"` // that were judged, with late ratings
	Verdicts []ReplayVerdict `json:"verdicts"`
	// Missing says that calls of the rollout are not kept any more: what is
	// decided over the rest may differ.
	Missing  bool            `json:"missing"`
	Evidence json.RawMessage `json:"evidence"`
}

// A ReplayVerdict is a verdict, and where it was reached.
type ReplayVerdict struct {
	Index   int       `json:"index"` // of the call or rating, from 1
	Verdict string    `json:"verdict"`
	Call    CallID    `json:"call"`
	Cursor  int64     `json:"cursor"`
	At      time.Time `json:"started_at"` // of the call
}
