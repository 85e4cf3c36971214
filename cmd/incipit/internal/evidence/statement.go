// Package evidence holds what a test run says of one digest, and the signature
// by which a gate can tell who said it.
//
// A Statement is signed in an Envelope with an ed25519 key, and believed if one
// of the Keys that the reader trusts signed it. Everything here is a value: no
// disk, no network, no clock. Where keys and envelopes are kept is decided
// elsewhere, and whether a gate opens is lifecycle's.
package evidence

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// Format is the form of a Statement. Another one is refused: what is not
// understood must not open a gate.
const Format = 1

// What a statement says of the tests.
const (
	TestsPassed = "pass"
	TestsFailed = "fail"
)

// What a statement says of the comparison with the release that ran. Only
// NotRegressed opens a gate; NotCompared files nothing.
const (
	NotRegressed = "not-regressed"
	Regressed    = "regressed"
	Inconclusive = "inconclusive"
	NotCompared  = "none"
)

// A Statement is what one run of the tests found about one digest. Check
// guarantees its invariants.
type Statement struct {
	Format  int       `json:"format"`
	Prompt  prompt.ID `json:"prompt"`
	Version string    `json:"version,omitempty"` // that the metadata named; the digest is what counts
	Digest  string    `json:"digest"`
	Kinds   Kinds     `json:"kinds"`

	SuiteHash    string    `json:"suite_hash"`
	CassetteHash string    `json:"cassette_hash,omitempty"` // "" where no recorded answer was used
	ReportHash   string    `json:"report_hash"`
	Base         *Base     `json:"base,omitempty"`   // nil: nothing to compare with
	Commit       string    `json:"commit,omitempty"` // that was tested
	Mode         string    `json:"mode"`             // replay, record, live or sample
	Tool         string    `json:"tool"`             // the version of the program
	At           time.Time `json:"at"`               // in UTC, whole seconds
}

// Kinds is the result by kind of evidence.
type Kinds struct {
	Tests      string `json:"tests"`
	Comparison string `json:"comparison"`
}

// A Base is the release that was compared with.
type Base struct {
	Version     string `json:"version"`
	Digest      string `json:"digest"`
	Environment string `json:"environment,omitempty"` // where it ran; "" for the release before
}

// A Result is what a statement says about one kind.
type Result struct {
	Kind   string
	Passed bool
}

// Results lists the kinds that the statement says something about.
func (s Statement) Results() []Result {
	out := []Result{{registry.KindTests, s.Kinds.Tests == TestsPassed}}
	if s.Kinds.Comparison != NotCompared {
		out = append(out, Result{registry.KindComparison, s.Kinds.Comparison == NotRegressed})
	}
	return out
}

// Result is what the statement says about kind; ok is false if that is nothing.
func (s Statement) Result(kind string) (passed, ok bool) {
	for _, r := range s.Results() {
		if r.Kind == kind {
			return r.Passed, true
		}
	}
	return false, false
}

// String is one line for people.
func (s Statement) String() string {
	out := "tests " + s.Kinds.Tests
	if s.Kinds.Comparison != NotCompared {
		out += ", comparison " + s.Kinds.Comparison
		if s.Base != nil {
			out += " against " + s.Base.Version
		}
	}
	return out + " (" + s.Mode + ")"
}

// IsDigest reports whether text is sha256: and 64 lower-case hexadecimal digits.
func IsDigest(text string) bool {
	hex, ok := strings.CutPrefix(text, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// Check reports ErrInvalid for a statement that says nothing clear.
func (s Statement) Check() error {
	bad := func(what, value string) error {
		return registry.Errorf(prompt.ErrInvalid, "a statement of evidence with the %s %q", what, prompt.Clip(value, 80))
	}
	if s.Format != Format {
		return registry.WithFix(bad("format", fmt.Sprint(s.Format)), "use the newest incipit on both sides")
	}
	if _, err := prompt.ParseID(string(s.Prompt)); err != nil {
		return err
	}
	if s.Version != "" {
		if _, err := prompt.ParseVersion(s.Version); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		what, value string
		absent      bool // may be ""
	}{
		{"digest", s.Digest, false},
		{"suite_hash", s.SuiteHash, false},
		{"cassette_hash", s.CassetteHash, true},
		{"report_hash", s.ReportHash, false},
	} {
		if !IsDigest(f.value) && (f.value != "" || !f.absent) {
			return bad(f.what, f.value)
		}
	}
	for _, f := range []struct {
		what, value string
		allowed     []string
	}{
		{"result of tests", s.Kinds.Tests, []string{TestsPassed, TestsFailed}},
		{"result of the comparison", s.Kinds.Comparison, []string{NotRegressed, Regressed, Inconclusive, NotCompared}},
		{"mode", s.Mode, []string{"replay", "record", "live", "sample"}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return bad(f.what, f.value)
		}
	}
	return s.checkPlace(bad)
}

func (s Statement) checkPlace(bad func(what, value string) error) error {
	if s.Base == nil && s.Kinds.Comparison != NotCompared {
		return bad("comparison", s.Kinds.Comparison+" with nothing")
	}
	if b := s.Base; b != nil {
		if _, err := prompt.ParseVersion(b.Version); err != nil {
			return err
		}
		if !IsDigest(b.Digest) {
			return bad("base's digest", b.Digest)
		}
		if len(b.Environment) > 64 || prompt.Visible(b.Environment) != b.Environment {
			return bad("base's environment", b.Environment)
		}
	}
	if !regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})?$`).MatchString(s.Commit) {
		return bad("commit", s.Commit)
	}
	if len(s.Tool) > 100 || prompt.Visible(s.Tool) != s.Tool {
		return bad("tool", s.Tool)
	}
	if s.At.IsZero() || s.At.Nanosecond() != 0 {
		return bad("time", s.At.Format(time.RFC3339Nano))
	}
	return nil
}

// Bytes is the statement in the canonical form of RFC 8785, which is what is
// signed: equal statements have equal bytes.
func (s Statement) Bytes() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	s.At = s.At.UTC()
	return strictjson.Canonical(s)
}

// parseStatement reads what was signed. Unknown fields are refused, since a
// reader that leaves one out may leave out a condition.
func parseStatement(data []byte) (s Statement, err error) {
	if err := strictjson.Check(data); err != nil {
		return s, registry.Errorf(prompt.ErrInvalid, "a statement of evidence is not JSON as we write it: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, registry.Errorf(prompt.ErrInvalid, "a statement of evidence cannot be read: %s", prompt.Clip(err.Error(), 200))
	}
	canonical, err := s.Bytes()
	if err == nil && string(canonical) != string(data) {
		err = registry.Errorf(prompt.ErrInvalid, "a statement of evidence is not in its canonical form")
	}
	return s, err
}
