package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
)

// opensshMagic begins a private key of OpenSSH (PROTOCOL.key).
const opensshMagic = "openssh-key-v1\x00"

// parseOpenSSH reads the one ed25519 key of an OpenSSH file that has no
// passphrase. The layout is OpenSSH's PROTOCOL.key: cipher, derivation, its
// options, the number of keys, the public one, and the private section.
func parseOpenSSH(data []byte) (PrivateKey, bool) {
	none := PrivateKey{}
	data, ok := bytes.CutPrefix(data, []byte(opensshMagic))
	if !ok {
		return none, false
	}
	for _, want := range []string{"none", "none", ""} {
		var got []byte
		if got, data, ok = cutString(data); !ok || string(got) != want {
			return none, false
		}
	}
	if len(data) < 4 || binary.BigEndian.Uint32(data) != 1 {
		return none, false
	}
	public, data, ok := cutString(data[4:])
	if !ok {
		return none, false
	}
	private, rest, ok := cutString(data)
	if !ok || len(rest) > 0 || len(private) < 8 {
		return none, false
	}
	// Two equal numbers, by which a wrong passphrase is told.
	if !bytes.Equal(private[:4], private[4:8]) {
		return none, false
	}
	k, rest, ok := cutPublic(private[8:])
	if !ok || !bytes.Equal(k.wire(), public) {
		return none, false
	}
	secret, _, ok := cutString(rest)
	if !ok || len(secret) != ed25519.PrivateKeySize {
		return none, false
	}
	// The file holds seed and public key; the seed alone decides.
	key := PrivateKey{ed25519.NewKeyFromSeed(secret[:ed25519.SeedSize])}
	return key, key.Public() == k
}

// cutPublic takes a public key off the front of SSH's encoding.
func cutPublic(data []byte) (k PublicKey, rest []byte, ok bool) {
	kind, data, ok := cutString(data)
	if !ok || string(kind) != keyType {
		return k, nil, false
	}
	raw, rest, ok := cutString(data)
	if !ok || len(raw) != ed25519.PublicKeySize {
		return k, nil, false
	}
	return PublicKey{[ed25519.PublicKeySize]byte(raw)}, rest, true
}

// cutString takes a string off the front of SSH's encoding (RFC 4251 §5): its
// length in four bytes, then its bytes.
func cutString(data []byte) (s, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, false
	}
	return data[4 : 4+n], data[4+n:], true
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
