package provider

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestACommandIsSplitAndNothingIsExpanded(t *testing.T) {
	for in, want := range map[string][]string{
		``:                            nil,
		`  `:                          nil,
		`a b  c`:                      {"a", "b", "c"},
		`a 'b c' "d e"`:               {"a", "b c", "d e"},
		`a''b ""`:                     {"ab", ""},
		`a\ b 'c\d' "e\"f\g"`:         {"a b", `c\d`, `e"f\g`},
		`$HOME ~ *.py`:                {"$HOME", "~", "*.py"},
		`a; rm -rf / | b > c && $(d)`: {"a;", "rm", "-rf", "/", "|", "b", ">", "c", "&&", "$(d)"},
		"a\tb\nc":                     {"a", "b", "c"},
		`--x="a b"`:                   {"--x=a b"},
	} {
		got, err := SplitArgv(in)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{`'`, `a "b`, `a\`, `"a\"`} {
		if got, err := SplitArgv(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// What is quoted comes back as it was, whatever it is.
func TestQuotedArgumentsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.String()).Draw(t, "argv")
		var quoted []string
		for _, s := range want {
			quoted = append(quoted, "'"+strings.ReplaceAll(s, "'", `'\''`)+"'")
		}
		got, err := SplitArgv(strings.Join(quoted, " "))
		if err != nil || len(got) != len(want) || !slices.Equal(got, want) && len(want) > 0 {
			t.Fatalf("%q: %q, %v", want, got, err)
		}
	})
}

func FuzzSplitArgv(f *testing.F) {
	for _, s := range []string{``, `a 'b c' "d\"e" f\ g`, `'`, "a\\", "\xff 'é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		argv, err := SplitArgv(s)
		n := 0
		for _, a := range argv {
			n += len([]rune(a))
		}
		if err == nil && n > len([]rune(s)) {
			t.Errorf("%q: %q", s, argv)
		}
	})
}

// script is a program of a suite.
func script(t *testing.T, text string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "ask me.sh")
	if err := os.WriteFile(at, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return "exec:'" + at + "' one 'two words'"
}

func execConfig(vars map[string]string) Config {
	c := testConfig(vars)
	c.AllowExec = true
	return c
}

func TestAProgramAnswersByItsOutput(t *testing.T) {
	c := execConfig(map[string]string{"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "LANG": "C", "OPENAI_API_KEY": canary})
	p, _ := open(t, Spec{ID: script(t, `printf '%s|' "$#" "$1" "$2" "$3" "$4" "$5"; env`), Config: map[string]any{"mode": "x"}}, c)
	text := "$(touch x); `id` 'q' \"é\""
	got, err := p.Call(t.Context(), ask(text))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.SplitN(got.Output, "|", 7)
	if !slices.Equal(fields[:4], []string{"5", "one", "two words", text}) || fields[4] != `{"config":{"mode":"x"}}` || got.Cost == nil || *got.Cost != 0 {
		t.Errorf("%q, %+v", fields, got)
	}
	var request struct{ Request Request }
	if err := json.Unmarshal([]byte(fields[5]), &request); err != nil || request.Request.Model != "m" {
		t.Errorf("%v: %s", err, fields[5])
	}
	for line := range strings.Lines(fields[6]) {
		if name, _, _ := strings.Cut(line, "="); !slices.Contains([]string{"PATH", "HOME", "LANG", "PWD", "_", "SHLVL", "OLDPWD"}, name) {
			t.Errorf("it sees %s", line)
		}
	}
}

func TestAProgramRunsOnlyWhereThatIsAllowed(t *testing.T) {
	at := filepath.Join(t.TempDir(), "touched")
	p, _ := open(t, Spec{ID: script(t, "touch '"+at+"'")}, testConfig(nil))
	_, err := p.Call(t.Context(), ask("hi"))
	fails(t, err, Rejected)
	if _, err := os.Stat(at); err == nil {
		t.Error("it ran")
	}
}

func TestAProgramThatFailsIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		text, say string
		kind      Kind
	}{
		"it fails":                        {"echo out; echo went wrong >&2; exit 3", "exit status 3: went wrong", Unavailable},
		"it says nothing but a complaint": {"echo oh no >&2", "oh no", Unavailable},
		"it writes what is no text":       {`printf '\377\376'`, "UTF-8", Malformed},
		"it writes without end":           {"yes", "more than", Malformed},
		"it tells a key":                  {"echo " + canary + " >&2; exit 1", "[secret]", Unavailable},
		"it does not end":                 {"exec sleep 600", "within", Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			c := execConfig(map[string]string{"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": canary})
			c.MaxResponse = 1 << 20
			spec := Spec{ID: script(t, tt.text)}
			if name == "it does not end" {
				spec.Config = map[string]any{"timeout": 300}
			}
			p, _ := open(t, spec, c)
			_, err := p.Call(t.Context(), ask("hi"))
			if e := failure(t, err, tt.kind); !strings.Contains(e.Text, tt.say) || e.Again {
				t.Errorf("%+v", e)
			}
		})
	}
	c := execConfig(map[string]string{"PATH": "/usr/bin:/bin"})
	p, _ := open(t, Spec{ID: "exec:/nowhere/at/all"}, c)
	_, err := p.Call(t.Context(), ask("hi"))
	fails(t, err, Unavailable)
	p, _ = open(t, Spec{ID: script(t, "echo hi")}, c)
	for _, text := range []string{strings.Repeat("x", 1<<20), "a\x00b"} {
		_, err := p.Call(t.Context(), ask(text))
		fails(t, err, Rejected)
	}
}

// Whoever it started ends with it, be it by its end or by the caller's.
func TestNoProcessOfAProgramIsLeftBehind(t *testing.T) {
	for name, end := range map[string]string{"it ends": "echo done", "the caller ends": "wait"} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(t.TempDir(), "pid")
			p, _ := open(t, Spec{ID: script(t, "sleep 600 & echo $! > '"+at+".new'; mv '"+at+".new' '"+at+"'; "+end)}, execConfig(map[string]string{"PATH": "/usr/bin:/bin"}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := p.Call(ctx, ask("hi"))
				done <- err
			}()
			pid := 0
			for pid == 0 {
				if raw, err := os.ReadFile(at); err == nil {
					if pid, err = strconv.Atoi(strings.TrimSpace(string(raw))); err != nil {
						t.Fatal(err)
					}
				}
				<-time.After(time.Millisecond)
			}
			if name == "the caller ends" {
				cancel()
			}
			if err := <-done; name == "it ends" && err != nil || name != "it ends" && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			for range 2000 { // it is killed already, and may wait to be buried
				raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
				if err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(raw), ") Z ") {
					return
				}
				<-time.After(time.Millisecond)
			}
			t.Errorf("process %d is still there", pid)
		})
	}
}
