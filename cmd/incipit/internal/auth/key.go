package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// The kinds of key. The kind is part of the text, so that a person and a
// scanner for leaked secrets can tell what they found; grants alone say what a
// key opens.
const (
	SDK    = "sdk"    // an application
	CI     = "ci"     // a pipeline
	Admin  = "admin"  // whoever runs the server
	Person = "person" // somebody who signed in
)

// The text of a key: incipit_<kind>_<id>_<secret>_<check>.
const (
	prefix    = "incipit_"
	idLen     = 12       // lower-case base32: 60 bits
	secretLen = 2 * 32   // lower-case hex: 32 random bytes
	checkLen  = 8        // lower-case hex: CRC-32 (IEEE) of all before its underscore
	maxKey    = 128      // bytes; the longest key has 104
	scheme    = "Bearer" // of the header Authorization
	alphabet  = "abcdefghijklmnopqrstuvwxyz234567"
	hexDigits = "0123456789abcdef"
)

// IDBytes is how many bytes New reads first, of which it makes the id.
const IDBytes = 8

// Kinds are all kinds of key.
func Kinds() []string { return []string{SDK, CI, Admin, Person} }

// New makes a key of random bytes: the secret, which is shown once, and what
// the store keeps of it. The other fields of the key are the caller's.
func New(kind string, random io.Reader) (Secret, registry.Key, error) {
	if !isKind(kind) {
		return Secret{}, registry.Key{}, registry.WithFix(invalid("there is no such kind of key"), "choose from %s", strings.Join(Kinds(), ", "))
	}
	var raw struct {
		ID     [IDBytes]byte
		Secret [32]byte
	}
	if err := binary.Read(random, binary.BigEndian, &raw); err != nil {
		return Secret{}, registry.Key{}, fmt.Errorf("making a key: %w", err)
	}
	id := base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(raw.ID[:])[:idLen]
	text := prefix + kind + "_" + id + "_" + hex.EncodeToString(raw.Secret[:])
	hash := sha256.Sum256(raw.Secret[:])
	key := registry.Key{ID: id, Kind: kind, Person: kind == Person, Hash: hash[:]}
	return Conceal(text + "_" + check(text)), key, nil
}

// Parse reads the text of a key and returns its id, which is no secret, and
// the text concealed. That it parses does not mean that it opens anything. The
// error is a prompt.ErrInvalid and repeats nothing of the text.
func Parse(text string) (id string, secret Secret, err error) {
	p, err := parse(text)
	if err != nil {
		return "", Secret{}, err
	}
	return p.id, Conceal(text), nil
}

// parsed is what a key's text says, with the digest of its secret.
type parsed struct {
	kind, id string
	hash     [sha256.Size]byte
}

// parse looks at length and characters before all else, then at the check:
// what was mistyped, cut off or made up ends here and costs no query.
func parse(text string) (parsed, error) {
	if len(text) > maxKey {
		return parsed{}, malformed("it is too long")
	}
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return parsed{}, malformed("it does not begin with %s", prefix)
	}
	for _, c := range []byte(text) {
		if c != '_' && !strings.ContainsRune(alphabet+"0189", rune(c)) {
			return parsed{}, malformed("it holds a character that no key has")
		}
	}
	end := strings.LastIndexByte(text, '_')
	if text[end+1:] != check(text[:end]) {
		return parsed{}, malformed("its check does not fit: it is cut off or mistyped")
	}
	parts := strings.Split(rest, "_")
	if len(parts) != 4 || !isKind(parts[0]) || !made(parts[1], idLen, alphabet) || !made(parts[2], secretLen, hexDigits) {
		return parsed{}, malformed("its parts are not those of a key")
	}
	raw, err := hex.DecodeString(parts[2])
	if err != nil { // it cannot be, and its text would quote the secret
		return parsed{}, malformed("its parts are not those of a key")
	}
	return parsed{parts[0], parts[1], sha256.Sum256(raw)}, nil
}

// opens reports whether this is the very key that the store has. Both the kind
// and the digest count: the check is no signature, anybody can make one.
func (p parsed) opens(k registry.Key) bool {
	return subtle.ConstantTimeCompare(p.hash[:], k.Hash) == 1 && p.kind == k.Kind && p.id == k.ID
}

func check(text string) string {
	return fmt.Sprintf("%0*x", checkLen, crc32.ChecksumIEEE([]byte(text)))
}

func made(s string, n int, of string) bool {
	return len(s) == n && strings.Trim(s, of) == ""
}

func isKind(s string) bool {
	return s == SDK || s == CI || s == Admin || s == Person
}

func malformed(format string, args ...any) error {
	return registry.WithFix(invalid("this is no key of incipit: "+format, args...), "copy the whole key again, from incipit_ to its last character")
}
