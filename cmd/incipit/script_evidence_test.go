package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeReport writes what a run of the tests would: so many cases passed, and
// failed, over the text that a reference stands for.
func writeReport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: report FILE ID[@V] passed [failed]")
	}
	ts.Check(ts.Exec("incipit", "show", args[1], "--json=digest,version"))
	var shown struct{ Digest, Version string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &shown))
	var counts [2]int
	for i, s := range args[2:] {
		n, err := strconv.Atoi(s)
		ts.Check(err)
		counts[i] = n
	}
	id, _, _ := strings.Cut(args[1], "@")
	verdict := "pass"
	if counts[1] > 0 {
		verdict = "gate"
	}
	data, err := json.Marshal(map[string]any{
		"schema": 1, "mode": "replay", "verdict": verdict,
		"prompts": []any{map[string]any{
			"id": id, "version": shown.Version, "digest": shown.Digest,
			"run": map[string]any{"suite": "tests/" + id + ".yaml", "suite_hash": fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(id))), "cases": []any{}, "passed": counts[0], "failed": counts[1], "errors": 0},
		}},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
