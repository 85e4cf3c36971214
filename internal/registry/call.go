package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An Opt is a value that may be missing. Zero is a measurement; missing is not.
type Opt[T any] struct {
	Value T
	Known bool
}

// Some is a value that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// An Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"
	Failed    Outcome = "error"
	Cancelled Outcome = "cancelled" // by whoever made the call
)

// An ErrorClass says whose fault an error was.
type ErrorClass string

// The classes of errors. An error whose class was not said has "".
const (
	ProviderError ErrorClass = "provider" // the model's provider failed
	PromptError   ErrorClass = "prompt"   // the answer was not what the prompt asks for
	TimeoutError  ErrorClass = "timeout"
)

// ErrorClasses are all of them, in the order in which they are listed.
func ErrorClasses() []ErrorClass { return []ErrorClass{ProviderError, PromptError, TimeoutError} }

// A Call is one model call made with a resolved prompt. Wire is its JSON, Check
// says what cannot be.
type Call struct {
	ID          CallID
	Prompt      prompt.ID
	Version     string // of the release; as it is sent, it may be the digest instead
	Environment string
	Arm         string     // stable or candidate; "" was not said
	Rollout     string     // the rollout's salt; "" where one release served everybody
	Share       Opt[Share] // of the arm at that moment
	Subject     string     // as it was sent: it is kept only where the server is told to

	StartedAt    time.Time     // whole microseconds, UTC
	Latency      time.Duration // whole microseconds, as FirstToken
	FirstToken   Opt[time.Duration]
	InputTokens  Opt[int64]
	OutputTokens Opt[int64]
	CachedTokens Opt[int64]
	Cost         Opt[NanoUSD]

	Outcome      Outcome
	ErrorClass   ErrorClass // of an error
	FinishReason string
	Model        string
	ResponseID   string       // the provider's
	Satisfaction Opt[float64] // from 1 to 5
	Tags         map[string]string
	Input        string // content: kept only where the server is told to
	Output       string
}

// NanoUSD is money in billionths of a US dollar: sums of it are exact.
type NanoUSD int64

// USD is n in dollars.
func (n NanoUSD) USD() float64 { return float64(n) / 1e9 }

// A Rejection says why one call of a batch was not taken.
type Rejection struct {
	Index  int    `json:"index"` // in the batch, from 0
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// The codes of rejections.
const (
	RejectMalformed   = "malformed"           // no JSON object, or a field of the wrong type
	RejectField       = "unknown_field"       // a field that a call does not have, or one twice
	RejectMissing     = "missing"             // a required field
	RejectRange       = "out_of_range"        // a number, a text or a time that cannot be
	RejectArm         = "unknown_arm"         // or one that does not serve the subject
	RejectPrompt      = "unknown_prompt"      // no such prompt
	RejectVersion     = "unknown_version"     // no such release
	RejectEnvironment = "unknown_environment" // no such environment
	RejectForbidden   = "not_allowed"         // the caller may not record it
)

// An Intake is what became of a batch of calls.
type Intake struct {
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"` // known already: they count once
	Rejected   []Rejection `json:"rejected"`   // never null
}

// Feedback is what somebody says of a call later. One with the name "" is the
// satisfaction, from 1 to 5; others are numbers of any kind, such as relevance.
type Feedback struct {
	Name    string    `json:"name,omitempty"`
	Value   float64   `json:"value"`
	Comment string    `json:"comment,omitempty"`
	By      string    `json:"by,omitempty"` // who sent it
	At      time.Time `json:"at"`
}

// A FeedbackReceipt says what became of feedback.
type FeedbackReceipt struct {
	Call     string    `json:"call,omitempty"` // its id, if the call is known
	Waiting  bool      `json:"waiting"`        // the call has not arrived yet
	Replaced bool      `json:"replaced"`       // earlier feedback of that name
	Feedback *Feedback `json:"feedback"`
}

// A Batch is what was read of the calls that somebody sent together.
type Batch struct {
	Calls    []Call
	Index    []int // of each of Calls in what was sent, from 0
	Rejected []Rejection
	// Once names the batch, for its calls without an id: sent again, they get
	// the same ids. It is what the sender calls it, or a digest of its bytes.
	Once string
}
