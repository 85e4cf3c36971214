package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
// is printed is the same each time. A server, which has deadlines, is started
// without one and lives in real time.
func scriptClock() time.Time {
	if os.Getenv("NOW") == "" {
		return time.Now()
	}
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
//	report FILE ID[@V] passed [failed]
//	                          write the JSON report of a run over a text, as it is or was released
//	answering                 PROVIDER is a model's provider; the first part of a path says how it behaves
//	vast FILE                 FILE has 1 GiB, of which nothing is on disk
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
			"report":    writeReport,
			"answering": answering,
			"vast":      vast,
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
