package registry

import (
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The limits of feedback.
const (
	maxFeedbackName = 64
	maxComment      = 4 << 10 // bytes
	maxFeedback     = 1e9     // of a named number, either sign
)

// Check reports, with prompt.ErrInvalid, what of feedback cannot be: its number,
// its name or its comment.
func (f Feedback) Check() error {
	r := f.checkValue()
	if r == nil {
		r = checkText("comment", f.Comment, maxComment, true)
	}
	if r != nil {
		return Errorf(prompt.ErrInvalid, "%s", r.Reason)
	}
	return nil
}

func (f Feedback) checkValue() *Rejection {
	if f.Name == "" {
		_, r := Satisfaction("score", f.Value)
		return r
	}
	if len(f.Name) > maxFeedbackName || strings.IndexFunc(f.Name, notTagChar) >= 0 {
		return Reject(RejectRange, "name is %q; it must have 1 to %d of a-z, A-Z, 0-9 and . _ : / -", prompt.Clip(f.Name, 40), maxFeedbackName)
	}
	if f.Name == "satisfaction" { // it would be shown as one, and count as none
		return Reject(RejectRange, "name is satisfaction, which is what a score or a thumb says: send one of them, or another name")
	}
	if !(f.Value >= -maxFeedback && f.Value <= maxFeedback) {
		return outOfRange("value", f.Value, -maxFeedback, maxFeedback)
	}
	return nil
}

// CheckRef reports, with prompt.ErrInvalid, what cannot name a call: neither its
// id nor the provider's id of a response.
func CheckRef(ref string) error {
	r := checkText("the id of a call or of a response", ref, maxResponseID, false)
	if ref == "" {
		r = Missing("the id of a call or of a response")
	}
	if r != nil {
		return Errorf(prompt.ErrInvalid, "%s", r.Reason)
	}
	return nil
}
