package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// trusted is a python that may run. Where there is none, that this is said is
// all that can be tested.
func trusted(t *testing.T) (c PythonConfig, here bool) {
	t.Helper()
	c = PythonConfig{Consent: true, Path: os.Getenv("PATH"), Timeout: 2 * time.Minute}
	if _, err := exec.LookPath("python3"); err != nil {
		_, err := Python(t.Context(), c, PythonScript{Code: "1"}, "", nil)
		if err == nil || !strings.Contains(err.Error(), "install python3") {
			t.Errorf("without python3: %v", err)
		}
		return c, false
	}
	return c, true
}

func TestPythonMeansWhatItMeansInPromptfoo(t *testing.T) {
	c, here := trusted(t)
	if !here {
		return
	}
	for name, test := range map[string]struct {
		script PythonScript
		output any
		want   any
	}{
		"an expression is its value":  {PythonScript{Code: "len(output) > 3 and context['vars']['name'] == 'Ada'\n"}, "four", true},
		"several lines are a body":    {PythonScript{Code: "import re\nif re.match('f', output):\n    return 0.5\nreturn 0"}, "four", 0.5},
		"an indented body is one":     {PythonScript{Code: "    x = json.loads(output)\n    return x['a']\n"}, `{"a": [1, null]}`, []any{1.0, nil}},
		"a file's get_assert":         {PythonScript{Code: "def get_assert(output, context):\n    print('noise')\n    return {'pass': True, 'score': 0.9, 'reason': output}", File: "check.py"}, "é😀", map[string]any{"pass": true, "score": 0.9, "reason": "é😀"}},
		"a file's function":           {PythonScript{Code: "async def check(output, context):\n    return output['a']", File: "check.py", Function: "check"}, map[string]any{"a": 1}, 1.0},
		"a class's function":          {PythonScript{Code: "class Checks:\n    @staticmethod\n    def one(output, context): return 'one'", File: "check.py", Function: "Checks.one"}, "", "one"},
		"None is nothing":             {PythonScript{Code: "None"}, "", nil},
		"what it prints is not heard": {PythonScript{Code: "import sys, os\nprint('{}')\nos.write(1, b'[]')\nsys.stdout.flush()\nreturn 1"}, "", 1.0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Python(t.Context(), c, test.script, test.output, map[string]any{"vars": map[string]any{"name": "Ada"}})
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, %v; want %#v", got, err, test.want)
			}
		})
	}
}

func TestPythonImportsWhatStandsBesideIt(t *testing.T) {
	c, here := trusted(t)
	if !here {
		return
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "beside.py"), []byte("answer = 42"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := PythonScript{Code: "import beside\ndef get_assert(o, c): return beside.answer", File: "check.py", Dir: dir}
	if got, err := Python(t.Context(), c, script, "", nil); got != 42.0 {
		t.Errorf("%v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("it left something: %v, %v", entries, err)
	}
	script.Dir = ""
	if got, err := Python(t.Context(), c, script, "", nil); err == nil {
		t.Errorf("without a directory: %v", got)
	}
}

func TestWhatPythonGetsWrongIsSaidWithItsLine(t *testing.T) {
	c, here := trusted(t)
	if !here {
		return
	}
	for name, test := range map[string]struct {
		script PythonScript
		want   string
		line   int
	}{
		"it does not compile":     {PythonScript{Code: "output ="}, "SyntaxError", 1},
		"it raises":               {PythonScript{Code: "x = 1\nraise ValueError('bad \\x1b[31m news')"}, "ValueError: bad", 2},
		"a file raises":           {PythonScript{Code: "\ndef get_assert(o, c):\n    return o.nothing", File: "check.py"}, "AttributeError", 3},
		"a function is not there": {PythonScript{Code: "x = 1", File: "check.py"}, "defines no function get_assert", 0},
		"it gives back a set":     {PythonScript{Code: "{1, 2}"}, "not JSON serializable", 0},
		"it gives back nan":       {PythonScript{Code: "float('nan')"}, "no JSON", 0},
		"it ends the interpreter": {PythonScript{Code: "import os\nos._exit(3)"}, "exit status 3", 0},
		"it leaves":               {PythonScript{Code: "import sys\nsys.exit(3)"}, "SystemExit", 2},
		"it recurses for ever":    {PythonScript{Code: "def f(): return f()\nreturn f()"}, "RecursionError", 1},
		"it grows without bound":  {PythonScript{Code: "x = 'x'\nwhile True: x += x"}, "MemoryError", 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.MemoryBytes = 256 << 20
			got, err := Python(t.Context(), c, test.script, "", nil)
			var script *ScriptError
			if !errors.As(err, &script) {
				t.Fatalf("got %v, %v", got, err)
			}
			if !strings.Contains(err.Error(), test.want) || script.Line != test.line || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("line %d: %v", script.Line, err)
			}
		})
	}
}

func TestPythonIsHeldToItsLimits(t *testing.T) {
	c, here := trusted(t)
	if !here {
		return
	}
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	if got, err := Python(t.Context(), c, PythonScript{Code: "import os\nreturn [v for v in os.environ.values() if 'sk-' in v]"}, "", nil); err != nil || len(got.([]any)) != 0 {
		t.Errorf("its environment has %v, %v", got, err)
	}
	c.MaxOutput = 1000
	if got, err := Python(t.Context(), c, PythonScript{Code: "'x' * 2000"}, "", nil); !errors.Is(err, ErrSize) {
		t.Errorf("a large result: %v, %v", got, err)
	}
	c.Timeout = 300 * time.Millisecond
	for name, code := range map[string]string{
		"it never ends":              "while True:\n\tpass",
		"it leaves a child behind":   "import subprocess\nsubprocess.Popen(['sleep', '1000'])\nwhile True: pass",
		"it does not want to be led": "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)",
	} {
		if got, err := Python(t.Context(), c, PythonScript{Code: code + "\n"}, "", nil); !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	c.Timeout = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Python(ctx, c, PythonScript{Code: "1"}, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

// What is left behind holds a connection, whose end is its own.
func TestWhatPythonLeavesBehindEndsWithIt(t *testing.T) {
	c, here := trusted(t)
	if !here {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	code := `import socket, subprocess
s = socket.create_connection(("127.0.0.1", output))
subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=s, stderr=subprocess.DEVNULL)
return 1`
	if got, err := Python(t.Context(), c, PythonScript{Code: code}, listener.Addr().(*net.TCPAddr).Port, nil); got != 1.0 {
		t.Fatal(got, err)
	}
	held, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := held.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(held); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it still runs")
	}
}

func TestPythonNeedsConsent(t *testing.T) {
	_, err := Python(t.Context(), PythonConfig{}, PythonScript{Code: "1"}, "", nil)
	if !errors.Is(err, ErrConsent) || !strings.Contains(err.Error(), "--allow python") {
		t.Errorf("got %v", err)
	}
	_, err = Python(t.Context(), PythonConfig{Consent: true, Exe: "/nowhere/python3"}, PythonScript{Code: "1"}, "", nil)
	if err == nil || !strings.Contains(err.Error(), "install python3") {
		t.Errorf("got %v", err)
	}
}
