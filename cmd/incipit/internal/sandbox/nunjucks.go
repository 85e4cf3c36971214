package sandbox

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// nunjucks itself, as scripts/vendor-js took it; lock.json says from where.
//
//go:embed nunjucks/nunjucks.min.js
var nunjucksSource string

//go:embed prelude.js
var preludeSource string

// A renderer is a world that nunjucks was loaded into. Templates share it:
// loading takes milliseconds, and compiling a template, too.
type renderer struct {
	*world
	call goja.Callable // (source, variables, env)
}

func newRenderer() (*renderer, error) {
	w, err := newWorld()
	if err != nil {
		return nil, err
	}
	vm := w.vm
	module, exports := vm.NewObject(), vm.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return nil, err
	}
	load, err := function(w, "nunjucks", "(function(module,exports,Function){"+nunjucksSource+"\n})")
	if err != nil {
		return nil, err
	}
	if _, err := load(exports, module, exports, vm.Get("Function")); err != nil {
		return nil, err
	}
	prepare, err := function(w, "prelude", preludeSource)
	if err != nil {
		return nil, err
	}
	made, err := prepare(goja.Undefined(), module.Get("exports"))
	if err != nil {
		return nil, err
	}
	call, ok := goja.AssertFunction(made)
	if !ok {
		return nil, errors.New("the prelude makes no function")
	}
	return &renderer{world: w, call: call}, nil
}

func function(w *world, name, source string) (goja.Callable, error) {
	v, err := w.vm.RunScript(name, source)
	if err != nil {
		return nil, err
	}
	f, ok := goja.AssertFunction(v)
	if !ok {
		return nil, fmt.Errorf("%s is no function", name)
	}
	return f, nil
}

// render answers a request for a template.
func (m *machine) render(q request) (answer, error) {
	r := m.renderer
	m.renderer = nil
	if r == nil {
		var err error
		if r, err = newRenderer(); err != nil {
			return answer{}, fmt.Errorf("nunjucks does not load: %w", err)
		}
	}
	var a answer
	err := r.within(m.limits.Timeout, func() error {
		vars, err := r.parse(goja.Undefined(), r.vm.ToValue(string(q.Args[0])))
		if err != nil {
			return err
		}
		out, err := r.call(goja.Undefined(), r.vm.ToValue(q.Code), vars, r.names(q.Env))
		if err != nil {
			return err
		}
		text := out.String()
		if len(text) > m.limits.MaxOutput {
			return fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(text), m.limits.MaxOutput)
		}
		a.Value, err = json.Marshal(text)
		return err
	})
	if !r.spent && !reaches(q.Code) {
		m.renderer = r
	}
	return a, located(err)
}

// names makes of env an object of JavaScript's own.
func (w *world) names(env map[string]string) goja.Value {
	o := w.vm.CreateObject(nil)
	for name, value := range env {
		_ = o.Set(name, value) // it is a new object: it takes everything
	}
	return o
}

// reaches reports whether a template might change what others see: by the
// prototypes that all values share.
func reaches(template string) bool {
	return strings.Contains(template, "__") || strings.Contains(template, "prototype")
}

// located reads the line out of what the prelude says: [Line 3] and what is wrong.
func located(err error) error {
	var e *ScriptError
	if !errors.As(err, &e) {
		return err
	}
	message := strings.TrimPrefix(e.Message, "Error: ")
	found := regexp.MustCompile(`^\[Line (\d{1,9})\] `).FindStringSubmatch(message)
	if found == nil {
		return &ScriptError{Message: message}
	}
	line, _ := strconv.Atoi(found[1]) // it is digits
	return &ScriptError{Message: message[len(found[0]):], Line: line}
}
