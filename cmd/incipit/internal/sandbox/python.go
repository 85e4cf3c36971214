package sandbox

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

//go:embed python.py
var pythonSource string

// PythonConfig says how suites' Python is run. Unlike JavaScript it can do
// whatever the user can: it runs only with Consent.
type PythonConfig struct {
	Consent     bool
	Exe         string        // python3 if "", looked for in the PATH
	Path        string        // PATH of the interpreter: all that it is given of the environment
	Timeout     time.Duration // 30 s if 0
	MemoryBytes int           // of addresses, where the system has such a limit; 2 GiB if 0
	MaxOutput   int           // bytes of what comes back; 4 MiB if 0
}

// A PythonScript is the code of a file that was read, with the function that is
// called in it (get_assert, unless Function says another), or, without File, an
// expression or the body of a function.
type PythonScript struct {
	Code     string
	File     string // to name it
	Function string // name, or Class.name
	Dir      string // absolute; modules are also imported from here, if it is not ""
}

// Python calls a suite's Python with an output and its context, in a process
// that is started for it and ends with it. Values come back as those of Eval.
//
// It reports ErrConsent without consent, and the errors of Eval.
func Python(ctx context.Context, c PythonConfig, script PythonScript, output any, values map[string]any) (any, error) {
	if !c.Consent {
		return nil, fmt.Errorf("python is %w: it can read your files and use your network; say that you trust this suite's code with --allow python", ErrConsent)
	}
	exe, err := exec.LookPath(cmp.Or(c.Exe, "python3"))
	if err != nil {
		return nil, fmt.Errorf("python is not here (%w): install python3, or say where it is", err)
	}
	question, err := json.Marshal(map[string]any{
		"code": script.Code, "file": script.File, "dir": script.Dir,
		"function": cmp.Or(script.Function, "get_assert"),
		"output":   output, "context": values,
		"memory_bytes": cmp.Or(c.MemoryBytes, 2<<30),
	})
	if err != nil {
		return nil, fmt.Errorf("the values cannot be handed to python: %w", err)
	}
	name := "python"
	if script.File != "" {
		name = prompt.Visible(prompt.Clip(script.File, 200))
	}
	v, err := interpret(ctx, exe, c, question)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// interpret runs the interpreter: isolated from the user's settings and the
// working directory (-I), writing no bytecode, in UTF-8.
func interpret(ctx context.Context, exe string, c PythonConfig, question []byte) (any, error) {
	limit := cmp.Or(c.Timeout, 30*time.Second)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w (%v)", ErrTimeout, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-I", "-B", "-X", "utf8", "-c", pythonSource) //nolint:gosec // the user's own interpreter
	cmd.Env = []string{"TZ=UTC", "PYTHONHASHSEED=0"}
	if c.Path != "" {
		cmd.Env = append(cmd.Env, "PATH="+c.Path)
	}
	cmd.Dir = os.TempDir()
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd.Process); return nil }
	cmd.WaitDelay = grace // for pipes that somebody took along
	out := &bounded{limit: cmp.Or(c.MaxOutput, 4<<20), stop: cancel}
	said := &head{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), out, said
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd.Process) // what it left behind
	}
	switch {
	case out.full:
		return nil, fmt.Errorf("what it gives back is %w: more than %d bytes", ErrSize, out.limit)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && out.buf.Len() == 0:
		return nil, &ScriptError{Message: fmt.Sprintf("it ended without an answer (%v): %s", err, said.line())}
	}
	return pythonAnswer(out.buf.Bytes())
}

func pythonAnswer(text []byte) (any, error) {
	var a struct {
		Value any     `json:"value"`
		Error *string `json:"error"`
		Line  int     `json:"line"`
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, &ScriptError{Message: "what it gives back is no JSON, as nan is none: " + err.Error()}
	}
	if a.Error != nil {
		return nil, &ScriptError{Message: *a.Error, Line: a.Line}
	}
	return a.Value, nil
}

// bounded keeps what is written to it, up to its limit, and stops the writer
// there.
type bounded struct {
	buf   bytes.Buffer
	limit int
	full  bool
	stop  func()
}

var errFull = errors.New("full")

func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.limit {
		b.full = true
		b.stop()
		return 0, errFull
	}
	return b.buf.Write(p)
}

var _ io.Writer = (*bounded)(nil)
