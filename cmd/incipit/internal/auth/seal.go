package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// What a sealed token is for. One that was made for one purpose does not open
// for another.
const (
	forSignIn = "sign-in" // the cookie between Login and Callback
	forCLI    = "cli"     // the code that the command line exchanges

	maxSealed = 3500 // characters: a cookie holds 4096 with its name
)

// A sealer makes tokens that this server, and every replica with the same key,
// can open and nobody else can read or change (AES-256-GCM). So nothing about a
// sign-in under way is kept, and any replica can go on with it.
type sealer struct {
	aead   cipher.AEAD
	random io.Reader
	now    func() time.Time
}

func newSealer(key Secret, random io.Reader, now func() time.Time) (sealer, error) {
	text := []byte(key.Reveal())
	if len(text) == 0 {
		text = make([]byte, 32)
		if _, err := io.ReadFull(random, text); err != nil {
			return sealer{}, fmt.Errorf("making a key: %w", err)
		}
	}
	if len(text) < 32 {
		return sealer{}, invalid("the key that seals sign-ins is too short: it needs 32 bytes")
	}
	derived, err := hkdf.Key(sha256.New, text, nil, "incipit sign-in 1", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return sealer{aead, random, now}, err
}

// envelope is what a token holds.
type envelope struct {
	Until time.Time
	Value json.RawMessage
}

func (s sealer) seal(purpose string, v any, lasts time.Duration) (string, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(envelope{s.now().Add(lasts), value})
	if err != nil {
		return "", err
	}
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return "", fmt.Errorf("sealing a sign-in: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, text, []byte(purpose))), nil
}

// open reads a token into v. It tells only that it could not.
func (s sealer) open(purpose, token string, v any) bool {
	if len(token) > maxSealed {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return false
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	text, err := s.aead.Open(nil, nonce, sealed, []byte(purpose))
	if err != nil {
		return false
	}
	var e envelope
	return json.Unmarshal(text, &e) == nil && s.now().Before(e.Until) && json.Unmarshal(e.Value, v) == nil
}
