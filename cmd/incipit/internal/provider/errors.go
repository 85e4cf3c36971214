package provider

import (
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Kind says what to do about a failed call.
type Kind string

// The kinds of failure. None of them is a failed test.
const (
	Unavailable Kind = "unavailable" // overloaded, away, or a time limit passed: try later
	Limited     Kind = "limited"     // too many requests, also after retries
	Denied      Kind = "denied"      // no key, a wrong one, or no access to the model
	Rejected    Kind = "rejected"    // the request is wrong for this provider: no retry helps
	Malformed   Kind = "malformed"   // the answer is cut off, too large, or no answer at all
	Missing     Kind = "missing"     // no cassette holds the answer
	OverBudget  Kind = "over-budget" // the call was not made: it could have passed the limit
	Unpriced    Kind = "unpriced"    // a limit of money stands, and nobody knows what the model costs
)

// maxText bounds the text of an Error, in characters.
const maxText = 300

// An Error is a call that gave no answer.
type Error struct {
	Kind     Kind
	Provider string        // its ID
	Status   int           // of HTTP; 0 if there was none
	After    time.Duration // how long the provider asks to wait; 0 if it does not say
	Again    bool          // the same request may be answered if it is made again
	Sent     bool          // the request may have reached a model, which may have charged for it
	Text     string        // what happened, fit to be shown: no secret, no control character, at most 300 characters
	Fix      string        // what to try
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s: %s (HTTP %d)", e.Provider, e.Text, e.Status)
	}
	return fmt.Sprintf("%s: %s", e.Provider, e.Text)
}

// refuse is a request, or a setting, that this provider cannot take.
func refuse(id, fix, format string, args ...any) *Error {
	return &Error{Kind: Rejected, Provider: prompt.Clip(id, 200), Text: prompt.Clip(fmt.Sprintf(format, args...), maxText), Fix: fix}
}

// garbled is an answer that is none.
func garbled(id, format string, args ...any) *Error {
	return &Error{
		Kind: Malformed, Provider: id, Sent: true, Text: prompt.Clip(fmt.Sprintf(format, args...), maxText),
		Fix: "check that the base URL is that of the API, and look at the provider's status page",
	}
}
