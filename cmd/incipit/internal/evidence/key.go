package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// keyType is the name of ed25519 in OpenSSH's files (RFC 8709).
const keyType = "ssh-ed25519"

// How much is read of keys.
const (
	maxKeyFile = 16 << 10
	maxKeys    = 100
)

// A PublicKey is one that signs evidence. It is comparable.
type PublicKey struct{ raw [ed25519.PublicKeySize]byte }

// Keys are those that a reader trusts.
type Keys []PublicKey

// A PrivateKey signs evidence. It shows itself nowhere.
type PrivateKey struct{ key ed25519.PrivateKey }

// String hides the key from %v and from logs.
func (PrivateKey) String() string { return "[private key]" }

// GoString hides it from %#v.
func (PrivateKey) GoString() string { return "[private key]" }

// NewKey makes a key from randomness.
func NewKey(random io.Reader) (PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(random)
	return PrivateKey{key}, err
}

func (k PrivateKey) sign(data []byte) []byte { return ed25519.Sign(k.key, data) }

// Public is the key that verifies what k signs.
func (k PrivateKey) Public() PublicKey {
	return PublicKey{[ed25519.PublicKeySize]byte(k.key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])}
}

// PEM is the key as a file: PKCS #8, without a passphrase.
func (k PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ID is the key's fingerprint, as ssh-keygen -l prints it.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.wire())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// String is the line that others trust the key by, as in an OpenSSH file.
func (k PublicKey) String() string {
	return keyType + " " + base64.StdEncoding.EncodeToString(k.wire())
}

// wire is the key as SSH sends it: two strings, each with its length before.
func (k PublicKey) wire() []byte {
	return appendString(appendString(nil, keyType), string(k.raw[:]))
}

// ParsePublicKey reads a line such as "ssh-ed25519 AAAA… who".
func ParsePublicKey(line string) (k PublicKey, err error) {
	bad := registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no public key for evidence", prompt.Clip(line, 60)),
		"write the line that incipit evidence key prints, or the .pub file of an ed25519 SSH key: ssh-ed25519 AAAA…")
	if strings.Contains(line, "PRIVATE KEY") {
		return k, registry.Errorf(prompt.ErrInvalid, "this is a private key: it belongs to whoever signs, and to nobody else")
	}
	f := strings.Fields(line)
	if len(line) > 1000 || len(f) < 2 || f[0] != keyType {
		return k, bad
	}
	data, err := base64.StdEncoding.Strict().DecodeString(f[1])
	if err != nil {
		return k, bad
	}
	k, rest, ok := cutPublic(data)
	if !ok || len(rest) > 0 {
		return k, bad
	}
	return k, nil
}

// ParseKeys reads public keys, one a line; empty lines and those that begin
// with # are left out.
func ParseKeys(text string) (Keys, error) {
	if len(text) > maxKeyFile*2 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the file of trusted keys is larger than %d bytes", maxKeyFile*2)
	}
	var out Keys
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		k, err := ParsePublicKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if out = append(out, k); len(out) > maxKeys {
			return nil, registry.Errorf(prompt.ErrInvalid, "there are more than %d trusted keys", maxKeys)
		}
	}
	return out, nil
}

// ParsePrivateKey reads a key file: PKCS #8 as PEM writes it, or the ed25519
// file of OpenSSH that Git signs with, without a passphrase. No error shows any
// of it.
func ParsePrivateKey(data []byte) (PrivateKey, error) {
	bad := func(format string, args ...any) (PrivateKey, error) {
		return PrivateKey{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, format, args...), "incipit evidence key FILE makes a key")
	}
	if len(data) > maxKeyFile {
		return bad("the key file is larger than %d bytes", maxKeyFile)
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return bad("the key for evidence is not one PEM block")
	}
	switch block.Type {
	case "PRIVATE KEY":
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := k.(ed25519.PrivateKey); ok && err == nil {
			return PrivateKey{key}, nil
		}
		return bad("the key for evidence is no ed25519 key")
	case "OPENSSH PRIVATE KEY":
		k, ok := parseOpenSSH(block.Bytes)
		if !ok {
			return bad("the SSH key is no ed25519 key, or has a passphrase, which is not supported")
		}
		return k, nil
	default:
		return bad("the key file holds %q, not a private key", prompt.Clip(block.Type, 40))
	}
}
