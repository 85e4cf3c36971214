// Package registry holds the nouns of the prompt registry (releases,
// environments, deployments, rollouts) and the pure rules between them.
//
// Everything here is a value: no clock, no disk, no network. The SDK and the
// server share this package, so a prompt resolves alike in both.
package registry

import (
	"errors"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The error sentinels. Each stands for one exit status and, over HTTP, one
// status code; wrap them with the thing and with what to try.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("changed meanwhile") // read again, then retry
	ErrGate        = errors.New("gate not passed")
	ErrForbidden   = errors.New("not allowed")
	ErrUnavailable = errors.New("not available")
	ErrUnconfirmed = errors.New("needs confirmation")
)

// A Release is an immutable version of a prompt. Git is its truth: the tag
// names a commit, whose tree holds the files.
type Release struct {
	Prompt  prompt.ID      `json:"prompt"`
	Version prompt.Version `json:"version"`
	Tag     string         `json:"tag"`
	Commit  string         `json:"commit"`
	Digest  string         `json:"digest"` // what the tag's message says; verify holds it against the files
	Author  string         `json:"author"`
	At      time.Time      `json:"released_at"`
	Notes   string         `json:"notes"`
}

// An Action is what a deployment did.
type Action string

// The actions.
const (
	Deploy   Action = "deploy"
	Shift    Action = "shift"
	Promote  Action = "promote"
	Rollback Action = "rollback"
	Retire   Action = "retire" // from here on nothing runs
)

// A Deployment is one record of what was done to a prompt in an environment.
// Records are only ever appended; the last one says what runs.
type Deployment struct {
	Seq     int            `json:"seq"` // from 1, without gaps, per prompt and environment
	Action  Action         `json:"action"`
	Version prompt.Version `json:"version"` // the stable release from here on
	Digest  string         `json:"digest,omitempty"`
	From    string         `json:"from,omitempty"` // the version that ran before; "" for the first
	Rollout *Rollout       `json:"rollout,omitempty"`
	At      time.Time      `json:"at"`
	By      string         `json:"by,omitempty"`
	Reason  string         `json:"reason,omitempty"`

	// Revision of the environment that the record made; 0 in a file, where it
	// is not kept.
	Revision int64 `json:"revision,omitempty"`
}

// Running is the rollout that a subject is assigned by: the open one, or the
// stable release for everybody.
func (d Deployment) Running() Rollout {
	if d.Rollout != nil {
		return *d.Rollout
	}
	return Rollout{
		Strategy:  Full,
		Bucketing: DefaultBucketing,
		Arms:      []Arm{{Name: StableArm, Version: d.Version, Digest: d.Digest, Ranges: []Range{{0, Scale}}}},
	}
}

// Status is what an environment runs after d, in short.
func (d Deployment) Status() Running {
	r := Running{Version: d.Version.String(), DeployedAt: d.At.UTC().Format("2006-01-02T15:04:05Z"), By: d.By, Seq: d.Seq}
	switch {
	case d.Rollout == nil:
	case d.Rollout.Strategy == Experiment:
		r.Arms = d.Rollout.ran()
	default:
		r.Candidate, r.Share = d.Rollout.Candidate().Version.String(), d.Rollout.Candidate().Share()
		r.NextStep, _ = d.Rollout.NextStep()
	}
	return r
}

// Errorf makes an error of one of the kinds above that reads as its own text
// alone: errors.Is finds the kind.
func Errorf(kind error, format string, args ...any) error {
	return &kindError{kind, fmt.Sprintf(format, args...)}
}

type kindError struct {
	kind error
	text string
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// A FixError is an error that says what to try.
type FixError struct {
	Err error
	Fix string // an imperative, or a command line
}

func (e *FixError) Error() string { return e.Err.Error() }
func (e *FixError) Unwrap() error { return e.Err }

// WithFix adds what to try to an error.
func WithFix(err error, format string, args ...any) error {
	return &FixError{err, fmt.Sprintf(format, args...)}
}
