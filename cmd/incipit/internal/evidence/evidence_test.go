package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// keyOf is a key that is the same in every run.
func keyOf(t testing.TB, name string) PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := NewKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func digest(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func good() Statement {
	return Statement{
		Format: Format, Prompt: "billing/refunds", Version: "1.2.0", Digest: digest("text"),
		Kinds:     Kinds{Tests: TestsPassed, Comparison: NotRegressed},
		SuiteHash: digest("suite"), ReportHash: digest("report"),
		Base:   &Base{Version: "1.1.0", Digest: digest("old"), Environment: "production"},
		Commit: strings.Repeat("a", 40), Mode: "replay", Tool: "v0.3.0", At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
	}
}

func sealed(t testing.TB, s Statement, keys ...PrivateKey) Envelope {
	t.Helper()
	e, err := Seal(s, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAStatementComesBackFromWhoeverIsTrusted(t *testing.T) {
	alice, bob := keyOf(t, "alice"), keyOf(t, "bob")
	line, err := sealed(t, good(), bob, alice).Bytes()
	if err != nil || bytes.ContainsAny(line, "\n") {
		t.Fatalf("%s, %v", line, err)
	}
	e, err := ParseEnvelope(line)
	if err != nil {
		t.Fatal(err)
	}
	got, by, err := e.Open(Keys{keyOf(t, "carol").Public(), alice.Public()})
	if err != nil || by != alice.Public() {
		t.Fatalf("%v, %v", by, err)
	}
	if diff := cmp.Diff(good(), got); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyElseIsBelieved(t *testing.T) {
	alice := keyOf(t, "alice")
	trusted := Keys{alice.Public()}
	otherType := sealed(t, good(), alice)
	payload, err := good().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	otherType.Signatures[0].Sig = base64.StdEncoding.EncodeToString(alice.sign(encoded("text/plain", payload)))
	bare := sealed(t, good(), alice)
	bare.Signatures[0].Sig = base64.StdEncoding.EncodeToString(alice.sign(payload))
	changed := sealed(t, good(), alice)
	worse := good()
	worse.Kinds.Tests = TestsFailed
	changed.Payload = sealed(t, worse).Payload
	borrowed := sealed(t, good(), keyOf(t, "mallory"))
	borrowed.Signatures[0].KeyID = alice.Public().ID()
	broken := sealed(t, good(), alice)
	broken.Signatures[0].Sig += "!"
	for name, e := range map[string]Envelope{
		"no signature":                         sealed(t, good()),
		"the signature of a stranger":          sealed(t, good(), keyOf(t, "mallory")),
		"a stranger under a trusted key's id":  borrowed,
		"a signature for another statement":    changed,
		"a signature for another payload type": otherType,
		"a signature over the payload alone":   bare,
		"a signature that is no base64":        broken,
	} {
		if _, _, err := e.Open(trusted); !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := sealed(t, good(), alice).Open(nil); !errors.Is(err, registry.ErrForbidden) {
		t.Errorf("without trusted keys: %v", err)
	}
}

// The example of DSSE's protocol.md, "Test vectors".
func TestWhatIsSignedIsWhatTheProtocolSays(t *testing.T) {
	got := string(encoded("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAStatementThatSaysNothingClearIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Statement){
		"another format":               func(s *Statement) { s.Format = 2 },
		"no prompt":                    func(s *Statement) { s.Prompt = "" },
		"a prompt that is a path":      func(s *Statement) { s.Prompt = "../x" },
		"a version that is none":       func(s *Statement) { s.Version = "latest" },
		"no digest":                    func(s *Statement) { s.Digest = "" },
		"a digest in capitals":         func(s *Statement) { s.Digest = strings.ToUpper(s.Digest) },
		"no suite":                     func(s *Statement) { s.SuiteHash = "" },
		"cassettes that are no hash":   func(s *Statement) { s.CassetteHash = "x" },
		"no result of the tests":       func(s *Statement) { s.Kinds.Tests = "" },
		"tests that are fine":          func(s *Statement) { s.Kinds.Tests = "fine" },
		"no result of the comparison":  func(s *Statement) { s.Kinds.Comparison = "" },
		"a comparison with nothing":    func(s *Statement) { s.Base = nil },
		"a base without a digest":      func(s *Statement) { s.Base.Digest = "" },
		"a base of no version":         func(s *Statement) { s.Base.Version = "x" },
		"a base in a hidden place":     func(s *Statement) { s.Base.Environment = "a\x1b[0m" },
		"a commit that is a branch":    func(s *Statement) { s.Commit = "main" },
		"a mode that does not exist":   func(s *Statement) { s.Mode = "guess" },
		"a tool that steers terminals": func(s *Statement) { s.Tool = "\x1b]0;x\a" },
		"no time":                      func(s *Statement) { s.At = time.Time{} },
		"a time with parts of seconds": func(s *Statement) { s.At = s.At.Add(1) },
	} {
		s := good()
		base := *s.Base
		s.Base = &base
		change(&s)
		if _, err := Seal(s, keyOf(t, "alice")); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Seal(good()); err != nil {
		t.Errorf("the statement that the others differ from: %v", err)
	}
}

func TestWhatWasSignedOtherwiseIsRefused(t *testing.T) {
	alice := keyOf(t, "alice")
	payload, err := good().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"not JSON":                  "hello",
		"an unknown field":          strings.Replace(string(payload), `{"at"`, `{"and":1,"at"`, 1),
		"a field twice":             strings.Replace(string(payload), `{"at"`, `{"mode":"live","at"`, 1),
		"white space":               " " + string(payload),
		"something behind it":       string(payload) + "{}",
		"another order of the keys": strings.Replace(string(payload), `"comparison":"not-regressed","tests":"pass"`, `"tests":"pass","comparison":"not-regressed"`, 1),
	} {
		if text == string(payload) {
			t.Fatalf("%s: nothing was changed", name)
		}
		sig := base64.StdEncoding.EncodeToString(alice.sign(encoded(PayloadType, []byte(text))))
		e := Envelope{PayloadType, base64.StdEncoding.EncodeToString([]byte(text)), []Signature{{"", sig}}}
		if _, _, err := e.Open(Keys{alice.Public()}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	line, err := sealed(t, good()).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"an array":             "[]",
		"another payload type": strings.Replace(string(line), PayloadType, "text/html", 1),
		"an unknown field":     strings.Replace(string(line), "{", `{"x":1,`, 1),
		"a field twice":        strings.Replace(string(line), "{", `{"payload":"",`, 1),
		"two envelopes":        string(line) + string(line),
		"too many signatures":  strings.Replace(string(line), `"signatures":[]`, `"signatures":[`+strings.Repeat(`{"keyid":"","sig":""},`, 5)+`{"keyid":"","sig":""}]`, 1),
		"too large":            strings.Replace(string(line), "{", "{"+strings.Repeat(" ", MaxEnvelope), 1),
	} {
		if _, err := ParseEnvelope([]byte(text)); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResultsNameTheKindsThatWereLookedAt(t *testing.T) {
	s := good()
	if got := s.Results(); !cmp.Equal(got, []Result{{"tests", true}, {"comparison", true}}) {
		t.Errorf("%v", got)
	}
	s.Kinds = Kinds{TestsFailed, Inconclusive}
	if got := s.Results(); !cmp.Equal(got, []Result{{"tests", false}, {"comparison", false}}) {
		t.Errorf("%v", got)
	}
	s.Kinds = Kinds{TestsPassed, NotCompared}
	if _, ok := s.Result("comparison"); ok {
		t.Error("a comparison that was not made is said to have a result")
	}
	if passed, ok := s.Result("tests"); !passed || !ok {
		t.Error("the tests are lost")
	}
}

// Whatever byte of an envelope is changed, it says the same or is refused.
func TestNoByteOfAnEnvelopeCanBeChanged(t *testing.T) {
	alice := keyOf(t, "alice")
	line, err := sealed(t, good(), alice).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := bytes.Clone(line)
		changed[rapid.IntRange(0, len(line)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		e, err := ParseEnvelope(changed)
		if err != nil {
			return
		}
		s, _, err := e.Open(Keys{alice.Public()})
		if err == nil && !cmp.Equal(s, good()) {
			t.Fatalf("%s says %+v", changed, s)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	alice := keyOf(f, "alice")
	line, err := sealed(f, good(), alice).Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"payloadType":"` + PayloadType + `","payload":"e30=","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEnvelope(data)
		if err != nil {
			return
		}
		s, err := e.Statement()
		if err != nil {
			return
		}
		again, err := s.Bytes()
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", s, err)
		}
		var back Statement
		if err := json.Unmarshal(again, &back); err != nil || !cmp.Equal(back, s) {
			t.Fatalf("%+v became %+v, %v", s, back, err)
		}
	})
}
