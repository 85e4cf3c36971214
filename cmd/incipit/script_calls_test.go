package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/incipit-dev/incipit/internal/registry"
)

// record sends the calls of a file, a line each, to the server, and holds how
// many it takes, how many it knows already and how many it refuses against what
// is wanted. In the file AGO(5m) is the time five minutes before the first use,
// so that the same file is the same calls.
func record(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: record file accepted duplicates rejected")
	}
	now := time.Now()
	if first := ts.Getenv("RECORDED"); first != "" {
		var err error
		now, err = time.Parse(time.RFC3339Nano, first)
		ts.Check(err)
	}
	ts.Setenv("RECORDED", now.Format(time.RFC3339Nano))
	body := regexp.MustCompile(`AGO\((\w+)\)`).ReplaceAllStringFunc(ts.ReadFile(args[0]), func(s string) string {
		d, err := time.ParseDuration(s[len("AGO(") : len(s)-1])
		ts.Check(err)
		return now.Add(-d).UTC().Format(time.RFC3339Nano)
	})
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("INCIPIT_SERVER")+"/v1/calls", bytes.NewReader([]byte(body))) //nolint:noctx // a script ends by itself
	ts.Check(err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	if key := ts.Getenv("INCIPIT_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	var in registry.Intake
	if err := json.Unmarshal(answer, &in); err != nil || resp.StatusCode != http.StatusOK ||
		strconv.Itoa(in.Accepted) != args[1] || strconv.Itoa(in.Duplicates) != args[2] || strconv.Itoa(len(in.Rejected)) != args[3] {
		ts.Fatalf("%s: %s", resp.Status, answer)
	}
}
