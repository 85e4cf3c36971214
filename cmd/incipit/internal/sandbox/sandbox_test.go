package sandbox

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes the test binary a child, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandbox-child" {
		if err := ServeChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The clock of the engine that backtracks ends by itself, a while after the last limit.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

// open makes a sandbox whose children are this binary. A test that needs a
// limit of its own changes it.
func open(t testing.TB, change ...func(*Config)) *Sandbox {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Exe: exe, Timeout: 2 * time.Minute}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// brief is a time limit that code which never ends reaches, and code that ends
// may reach too where a machine has much else to do.
func brief(c *Config) { c.Timeout = 300 * time.Millisecond }

func eval(t testing.TB, s *Sandbox, code string, output any) (any, error) {
	t.Helper()
	return s.Eval(context.WithoutCancel(t.Context()), Script{Code: code}, map[string]any{
		"output":  output,
		"context": map[string]any{"vars": map[string]any{"name": "Ada"}, "prompt": "Hello"},
	})
}
