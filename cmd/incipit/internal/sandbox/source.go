package sandbox

import (
	"regexp"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// sourceName is what goja calls the script; wrapperLines is how many lines
// stand above its first one in what is compiled.
const (
	sourceName   = "script"
	wrapperLines = 1
)

// compile makes a function of a request's code, once.
func (m *machine) compile(q request) (*goja.Program, error) {
	key := programKey{code: q.Code, file: q.File, params: strings.Join(q.Params, ",")}
	if p := m.compiled[key]; p != nil {
		return p, nil
	}
	if hasProperty(q.Code) {
		return nil, &ScriptError{Message: `a pattern with \p{…} is not supported in scripts: write a range, or use a regex assertion`}
	}
	source := "(function(" + key.params + "){\n" + body(q.Code) + "\n})"
	if q.File != "" {
		source = "(function(module,exports){\n" + commonJS(q.Code) + "\n})"
	}
	tree, err := parser.ParseFile(nil, sourceName, source, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, unreadable(err, q.Code)
	}
	if !isOneFunction(tree) {
		return nil, &ScriptError{Message: "it does not compile: a bracket closes what it did not open"}
	}
	p, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, unreadable(err, q.Code)
	}
	if len(m.compiled) >= maxCompiled {
		clear(m.compiled)
	}
	m.compiled[key] = p
	return p, nil
}

// isOneFunction reports whether a script stayed within the function that was
// put around it.
func isOneFunction(tree *ast.Program) bool {
	if len(tree.Body) != 1 {
		return false
	}
	statement, ok := tree.Body[0].(*ast.ExpressionStatement)
	if !ok {
		return false
	}
	_, ok = statement.Expression.(*ast.FunctionLiteral)
	return ok
}

// body makes a function's body of code as promptfoo does: several lines are
// one already, a single line is an expression, or declarations and at last an
// expression.
func body(code string) string {
	code = strings.TrimRight(code, " \t\r\n")
	if strings.Contains(code, "\n") {
		return code
	}
	code = strings.TrimRight(strings.TrimSpace(code), "; \t")
	if !declares(code) {
		return "return " + code
	}
	at := lastSemicolon(code)
	if last := strings.TrimSpace(code[at+1:]); at >= 0 && last != "" {
		return code[:at+1] + " return " + last
	}
	return code
}

func declares(code string) bool {
	word, _, found := strings.Cut(strings.ReplaceAll(code, "\t", " "), " ")
	return found && (word == "const" || word == "let" || word == "var")
}

// lastSemicolon finds the last semicolon that is in no string; -1 is none.
func lastSemicolon(code string) int {
	at, quote := -1, byte(0)
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == ';':
			at = i
		}
	}
	return at
}

// commonJS makes of the exports of an ES module what a CommonJS module has.
// Lines stay where they are. Imports stay, too, and do not compile: there is
// nothing to import.
func commonJS(code string) string {
	if !strings.Contains(code, "export") {
		return code
	}
	code = regexp.MustCompile(`(?m)^export\s+default\s+`).ReplaceAllString(code, "exports.default = ")
	var names []string
	declared := regexp.MustCompile(`(?m)^export\s+((?:async\s+)?function\s+|const\s+|let\s+|var\s+)([A-Za-z_$][\w$]*)`)
	for _, found := range declared.FindAllStringSubmatch(code, -1) {
		names = append(names, found[2])
	}
	code = declared.ReplaceAllString(code, "$1$2")
	for _, name := range names {
		code += "\nexports." + name + " = " + name + ";"
	}
	return code
}

// exported runs a module and finds in it the function that is asked for: the
// one of that name, else the module itself, else its default.
func (w *world) exported(load goja.Callable, name string) (goja.Callable, error) {
	module, exports := w.vm.NewObject(), w.vm.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return nil, err
	}
	if _, err := load(exports, module, exports); err != nil {
		return nil, err
	}
	value := module.Get("exports")
	if name == "" {
		if f, ok := goja.AssertFunction(value); ok {
			return f, nil
		}
		name = "default"
	}
	if object, ok := value.(*goja.Object); ok {
		if f, ok := goja.AssertFunction(object.Get(name)); ok {
			return f, nil
		}
	}
	if name == "default" {
		return nil, &ScriptError{Message: "it exports no function: write module.exports = (output, context) => …, or name one as in file.js:name"}
	}
	return nil, &ScriptError{Message: "it exports no function named " + name}
}
