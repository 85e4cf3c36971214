package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sandbox"
)

// JavaScript runs the scripts and transforms of suites in a sandbox.
type JavaScript struct{ Sandbox *sandbox.Sandbox }

// Eval runs code of a suite, or of a file named FILE or FILE:FUNCTION.
func (j JavaScript) Eval(ctx context.Context, code, file string, scope map[string]any) (any, error) {
	name, function := function(file)
	v, err := j.Sandbox.Eval(ctx, sandbox.Script{Code: code, File: name, Function: function, Params: params(scope)}, scope)
	return v, thrown(err)
}

// params are the names under which a script finds its values: the two of an
// assertion first.
func params(scope map[string]any) []string {
	names := []string{"output", "context"}
	for name := range scope {
		if name != "output" && name != "context" {
			names = append(names, name)
		}
	}
	slices.Sort(names[2:])
	return names
}

// Python runs the Python of suites, where there is consent.
type Python struct{ Config sandbox.PythonConfig }

// Eval is JavaScript.Eval for Python.
func (p Python) Eval(ctx context.Context, code, file string, scope map[string]any) (any, error) {
	name, function := function(file)
	values, ok := scope["context"].(map[string]any)
	if !ok && scope["context"] != nil {
		return nil, fmt.Errorf("the context is %T and no mapping", scope["context"])
	}
	v, err := sandbox.Python(ctx, p.Config, sandbox.PythonScript{Code: code, File: name, Function: function}, scope["output"], values)
	return v, thrown(err)
}

// function parts checks.js:name.
func function(file string) (name, function string) {
	if i := strings.LastIndexByte(file, ':'); i > 0 {
		return file[:i], file[i+1:]
	}
	return file, ""
}

// thrown tells what a script got wrong from what kept it from running.
func thrown(err error) error {
	if _, ok := errors.AsType[*sandbox.ScriptError](err); ok {
		return fmt.Errorf("%w: %w", assertion.ErrThrown, err)
	}
	return err
}

// CompilePattern compiles a regular expression as assertions write it: a
// pattern of JavaScript, or /pattern/flags.
func CompilePattern(s string) (assertion.Pattern, error) {
	return sandbox.CompilePattern(sandbox.SplitPattern(s))
}
