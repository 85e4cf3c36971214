package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

const (
	maxFrames   = 2000 // calls within calls of a script; native ones unwind in quadratic time
	maxCompiled = 2000 // programs that are kept
)

// A machine runs scripts in this process, one at a time. Each has a world of
// its own; only what was compiled is kept.
type machine struct {
	limits   limits
	compiled map[programKey]*goja.Program
	renderer *renderer // nil before the first template, and after one that failed
}

type programKey struct{ code, file, params string }

func newMachine(l limits) *machine {
	return &machine{limits: l, compiled: map[programKey]*goja.Program{}}
}

// A world is a JavaScript runtime in which nothing was run yet.
type world struct {
	vm        *goja.Runtime
	parse     goja.Callable // JSON.parse, before a script could change it
	stringify goja.Callable
	spent     bool // it was interrupted, or may yet be
}

func newWorld() (*world, error) {
	vm := goja.New()
	vm.SetParserOptions(parser.WithDisableSourceMaps) // eval would read files that a comment names
	vm.SetMaxCallStackSize(maxFrames)
	vm.SetRandSource(rand.New(rand.NewPCG(1, 2)).Float64)
	w := &world{vm: vm}
	object := vm.Get("JSON").ToObject(vm)
	var parses, writes bool
	w.parse, parses = goja.AssertFunction(object.Get("parse"))
	w.stringify, writes = goja.AssertFunction(object.Get("stringify"))
	if !parses || !writes {
		return nil, errors.New("the runtime has no JSON")
	}
	return w, nil
}

// console swallows what scripts print: nobody reads it.
func (w *world) console() error {
	console := w.vm.NewObject()
	for _, name := range []string{"log", "info", "warn", "error", "debug", "trace"} {
		if err := console.Set(name, func(goja.FunctionCall) goja.Value { return goja.Undefined() }); err != nil {
			return err
		}
	}
	return w.vm.Set("console", console)
}

// serve answers one request.
func (m *machine) serve(q request) (answer, error) {
	if q.Template {
		return m.render(q)
	}
	program, err := m.compile(q)
	if err != nil {
		return answer{}, err
	}
	w, err := newWorld()
	if err != nil {
		return answer{}, err
	}
	if err := w.console(); err != nil {
		return answer{}, err
	}
	var a answer
	err = w.within(m.limits.Timeout, func() error {
		v, err := w.run(program, q)
		if err != nil {
			return err
		}
		a, err = w.answer(v, m.limits.MaxOutput)
		return err
	})
	return a, err
}

// within runs f and interrupts the world when it takes longer than limit.
func (w *world) within(limit time.Duration, f func() error) (err error) {
	timer := time.AfterFunc(limit, func() { w.vm.Interrupt(ErrTimeout) })
	defer func() { w.spent = !timer.Stop() }()
	defer func() {
		if r := recover(); r != nil {
			err = w.panicked(r)
		}
	}()
	return w.said(f())
}

// run calls the script's function and waits for the promise it may give.
func (w *world) run(p *goja.Program, q request) (goja.Value, error) {
	v, err := w.vm.RunProgram(p)
	if err != nil {
		return nil, err
	}
	call, ok := goja.AssertFunction(v)
	if !ok {
		return nil, &ScriptError{Message: "it is no function body"}
	}
	args := make([]goja.Value, 0, len(q.Args))
	for _, text := range q.Args {
		arg, err := w.parse(goja.Undefined(), w.vm.ToValue(string(text)))
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if q.File != "" {
		if call, err = w.exported(call, q.Function); err != nil {
			return nil, err
		}
	}
	if v, err = call(goja.Undefined(), args...); err != nil {
		return nil, err
	}
	return settled(v)
}

// settled is what a promise became. Its jobs ran when the call returned.
func settled(v goja.Value) (goja.Value, error) {
	p, ok := v.Export().(*goja.Promise)
	if !ok {
		return v, nil
	}
	switch p.State() {
	case goja.PromiseStateFulfilled:
		return p.Result(), nil
	case goja.PromiseStateRejected:
		return nil, thrown{p.Result()}
	}
	return nil, &ScriptError{Message: "its promise is never settled: there are no timers and no network to wait for"}
}

// answer writes v as JSON has it. Only a number, alone, may be none of JSON's.
func (w *world) answer(v goja.Value, limit int) (answer, error) {
	if v == nil || goja.IsUndefined(v) {
		return answer{}, nil
	}
	if f, ok := v.Export().(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return answer{Number: v.String()}, nil
	}
	text, err := w.stringify(goja.Undefined(), v)
	if err != nil {
		return answer{}, err
	}
	if goja.IsUndefined(text) {
		return answer{}, &ScriptError{Message: "it gives back a function or a symbol, which is no value"}
	}
	s := text.String()
	if len(s) > limit {
		return answer{}, fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(s), limit)
	}
	return answer{Value: json.RawMessage(s)}, nil
}
