package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
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
	suite := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(id)))
	r := report.Report{Schema: report.Schema, Mode: "replay", Prompts: []report.Prompt{{
		ID: prompt.ID(id), Version: shown.Version, Digest: shown.Digest,
		Run: &report.Run{Suite: "tests/" + id + ".yaml", SuiteHash: suite, Cases: []report.Case{}},
	}}}
	for i, outcome := range []report.Outcome{report.Pass, report.Fail} {
		for range counts[i] {
			run := r.Prompts[0].Run
			run.Cases = append(run.Cases, report.Case{Number: len(run.Cases) + 1, Outcome: outcome, Grades: []report.Grade{}})
		}
	}
	r.Sort()
	r.Judge()
	data, err := r.JSON()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
