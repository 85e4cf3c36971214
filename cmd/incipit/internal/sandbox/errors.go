package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// What can come of running somebody's code. Besides these there is ScriptError,
// for what the code itself got wrong.
var (
	ErrTimeout = errors.New("the time limit was reached")
	ErrMemory  = errors.New("the memory limit was reached")
	ErrSize    = errors.New("too large")
	ErrClosed  = errors.New("the sandbox is closed")
	ErrConsent = errors.New("not allowed to run")

	// errVanished: a child ended without having said why.
	errVanished = errors.New("the sandbox's process ended unexpectedly")
)

// maxMessage is how much of somebody's message is shown, in runes.
const maxMessage = 300

// A ScriptError is what a script or template got wrong: it does not compile,
// it threw, or what it gave back is nothing that can be judged.
type ScriptError struct {
	Message string // as the script said it; Error shows it safely
	Line    int    // in the code, from 1; 0 is not known
}

func (e *ScriptError) Error() string {
	text := prompt.Visible(prompt.Clip(strings.TrimSpace(e.Message), maxMessage))
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// A fault is an error on the wire.
type fault struct {
	Kind    string `json:"kind"` // script, timeout, size
	Message string `json:"message,omitempty"`
	Line    int    `json:"line,omitempty"`
}

func (f *fault) err() error {
	switch f.Kind {
	case "timeout":
		return ErrTimeout
	case "size":
		return fmt.Errorf("what it gives back is %w: %s", ErrSize, f.Message)
	}
	return &ScriptError{Message: f.Message, Line: f.Line}
}

// faultOf makes a fault of what went wrong in a child.
func faultOf(err error) *fault {
	var script *ScriptError
	switch {
	case errors.Is(err, ErrTimeout):
		return &fault{Kind: "timeout"}
	case errors.Is(err, ErrSize):
		return &fault{Kind: "size", Message: err.Error()}
	case errors.As(err, &script):
		return &fault{Kind: "script", Message: prompt.Clip(script.Message, 4*maxMessage), Line: script.Line}
	}
	return &fault{Kind: "script", Message: prompt.Clip(err.Error(), 4*maxMessage)}
}
