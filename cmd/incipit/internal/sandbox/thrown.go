package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// A thrown is a value that a promise was rejected with.
type thrown struct{ value goja.Value }

func (thrown) Error() string { return "a promise was rejected" }

// said makes of what goja reports an error of ours. To ask a thrown value what
// it says may run more of the script, so this is called within its time.
func (w *world) said(err error) error {
	var (
		rejected  thrown
		exception *goja.Exception
		overflow  *goja.StackOverflowError
		stopped   *goja.InterruptedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stopped):
		return ErrTimeout
	case errors.As(err, &overflow):
		return &ScriptError{Message: fmt.Sprintf("it recurses too deeply: more than %d calls", maxFrames)}
	case errors.As(err, &exception):
		return w.message(exception.Value(), frameLine(exception.Stack()))
	case errors.As(err, &rejected):
		return w.message(rejected.value, 0)
	}
	return err
}

// panicked makes an error of what goja panicked with: what cannot be caught, or
// a bug of its own.
func (w *world) panicked(r any) error {
	var (
		err, _   = r.(error)
		stopped  *goja.InterruptedError
		overflow *goja.StackOverflowError
	)
	if errors.As(err, &stopped) || errors.As(err, &overflow) {
		return w.said(err)
	}
	return &ScriptError{Message: fmt.Sprint("it cannot be run: ", r)}
}

// message is what a thrown value says for itself.
func (w *world) message(v goja.Value, line int) error {
	var text string
	if ex := w.vm.Try(func() { text = v.String() }); ex != nil {
		text = "it threw a value that cannot be shown"
	}
	return &ScriptError{Message: text, Line: line}
}

// frameLine is the line of the script's own code that is nearest to where an
// exception came from. Each wrapper adds one line above the code.
func frameLine(stack []goja.StackFrame) int {
	for _, f := range stack {
		if p := f.Position(); p.Line > wrapperLines && f.SrcName() == sourceName {
			return p.Line - wrapperLines
		}
	}
	return 0
}

// unreadable makes of the parser's or compiler's complaint an error of ours.
func unreadable(err error, code string) error {
	var (
		list    parser.ErrorList
		one     *parser.Error
		syntax  *goja.CompilerSyntaxError
		message = err.Error()
		line    int
	)
	switch {
	case errors.As(err, &list) && len(list) > 0:
		message, line = list[0].Message, list[0].Position.Line
	case errors.As(err, &one):
		message, line = one.Message, one.Position.Line
	case errors.As(err, &syntax):
		message = syntax.Message
		if syntax.File != nil {
			line = syntax.File.Position(syntax.Offset).Line
		}
	}
	lines := strings.Count(code, "\n") + 1 // what is missing at the end is missed below it
	return &ScriptError{Message: "it does not compile: " + message, Line: min(max(line-wrapperLines, 0), lines)}
}
