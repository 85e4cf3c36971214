package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The table is a promise to scripts and to clients: it is written here a
// second time, so that a change of it is seen.
func TestEachSentinelHasItsCodeItsStatusAndItsExitStatus(t *testing.T) {
	promised := []struct {
		err    error
		code   string
		status int
		exit   int
	}{
		{context.Canceled, "interrupted", 499, 130},
		{registry.ErrUnconfirmed, "unconfirmed", 428, 7},
		{registry.ErrConflict, "conflict", 409, 5},
		{registry.ErrForbidden, "forbidden", 403, 4},
		{registry.ErrGate, "gate", 422, 3},
		{registry.ErrUnavailable, "unavailable", 503, 6},
		{prompt.ErrInvalid, "invalid", 400, 2},
		{registry.ErrNotFound, "not-found", 404, 1},
	}
	if len(promised) != len(table()) {
		t.Errorf("the table has %d rows, %d are promised", len(table()), len(promised))
	}
	statuses := make(map[int]bool)
	for _, p := range promised {
		for _, err := range []error{p.err, fmt.Errorf("wrapped: %w", p.err), registry.WithFix(registry.Errorf(p.err, "own text"), "try"), errors.Join(errors.New("other"), p.err)} {
			if Code(err) != p.code || HTTPStatus(err) != p.status || ExitStatus(err) != p.exit {
				t.Errorf("%v: %s, %d, exit %d", err, Code(err), HTTPStatus(err), ExitStatus(err))
			}
		}
		if Sentinel(p.code) != p.err { //nolint:errorlint // the very one
			t.Errorf("%s stands for %v", p.code, Sentinel(p.code))
		}
		if statuses[p.status] {
			t.Errorf("%d stands for two codes", p.status)
		}
		statuses[p.status] = true
	}
	other := errors.New("a disk that is on fire")
	if Code(other) != "failure" || HTTPStatus(other) != 500 || ExitStatus(other) != 1 || Sentinel("failure") != nil || Sentinel("") != nil || ExitStatus(nil) != 0 {
		t.Errorf("%s, %d, %d", Code(other), HTTPStatus(other), ExitStatus(other))
	}
}

// What a script most needs to know of an error with two kinds comes first.
func TestAnErrorOfTwoKindsHasTheFirstOfTheTable(t *testing.T) {
	rows := table()
	for i, first := range rows {
		for _, second := range rows[i:] {
			for _, err := range []error{errors.Join(first.err, second.err), errors.Join(second.err, first.err)} {
				if Code(err) != first.code || ExitStatus(err) != first.status || HTTPStatus(err) != first.http {
					t.Errorf("%s and %s: %s", first.code, second.code, Code(err))
				}
			}
		}
	}
}

func TestTheDocumentOfExitStatusesNamesEachKind(t *testing.T) {
	doc, err := os.ReadFile("../../../../docs/exit-status.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[int]string)
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (.*)$`).FindAllStringSubmatch(string(doc), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || rows[n] != "" {
			t.Errorf("row %s: %v, %q", m[1], err, rows[n])
		}
		rows[n] = m[2]
	}
	for status, word := range map[int]string{
		ExitStatus(nil): "ok", ExitStatus(errors.New("x")): "failure", Invalid: "validation", Gate: "gate", Forbidden: "not allowed", Conflict: "conflict",
		Unavailable: "unavailable", Unconfirmed: "confirmation needed", Pending: "pending", Changes: "changes present", Interrupted: "interrupted",
	} {
		name, _, _ := strings.Cut(rows[status], " | ")
		if !strings.Contains(name, word) {
			t.Errorf("status %d is called %q in docs/exit-status.md, and is about %q", status, name, word)
		}
	}
	for _, r := range table() {
		if rows[r.status] == "" {
			t.Errorf("docs/exit-status.md says nothing of %d, which %s ends with", r.status, r.code)
		}
		if strings.Contains(rows[r.status], "Not used yet") {
			t.Errorf("docs/exit-status.md calls %d unused, which %s ends with", r.status, r.code)
		}
	}
}

func TestAProblemTellsWhatAUserMayKnow(t *testing.T) {
	secret := "postgres://app:hunter2@db/x: connection refused"
	p := NewProblem(errors.New(secret), 0, "r1")
	if p.Status != 500 || p.Code != "failure" || strings.Contains(p.Detail+p.Fix, "hunter2") || p.Fix == "" || p.Request != "r1" || p.Type != "urn:incipit:problem:failure" {
		t.Errorf("%+v", p)
	}
	p = NewProblem(fmt.Errorf("deploy: %w", registry.WithFix(registry.Errorf(registry.ErrGate, "held back"), "wait %s", "a day")), 0, "r2")
	if p.Status != 422 || p.Title != "Unprocessable Entity" || p.Code != "gate" || p.Detail != "deploy: held back" || p.Fix != "wait a day" {
		t.Errorf("%+v", p)
	}
	p = NewProblem(fmt.Errorf("SELECT 1: %w", context.Canceled), 0, "r3")
	if p.Status != 499 || p.Detail != "the request was given up" {
		t.Errorf("%+v", p)
	}
	if p = NewProblem(registry.ErrNotFound, http.StatusMethodNotAllowed, ""); p.Status != 405 || p.Code != "not-found" {
		t.Errorf("%+v", p)
	}
	raw, err := json.Marshal(NewProblem(registry.Errorf(registry.ErrConflict, "moved"), 0, "r4"))
	if want := `{"type":"urn:incipit:problem:conflict","title":"Conflict","status":409,"code":"conflict","detail":"moved","request_id":"r4"}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
}
