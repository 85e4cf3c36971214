package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A delivered is a request to a webhook, as a line of a file.
type delivered struct {
	Header http.Header
	Body   string
}

// receiver answers at $RECEIVER until the script ends, and appends what it is
// told to a file.
func receiver(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: receiver file")
	}
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var line []byte
			if line, err = json.Marshal(delivered{r.Header, string(body)}); err == nil {
				_, err = file.Write(append(line, '\n'))
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	ts.Defer(func() {
		srv.Close()
		_ = file.Close()
	})
	ts.Setenv("RECEIVER", srv.URL)
}

// toldHook waits until a receiver was told what an expression matches, and holds
// its signature against a secret; ! told says that it has not been so far.
func toldHook(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] told file secret regexp")
	}
	want, err := regexp.Compile(args[2])
	ts.Check(err)
	hook, err := standardwebhooks.NewWebhook(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		for line := range strings.Lines(ts.ReadFile(args[0])) {
			var d delivered
			if json.Unmarshal([]byte(line), &d) != nil || !want.MatchString(d.Body) { // a line may not be whole yet
				continue
			}
			if neg {
				ts.Fatalf("it was told %s", d.Body)
			}
			ts.Check(hook.Verify([]byte(d.Body), d.Header))
			return
		}
		if neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it was not told %s:\n%s", args[2], ts.ReadFile(args[0]))
		}
	}
}

// idOf makes the id of the first element of a JSON list a variable.
func idOf(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: id file name")
	}
	var list []struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &list))
	if len(list) == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
	ts.Setenv(args[1], list[0].ID)
}
