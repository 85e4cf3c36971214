package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

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
