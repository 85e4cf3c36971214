package registry

import "github.com/incipit-dev/incipit/internal/prompt"

// A Request asks for a change of what runs. Which fields count depends on the
// action.
type Request struct {
	Action      Action    `json:"action"`
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment"`
	Version     string    `json:"version,omitempty"`  // deploy; rollback, where "" is the last good one
	Strategy    Strategy  `json:"strategy,omitempty"` // deploy; "" is full
	Steps       []Share   `json:"steps,omitempty"`    // canary
	Bucketing   Bucketing `json:"bucketing,omitempty"`
	Share       Share     `json:"share,omitempty"` // shift of a canary
	// Arms are the contenders of an experiment, to deploy. The stable release
	// has what they leave.
	Arms []ArmRequest `json:"arms,omitempty"`
	// Shares, by arm, are for the shift of an experiment: see
	// Rollout.WithShares.
	Shares map[string]Share `json:"shares,omitempty"`
	// Arm of an experiment: which to promote, or the only one to roll back.
	Arm         string `json:"arm,omitempty"`
	Primary     string `json:"primary,omitempty"` // deploy of an experiment: the metric that decides
	Reason      string `json:"reason,omitempty"`
	Supersede   bool   `json:"supersede,omitempty"`   // deploy over an open rollout
	Quarantined bool   `json:"quarantined,omitempty"` // deploy what was rolled back, and clear it by that
	Manual      bool   `json:"manual,omitempty"`      // people alone move the rollout

	// Confirm is the environment's name, where it is protected.
	Confirm string `json:"-"`
	// Revision, if set, is the environment's revision that the caller saw.
	Revision *int64 `json:"-"`
	// Once is how a repeated request is known.
	Once Once `json:"-"`
}

// An ArmRequest asks for an arm of an experiment.
type ArmRequest struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Share   Share  `json:"share"`
}

// A Check is one condition of a change, and how it stands.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Fix  string `json:"fix,omitempty"` // what would make it hold
}

// A Plan is a change worked out: what would be recorded, who moves, and the
// state that it was worked out on.
type Plan struct {
	Request
	From       string         `json:"from,omitempty"` // what runs now; "" if nothing does
	To         prompt.Version `json:"to"`             // what the change is about; of several arms, the first
	Already    string         `json:"already,omitempty"`
	Moves      string         `json:"moves"` // who gets another release
	Undo       string         `json:"undo"`  // the command that takes it back
	Protected  bool           `json:"protected"`
	SeenSeq    int            `json:"seen_seq"` // the last deployment it was planned on
	SeenRev    int64          `json:"seen_revision"`
	Checks     []Check        `json:"checks"`
	Deployment Deployment     `json:"deployment"` // its time and author are set when it is applied
}

// A Receipt is a change that was made.
type Receipt struct {
	*Plan
	Revision int64  `json:"revision"` // of the environment, after the change
	Commit   string `json:"commit,omitempty"`
}

// A Row is one prompt and what runs of it where.
type Row struct {
	Prompt      prompt.ID          `json:"prompt"`
	Version     string             `json:"version,omitempty"` // the last release; "" for a draft
	Model       string             `json:"model,omitempty"`
	Maintainer  string             `json:"maintainer,omitempty"`
	Deployments map[string]Running `json:"deployments"`
}

// Running is what an environment runs of a prompt.
type Running struct {
	Version    string `json:"version"`
	Candidate  string `json:"candidate,omitempty"`
	Share      Share  `json:"share"` // of the candidate, in percent; 0 without one
	NextStep   Share  `json:"next_step"`
	DeployedAt string `json:"deployed_at"`
	By         string `json:"by,omitempty"`
	Seq        int    `json:"deployment"`
	// Arms are those of an experiment, in their order; it has no candidate.
	Arms []RanArm `json:"arms,omitempty"`
}

// An ImportRequest takes in what another registry file says.
type ImportRequest struct {
	Name    string   `json:"name"` // of the file, for messages
	Data    []byte   `json:"data"`
	Confirm []string `json:"confirm,omitempty"` // the protected environments that may change
	DryRun  bool     `json:"dry_run,omitempty"`
	Once    Once     `json:"-"`
}

// Imported is what an import changed.
type Imported struct {
	Prompts []prompt.ID `json:"prompts"`
	Commit  string      `json:"commit"` // where the registry is a file
}
