package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
)

// A Script is JavaScript: an expression, the body of a function, or a module.
type Script struct {
	Code string

	// File says that Code is that file's, and a module whose exported function
	// is called with Params in their order. Function is its name: of
	// file.js:name. Without one it is module.exports, or its default.
	File     string
	Function string

	// Params are the names that the code, or the order in which the function,
	// gets the scope's values; none: output and context.
	Params []string
}

// Eval runs a script with the values of scope and gives back what it gives,
// once its promise is settled: nil for null and undefined, bool, float64 (which
// may be NaN or infinite), string, []any or map[string]any; a date, or whatever
// has a toJSON, is what JSON makes of it.
//
// As in promptfoo, code of one line is an expression, or declarations and at
// last an expression; of several lines it is a function's body, which gives
// back nothing without a return.
//
// It reports a *ScriptError for what the script got wrong, ErrTimeout,
// ErrMemory, ErrSize or ErrClosed.
func (s *Sandbox) Eval(ctx context.Context, script Script, scope map[string]any) (any, error) {
	q := request{Code: script.Code, File: script.File, Function: script.Function, Params: script.Params}
	if q.Params == nil {
		q.Params = []string{"output", "context"}
	}
	identifier := regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)
	for _, name := range q.Params {
		if !identifier.MatchString(name) {
			return nil, fmt.Errorf("%q is no name for a script's parameter", name)
		}
		text, err := json.Marshal(scope[name])
		if err != nil {
			return nil, fmt.Errorf("%s cannot be handed to a script: %w", name, err)
		}
		q.Args = append(q.Args, text)
	}
	a, err := s.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return a.decode()
}
