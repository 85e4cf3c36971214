package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func small(c *Config) { c.MemoryBytes = 32 << 20 }

func TestWhatNeverEndsIsEnded(t *testing.T) {
	s := open(t, brief)
	for name, code := range map[string]string{
		"a loop":                            "while (true) {}\nreturn 1",
		"a loop that catches all":           "while (true) { try { null.x } catch (e) { continue } finally { continue } }\nreturn 1",
		"promises that make promises":       "const f = () => Promise.resolve().then(f);\nreturn f()",
		"a getter of the result":            "({get a() { for (;;); }})",
		"a toJSON of the result":            "({toJSON() { for (;;); }})",
		"the text of what is thrown":        "throw {toString() { for (;;); }}\nreturn",
		"a pattern that backtracks":         `/^(?=a)(a+)+$/.test('a'.repeat(40) + 'b')`,
		"a pattern that backtracks in eval": `eval("/^(?=a)(a+)+$/.test('" + 'a'.repeat(40) + "b')")`,
		"a list that is sorted for ever":    "[3, 2, 1].sort(() => { for (;;); })",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := eval(t, s, code, ""); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "300ms") {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if got, err := s.renderInChild(t.Context(), "{% macro m() %}{{ m() }}{% endmacro %}{% for i in range(50000) %}{% for j in range(50000) %}{% set x = i * j %}{% endfor %}{% endfor %}", nil); !errors.Is(err, ErrTimeout) {
		t.Errorf("a template that loops: %.20q, %v", got, err)
	}
}

func TestAChildGoesOnAfterAScriptWasInterrupted(t *testing.T) {
	s := open(t, func(c *Config) { c.Timeout, c.Children = 5*time.Second, 1 })
	if got, err := s.Render(t.Context(), "{{ 1 + 1 }}", nil); got != "2" {
		t.Fatalf("%q, %v", got, err)
	}
	child := s.idle[0]
	if got, err := eval(t, s, "for (;;);\nreturn", ""); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.Render(t.Context(), "{{ 1 + 1 }}", nil); got != "2" || s.idle[0] != child {
		t.Errorf("%q, %v; the same child: %v", got, err, s.idle[0] == child)
	}
}

func TestWhatGrowsWithoutBoundIsEnded(t *testing.T) {
	s := open(t, small)
	for name, code := range map[string]string{
		"a list that grows":              "const a = [];\nfor (;;) a.push([1, 2, 3]);",
		"a text that doubles":            "let s = 'xy';\nfor (;;) s += s;",
		"one huge text":                  "'x'.repeat(2 ** 29).length",
		"one huge list":                  "new Array(2 ** 28).fill(0).length",
		"one huge buffer":                "new Uint8Array(2 ** 30).length + 1",
		"a result that grows as JSON":    "const a = 'x'.repeat(1e6);\nreturn new Array(1e4).fill(a);",
		"objects that hold one another":  "let o = {};\nfor (;;) o = {o};",
		"a set that grows":               "const s = new Set();\nfor (let i = 0;; i++) s.add('k' + i);",
		"promises that wait for another": "const all = [];\nfor (;;) all.push(new Promise(() => {}));",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eval(t, s, code, "")
			if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "32 MiB") {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	for name, template := range map[string]string{
		"a template over a huge range": "{% for i in range(1000000000) %}{{ i }}{% endfor %}",
		"a template that doubles":      "{% set x = 'ab' %}{% for i in range(64) %}{% set x = x ~ x %}{% endfor %}{{ x }}",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := s.Render(t.Context(), template, nil); !errors.Is(err, ErrMemory) {
				t.Errorf("got %.20q, %v", got, err)
			}
		})
	}
	if got, err := eval(t, s, "1 + 1", ""); got != 2.0 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func TestWhatIsTooLargeIsSaid(t *testing.T) {
	s := open(t, func(c *Config) { c.MaxOutput, c.MaxInput = 1000, 10_000 })
	if got, err := eval(t, s, "'<'.repeat(998)", ""); got != strings.Repeat("<", 998) {
		t.Errorf("as large as may be: %v, %v", got, err)
	}
	for name, call := range map[string]func() (any, error){
		"a result":  func() (any, error) { return eval(t, s, "'x'.repeat(999)", "") },
		"an output": func() (any, error) { return eval(t, s, "output", strings.Repeat("x", 10_000)) },
		"a template's text": func() (any, error) {
			return s.Render(t.Context(), "{{ a | upper }}{{ a }}", map[string]any{"a": strings.Repeat("x", 600)})
		},
		"a plain template's": func() (any, error) {
			return s.Render(t.Context(), "{{ a }}{{ a }}", map[string]any{"a": strings.Repeat("x", 600)})
		},
		"a text alone": func() (any, error) { return s.Render(t.Context(), strings.Repeat("x", 1001), nil) },
		"a template's values": func() (any, error) {
			return s.Render(t.Context(), "{{ a | upper }}", map[string]any{"a": strings.Repeat("x", 10_000)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := call(); !errors.Is(err, ErrSize) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestAChildThatOthersEndIsReplaced(t *testing.T) {
	s := open(t, func(c *Config) { c.Children = 1 })
	for range 3 {
		if got, err := eval(t, s, "1 + 1", ""); got != 2.0 {
			t.Fatalf("%v, %v", got, err)
		}
		s.mu.Lock()
		p, err := os.FindProcess(s.idle[0].cmd.Process.Pid)
		s.mu.Unlock()
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	s := open(t, func(c *Config) { c.Children = 1 })
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
	defer cancel()
	if _, err := s.Eval(ctx, Script{Code: "for (;;);\nreturn"}, nil); !errors.Is(err, cause) {
		t.Errorf("while it runs: %v", err)
	}
	if _, err := s.Eval(ctx, Script{Code: "1"}, nil); !errors.Is(err, cause) {
		t.Errorf("before it runs: %v", err)
	}
	if got, err := eval(t, s, "1 + 1", ""); got != 2.0 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func TestManyCallersAreServedByFewChildren(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if got, err := eval(t, s, fmt.Sprintf("output + %d", i), 1); got != float64(i+1) {
				t.Errorf("%d: %v, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	if len(s.idle) > 2 {
		t.Errorf("%d children", len(s.idle))
	}
}

func TestAClosedSandboxSaysSo(t *testing.T) {
	s := open(t)
	if _, err := eval(t, s, "1", ""); err != nil {
		t.Fatal(err)
	}
	child := s.idle[0].cmd
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if child.ProcessState == nil {
		t.Error("the child was not waited for")
	}
	if _, err := eval(t, s, "1", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAnExecutableThatIsNoChildIsSaid(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"it is not there":            func(c *Config) { c.Exe = "/nowhere/incipit" },
		"it ends at once":            func(c *Config) { c.Args = []string{"-test.run=^$"} },
		"it does not speak the wire": func(c *Config) { c.Args = []string{"-test.run=TestAnswerOfNobody", "-test.v"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, change)
			if got, err := eval(t, s, "1", ""); err == nil || !strings.Contains(err.Error(), "sandbox") && !errors.Is(err, ErrSize) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no executable is enough")
	}
}

func TestAChildKnowsNoSecretAndOpensNothing(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	s := open(t)
	if _, err := eval(t, s, "1", ""); err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.idle[0].cmd.Process.Pid))
	if err == nil && strings.Contains(string(environ), "secret") {
		t.Errorf("its environment is %q", environ)
	}
	for _, want := range []string{"Max open files            16", "Max core file size        0", "Max file size             0"} {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.idle[0].cmd.Process.Pid))
		if err == nil && !strings.Contains(string(limits), want) {
			t.Errorf("its limits are\n%s", limits)
		}
	}
}
