package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// clean holds what a terminal was sent against the few styles there are.
func clean(ts *testscript.TestScript, _ bool, _ []string) {
	out := ts.ReadFile("stdout")
	if out == "" {
		ts.Fatalf("nothing was printed")
	}
	rest := regexp.MustCompile(`\x1b\[[0-9;]*m|\r\n`).ReplaceAllString(out, "\n")
	for i, c := range rest {
		if c != '\n' && c != '\t' && (c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x202e || c == utf8.RuneError) {
			ts.Fatalf("a raw %U was printed: %q", c, rest[max(0, i-40):min(len(rest), i+40)])
		}
	}
}

// helped walks the help of every command.
func helped(ts *testscript.TestScript, _ bool, _ []string) {
	name := regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`)
	var walk func(path []string)
	walk = func(path []string) {
		ts.Check(ts.Exec("incipit", append(slices.Clone(path), "--help")...))
		help := ts.ReadFile("stdout")
		_, examples, ok := strings.Cut(help, "Examples:\n")
		examples, _, _ = strings.Cut(examples, "\n\n")
		lines := strings.Split(strings.TrimSpace(examples), "\n")
		if !ok || len(lines) < 2 {
			ts.Fatalf("%v has no two examples:\n%s", path, help)
		}
		for _, line := range lines {
			if !strings.Contains(line, strings.Join(append([]string{"incipit"}, path...), " ")) {
				ts.Fatalf("an example of %v is of something else: %s", path, line)
			}
			help := helpOf(ts, path, help, line)
			for _, flag := range regexp.MustCompile(` (--?[a-z][a-z-]*)`).FindAllStringSubmatch(line, -1) {
				if !regexp.MustCompile(`(?m)^ .*` + regexp.QuoteMeta(flag[1]) + `\b`).MatchString(strings.Replace(help, line, "", 1)) {
					ts.Fatalf("an example of %v has no flag %s: %s", path, flag[1], line)
				}
			}
		}
		head, _, _ := strings.Cut(help, "\nFlags:")
		_, commands, found := strings.Cut(head, "Examples:")
		if !found {
			return
		}
		for _, m := range name.FindAllStringSubmatch(commands, -1) {
			if m[1] != "help" {
				walk(append(slices.Clone(path), m[1]))
			}
		}
	}
	walk(nil)
}

// helpOf is the help of the command that an example runs, which may lie below
// the one at path, whose help is given.
func helpOf(ts *testscript.TestScript, path []string, help, example string) string {
	_, rest, _ := strings.Cut(example, strings.Join(append([]string{"incipit"}, path...), " "))
	path = slices.Clone(path)
	for word := range strings.FieldsSeq(rest) {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" || !regexp.MustCompile(`(?m)^  `+word+` +[A-Z]`).MatchString(help) {
			break
		}
		path = append(path, word)
		ts.Check(ts.Exec("incipit", append(slices.Clone(path), "--help")...))
		help = ts.ReadFile("stdout")
	}
	return help
}

// onTerminal runs a command with a terminal for all its streams, types the
// standard input and copies what the terminal shows to the standard output.
func onTerminal(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: terminal command args…")
		return 2
	}
	typed, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(args[0], args[1:]...)
	screen, err := pty.Start(cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer screen.Close()
	var shown bytes.Buffer
	// What is typed waits for the question: a line discipline may drop it before.
	buf := make([]byte, 4096)
	for {
		n, err := screen.Read(buf)
		shown.Write(buf[:n])
		if len(typed) > 0 && bytes.HasSuffix(shown.Bytes(), []byte(": ")) {
			if _, err := screen.Write(typed); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			typed = nil
		}
		if err != nil {
			break // the last program on the terminal has gone
		}
	}
	err = cmd.Wait()
	os.Stdout.Write(shown.Bytes()) //nolint:errcheck // the script sees that it is missing
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}
