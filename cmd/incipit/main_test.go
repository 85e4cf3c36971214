package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"incipit": func() {
			os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ(), scriptClock))
		},
		"terminal": func() { os.Exit(onTerminal(os.Args[1:])) },
	})
}

// scriptClock is the moment that a script says it is, for git and for us: what
// is printed is the same each time.
func scriptClock() time.Time {
	now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
	if err != nil {
		panic(err)
	}
	return now
}

// TestScripts runs the stories of testdata/script. The first line of each says
// what it proves.
//
//	exec incipit …            exitcode 5 incipit …     exact exit statuses
//	exec terminal incipit …   the same on a terminal; what it prints is the standard output
//	json FILE a.0.b want      a value of a JSON file, or of stdout; ! json: there is none
//	edit FILE old new         write FILE 'text' [times]  append FILE 'text'
//	                          texts have Go's escapes, such as \n and \x1b
//	remember, unchanged       nothing on disk or in Git has changed in between
//	hostile                   no command takes a hostile id, version or share
//	clean                     stdout holds no escape sequence but the colors of ours
//	helped                    every command has two examples, of commands and flags that exist
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode":  exitcode,
			"json":      jsonValue,
			"edit":      edit,
			"write":     write,
			"append":    appendText,
			"remember":  remember,
			"unchanged": unchanged,
			"hostile":   hostile,
			"clean":     clean,
			"helped":    helped,
		},
	})
}

func setUpScript(env *testscript.Env) error {
	const now = "2026-01-31T09:00:00Z"
	for k, v := range map[string]string{
		"HOME": env.WorkDir, "NOW": now, "GORACE": "atexit_sleep_ms=0", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8",
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": filepath.Dir(env.WorkDir),
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_AUTHOR_DATE": now,
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_COMMITTER_DATE": now,
	} {
		env.Setenv(k, v)
	}
	env.Values[memory{}] = make(map[string]string)
	return nil
}

// exitcode runs a command that must end with exactly this status.
func exitcode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode status command args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// jsonValue compares a value of a JSON document: a string as it is, anything
// else as compact JSON. The path's length is that of a list or an object.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if neg && len(args) != 2 || !neg && len(args) != 3 {
		ts.Fatalf("usage: json file path want, ! json file path")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s is no JSON: %v", args[0], err)
	}
	found := true
	for _, key := range strings.FieldsFunc(args[1], func(r rune) bool { return r == '.' }) {
		if v, found = jsonStep(v, key); !found {
			break
		}
	}
	switch {
	case neg && found:
		ts.Fatalf("%s has %s", args[0], args[1])
	case !neg && !found:
		ts.Fatalf("%s has no %s", args[0], args[1])
	case neg:
		return
	}
	got, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		ts.Check(err)
		got = string(raw)
	}
	if got != args[2] {
		ts.Fatalf("%s: %s is %s, want %s", args[0], args[1], got, args[2])
	}
}

func jsonStep(v any, key string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if key == "length" {
			return len(v), true
		}
		found, ok := v[key]
		return found, ok
	case []any:
		if key == "length" {
			return len(v), true
		}
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// edit replaces the first place where a text stands.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	before, after, ok := strings.Cut(ts.ReadFile(args[0]), unescape(ts, args[1]))
	if !ok {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	put(ts, args[0], before+unescape(ts, args[2])+after)
}

func write(ts *testscript.TestScript, _ bool, args []string) {
	times := 1
	switch len(args) {
	case 2:
	case 3:
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		times = n
	default:
		ts.Fatalf("usage: write file text [times]")
	}
	put(ts, args[0], strings.Repeat(unescape(ts, args[1]), times))
}

func appendText(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: append file text")
	}
	put(ts, args[0], ts.ReadFile(args[0])+unescape(ts, args[1]))
}

func put(ts *testscript.TestScript, name, text string) {
	name = ts.MkAbs(name)
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
	ts.Check(os.WriteFile(name, []byte(text), 0o666))
}

// unescape reads Go's escapes; quotes and line ends may stand as they are.
func unescape(ts *testscript.TestScript, s string) string {
	s, err := strconv.Unquote(`"` + strings.NewReplacer(`\"`, `\"`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`)
	ts.Check(err)
	return s
}

// memory is where a script keeps what remember saw.
type memory struct{}

func remember(ts *testscript.TestScript, _ bool, _ []string) {
	seen := ts.Value(memory{}).(map[string]string)
	clear(seen)
	maps.Copy(seen, look(ts))
}

// unchanged holds every file, ref and index entry against what remember saw.
func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	before, now := ts.Value(memory{}).(map[string]string), look(ts)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now[name] != before[name] {
			differ = append(differ, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[name]; !ok {
			differ = append(differ, name+" (new)")
		}
	}
	if len(before) == 0 || neg == (differ == nil) {
		ts.Fatalf("changed: %s", strings.Join(differ, ", "))
	}
}

// look takes down everything below the script's directory. Git's index is
// asked for what it holds, since git may rewrite it with the same content.
func look(ts *testscript.TestScript) map[string]string {
	work, seen := ts.Getenv("WORK"), make(map[string]string)
	err := filepath.WalkDir(work, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == filepath.Join(work, ".tmp") {
			return fs.SkipDir
		}
		rel, _ := filepath.Rel(work, name)
		switch {
		case d.Name() == ".git" && d.IsDir():
			out, err := exec.Command("git", "-C", filepath.Dir(name), "ls-files", "--stage").Output()
			seen[rel+" (index)"] = string(out)
			return err
		case d.Name() == "index" && strings.Contains(rel, ".git/") || strings.HasSuffix(rel, ".git/incipit/lock") || strings.HasSuffix(rel, ".git/incipit"):
			return nil
		case !d.Type().IsRegular():
			seen[rel] = d.Type().String()
			return nil
		}
		data, err := os.ReadFile(name)
		sum := sha256.Sum256(data)
		seen[rel] = string(sum[:])
		return err
	})
	ts.Check(err)
	return seen
}

// hostile gives each command that takes an id, a version or an environment what
// git, a shell or a disk would take for something else.
func hostile(ts *testscript.TestScript, _ bool, _ []string) {
	ids := []string{
		"--upload-pack=touch $WORK/pwn", "--exec=sh", "-c", "core.pager=touch pwn", "--output=/etc/x", "-", "",
		"../x", "a/../../b", "/etc/passwd", "a//b", "a/", "./a", "a/b/c/d/e", "..", ".", ".git", "a..b", "a.", "a.lock",
		"%2e%2e%2f", `..\x`, "C:/x", "a:b", "a@{1}", "a~1", "a^", "a b", "a\nb", "a\tb", "a\x1b[2J", "a\xff", "A", "Customer-Support",
		"ünïcode", "a\u2215b", "a\u202eb", "٣", "*", "a?", "[a]", "HEAD^{commit}", strings.Repeat("a", 300), strings.Repeat("a/", 3) + strings.Repeat("b", 65),
		"_shared", "_shared/", "_shared/../x", "_x", "$(touch pwn)", "`touch pwn`", ";touch pwn", "|x", "&x", "~", "#", "con/", "'",
	}
	versions := []string{
		"v1.0.0", "1.0", "1", "01.0.0", "1.00.0", "1.0.0+meta", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-a_b", "1.0.0-é", "٣.0.0", "１.0.0",
		"99999999999999999999.0.0", "-1.0.0", "1.0.0.0", "1.0.0 ", " 1.0.0", "1.0.0\n", "latest", "1.x", "^1", "*", "--upload-pack=x", "-c", "../1.0.0",
		"1.0.0-" + strings.Repeat("a", 80), "1.0.0~1", "1.0.0^{}", "1.0.0@{0}", "1.0.0-a.lock/..",
	}
	const good = "customer-support"
	for _, id := range ids {
		for _, args := range [][]string{
			{"new"},
			{"validate"},
			{"status"},
			{"show"},
			{"log"},
			{"blame"},
			{"diff"},
			{"diff", good},
			{"history"},
			{"release", "--patch", "-m", "x"},
			{"bump", "--patch", "-m", "x"},
			{"deploy", "--env", "dev"},
			{"plan", "--env", "dev"},
			{"promote", "--env", "dev"},
			{"rollback", "--env", "dev"},
			{"shift", "--env", "dev", "--to", "5"},
			{"resolve", "--env", "dev", "--subject", "u"},
		} {
			refused(ts, append(args, "--", id)...)
			if args[0] == "show" || args[0] == "deploy" {
				refused(ts, append(args, "--", id+"@1.0.0")...)
			}
		}
		if id != "" {
			refused(ts, "release", good, "--minor", "--pre="+id+"_", "-m", "x")
		}
	}
	for _, v := range versions {
		for _, args := range [][]string{
			{"show", good + "@" + v},
			{"blame", good + "@" + v},
			{"diff", good + "@" + v},
			{"diff", good, "@" + v},
			{"deploy", "--env=dev", good + "@" + v},
			{"plan", "--env=dev", good + "@" + v},
			{"rollback", "--env=dev", "--to=" + v, good},
			{"release", "-m=x", "--version=" + v, good},
			{"bump", "-m=x", "--version=" + v, good},
		} {
			refused(ts, args...)
		}
	}
	for _, share := range []string{"", "-1", "101", "1e2", "NaN", "5.", ".5", "0.0001", "5,5", "0x5", "٥", "1 0", "99999999999999999999"} {
		refused(ts, "shift", good, "--env=dev", "--to="+share)
		if share != "" {
			refused(ts, "deploy", good+"@1.0.0", "--env=dev", "--canary="+share)
		}
	}
}

// refused runs incipit in this process, since a table of a thousand command
// lines would start a thousand.
func refused(ts *testscript.TestScript, args ...string) {
	var out, errs bytes.Buffer
	args = append([]string{"-C", ts.MkAbs(".")}, args...)
	now := func() time.Time { return time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC) }
	if got := cli.Main(args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, nil, now); got != 2 {
		ts.Fatalf("%q: exit status %d, want 2\n%s%s", args, got, &out, &errs)
	}
	if out.Len() > 0 {
		ts.Fatalf("%q printed %q", args, &out)
	}
	for _, c := range errs.String() {
		if c != '\n' && (c < ' ' || c == 0x7f || c == 0x202e || c == utf8.RuneError) {
			ts.Fatalf("%q answered %q", args, &errs)
		}
	}
}

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
