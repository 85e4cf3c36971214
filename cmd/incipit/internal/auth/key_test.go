package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A vector is one of testdata/keys.json, which other programs may test with.
type vector struct {
	What   string `json:"what"`
	Text   string `json:"text"`
	Valid  bool   `json:"valid"`
	Kind   string `json:"kind,omitempty"`
	ID     string `json:"id,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // of the 32 bytes of the secret
}

func TestThePublishedVectorsHold(t *testing.T) {
	data, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 15 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.What, func(t *testing.T) {
			p, err := parse(v.Text)
			if (err == nil) != v.Valid {
				t.Fatalf("valid: %v, and the error is %v", v.Valid, err)
			}
			if !v.Valid {
				return
			}
			if p.kind != v.Kind || p.id != v.ID || hex.EncodeToString(p.hash[:]) != v.SHA256 {
				t.Errorf("got %s %s %x", p.kind, p.id, p.hash)
			}
		})
	}
}

func TestAKeyOfKnownRandomnessIsKnown(t *testing.T) {
	random := make([]byte, 40)
	for i := range random {
		random[i] = byte(i)
	}
	secret, key, err := New(SDK, bytes.NewReader(random))
	if err != nil {
		t.Fatal(err)
	}
	id, again, err := Parse(secret.Reveal())
	if err != nil || id != "aaaqeayeauda" || id != key.ID || again.Reveal() != secret.Reveal() {
		t.Errorf("%s %v", id, err)
	}
	text := "incipit_sdk_aaaqeayeauda_08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
	if text += fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(text))); secret.Reveal() != text {
		t.Errorf("got %s", secret.Reveal())
	}
}

func TestNewMakesKeysThatParseAndOpen(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		for range 50 {
			secret, key, err := New(kind, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			p, err := parse(secret.Reveal())
			if err != nil || !p.opens(key) || len(key.Hash) != 32 || key.Kind != kind || key.Person != (kind == Person) {
				t.Fatalf("%+v %v", key, err)
			}
			if bytes.Contains([]byte(secret.Reveal()), key.Hash) || seen[key.ID] {
				t.Fatal("the id was there before, or the hash is in the key")
			}
			seen[key.ID] = true
		}
	}
	if _, _, err := New("root", rand.Reader); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("an unknown kind: %v", err)
	}
	if _, _, err := New(SDK, strings.NewReader("too little")); err == nil {
		t.Error("a key of too little randomness was made")
	}
}

const canary = "c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77c0ffee88"

// keyText is a key with a check that fits.
func keyText(kind, id, secret string) string {
	text := prefix + kind + "_" + id + "_" + secret
	return text + "_" + check(text)
}

// guesses are texts that open nothing. All were sent to programs like this
// one, or could be.
func guesses() map[string]string {
	good := keyText(SDK, "abcdefghij23", canary)
	return map[string]string{
		"nothing":                         "",
		"the prefix alone":                prefix,
		"an SQL injection":                "' OR pg_sleep(8)--",
		"an SQL injection in the id":      keyText(SDK, "' OR 1=1 -- ", canary),
		"an SQL injection in the secret":  keyText(SDK, "abcdefghij23", "' OR pg_sleep(8)--"),
		"8 KB":                            prefix + strings.Repeat("a", 8<<10),
		"8 KB with a check that fits":     keyText(SDK, "abcdefghij23", strings.Repeat("a", 8<<10)),
		"a NUL":                           good[:40] + "\x00" + good[41:],
		"a NUL at the end":                good + "\x00",
		"unicode digits":                  keyText(SDK, "abcdefghij23", strings.Repeat("٣", 32)),
		"full width digits":               keyText(SDK, "abcdefghij23", strings.Repeat("１", 21)+"0"),
		"a wrong check":                   good[:len(good)-1] + string("01"[b2i(good[len(good)-1] == '0')]),
		"a check in upper case":           good[:len(good)-8] + strings.ToUpper(good[len(good)-8:]) + "",
		"upper case":                      strings.ToUpper(good),
		"cut off by one":                  good[:len(good)-1],
		"cut off before the check":        good[:len(good)-9],
		"one more character":              good + "0",
		"a line feed at the end":          good + "\n",
		"a kind that there is not":        keyText("root", "abcdefghij23", canary),
		"no kind":                         keyText("", "abcdefghij23", canary),
		"a short id":                      keyText(SDK, "abcdefghij2", canary),
		"a short secret":                  keyText(SDK, "abcdefghij23", canary[:62]),
		"a long secret":                   keyText(SDK, "abcdefghij23", canary+"00"),
		"a secret that is no hex":         keyText(SDK, "abcdefghij23", "z"+canary[1:]),
		"a part too many":                 keyText(SDK, "abcdefghij23", canary+"_00"),
		"a part too few":                  keyText(SDK, "abcdefghij23"+canary, "")[:90],
		"bytes that are no UTF-8":         good[:50] + "\xff\xfe" + good[52:],
		"a right-to-left mark":            good[:50] + "\u200f" + good[53:],
		"the password of somebody's cat":  "Basic bWlhdTptaWF1",
		"underscores":                     strings.Repeat("_", 104),
		"another prefix":                  strings.Replace(good, "incipit_", "inciput_", 1),
		"an escape that should be undone": strings.ReplaceAll(good, "_", "%5F"),
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestParseRefusesGuessesAndRepeatsNothing(t *testing.T) {
	for what, text := range guesses() {
		if what == "a check in upper case" && text == keyText(SDK, "abcdefghij23", canary) {
			t.Fatal("the check has no letter: choose another secret")
		}
		_, _, err := Parse(text)
		if !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		fix, ok := errors.AsType[*registry.FixError](err)
		if !ok || fix.Fix == "" {
			t.Errorf("%s: nothing to try", what)
		}
		assertSilent(t, what, err.Error()+fix.Fix, canary[:6], "pg_sleep", "abcdefghij2")
	}
}

// assertSilent reports text that holds one of the secrets.
func assertSilent(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if s == "" {
			t.Fatalf("%s: an empty canary is found everywhere", what)
		}
		if strings.Contains(text, s) {
			t.Errorf("%s: a secret is to be seen in %q", what, text)
		}
	}
}

func TestASecretShowsItselfToNobody(t *testing.T) {
	const text = "incipitcanary-4711"
	s := Conceal(text)
	type outer struct {
		Shown  Secret
		hidden Secret
		ptr    *Secret
	}
	o := outer{s, s, &s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%08.3f", "%c", "%U", "%!", "%w"} {
		for _, v := range []any{s, &s, o, &o, []Secret{s}, map[string]Secret{"a": s}, errors.Join(fmt.Errorf("%v", s))} {
			fmt.Fprintf(&out, verb, v)
		}
	}
	for _, v := range []any{s, &s, o, []Secret{s}, map[string]any{"a": s}, SignInConfig{ClientSecret: s}.ClientSecret} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).With("s", s).WithGroup("g").Info("m", "secret", s, "ptr", &s, "in", o, "list", []Secret{s})
	}
	assertSilent(t, "printing", out.String(), text, hex.EncodeToString([]byte(text)), "4711")
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
	plain, err := s.MarshalText()
	assertSilent(t, "by hand", s.GoString()+s.String()+string(plain), text)
	if err != nil || reflect.TypeFor[Secret]().Comparable() {
		t.Error("secrets can be compared with ==")
	}
	if s.Reveal() != text || s.Empty() || !(Secret{}).Empty() || (Secret{}).String() != redacted {
		t.Error("Reveal or Empty is wrong")
	}
	_ = o.hidden
	_ = o.ptr
}

// FuzzParse: what parses is exactly what New could have written.
func FuzzParse(f *testing.F) {
	f.Add(keyText(SDK, "abcdefghij23", canary))
	f.Add(keyText(Person, "zzzzzzzzzzzz", strings.Repeat("0", 64)))
	for _, g := range guesses() {
		f.Add(g)
	}
	f.Fuzz(func(t *testing.T, text string) {
		try := []string{text}
		if i := strings.LastIndexByte(text, '_'); i >= 0 { // a fuzzer finds no CRC
			try = append(try, text[:i]+"_"+check(text[:i]))
		}
		for _, text := range try {
			id, secret, err := Parse(text)
			if err != nil {
				if id != "" || !secret.Empty() {
					t.Fatalf("an error, and %q", id)
				}
				continue
			}
			p, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(text, "_")
			if len(text) > maxKey || len(parts) != 5 || keyText(p.kind, p.id, parts[3]) != text || secret.Reveal() != text || id != p.id {
				t.Fatalf("%q is no key", text)
			}
		}
	})
}
