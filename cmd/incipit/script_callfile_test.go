package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestCallFiles runs the stories of testdata/callfile, each with a server of its
// own.
//
//	served ARGS…      serve the workspace from here on, and be its client
//	recorded N CALL   have it record that call N times, a second apart until now
//	broken            be the client of one that has no more than three pages
//	lines FILE N      an NDJSON file has N calls, each another one
//	rows FILE N       so has a Parquet file
func TestCallFiles(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/callfile",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			err := setUpScript(env)
			env.Setenv("NOW", "") // servers live in real time
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitcode, "json": jsonValue, "append": appendText,
			"served": func(ts *testscript.TestScript, _ bool, args []string) {
				address, _ := startServer(ts, append(args, "--listen", "127.0.0.1:0")...)
				ts.Setenv("INCIPIT_SERVER", address)
			},
			"recorded": recorded,
			"broken": func(ts *testscript.TestScript, _ bool, _ []string) {
				s := breaking(3)
				ts.Defer(s.Close)
				ts.Setenv("INCIPIT_SERVER", s.URL)
			},
			"lines": func(ts *testscript.TestScript, _ bool, args []string) {
				ids := make(map[string]bool)
				for line := range strings.Lines(ts.ReadFile(args[0])) {
					var call struct{ ID string }
					ts.Check(json.Unmarshal([]byte(line), &call))
					ids[call.ID] = true
				}
				countIs(ts, args[1], len(ids))
			},
			"rows": func(ts *testscript.TestScript, _ bool, args []string) {
				rows, err := parquet.ReadFile[struct {
					ID string `parquet:"id,optional"`
				}](ts.MkAbs(args[0]))
				ts.Check(err)
				ids := make(map[string]bool)
				for _, r := range rows {
					ids[r.ID] = true
				}
				countIs(ts, args[1], len(ids))
			},
		},
	})
}

func countIs(ts *testscript.TestScript, want string, got int) {
	if want != strconv.Itoa(got) {
		ts.Fatalf("there are %d calls, want %s", got, want)
	}
}

func recorded(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var call map[string]any
	ts.Check(json.Unmarshal([]byte(args[1]), &call))
	now := time.Now().Add(-time.Second)
	calls := make([]map[string]any, n)
	for i := range calls {
		calls[i] = maps.Clone(call)
		calls[i]["started_at"] = now.Add(-time.Duration(i) * time.Second)
	}
	for batch := range slices.Chunk(calls, 500) {
		body, err := json.Marshal(batch)
		ts.Check(err)
		resp, err := http.Post(ts.Getenv("INCIPIT_SERVER")+"/v1/calls", "application/json", bytes.NewReader(body))
		ts.Check(err)
		answer, err := io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		var taken struct{ Accepted int }
		if json.Unmarshal(answer, &taken) != nil || taken.Accepted != len(batch) {
			ts.Fatalf("of %d calls were not all taken: %s", len(batch), answer)
		}
	}
}

// breaking is a server that has n pages of one call each, and then none.
func breaking(n int32) *httptest.Server {
	var served atomic.Int32
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := served.Add(1)
		if page > n {
			http.Error(w, "{}", http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"items":[{"prompt":"a","version":"1.0.0","environment":"dev","started_at":"2026-01-31T09:00:00Z","latency_ms":1,"outcome":"ok"}],"next_cursor":"%d"}`, page)
	}))
}
