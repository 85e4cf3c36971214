package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Made once by `ssh-keygen -t ed25519 -N "" -C test`, for these tests alone.
const (
	sshPrivate = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACBIAw6tnOhFHdcbGZRi/idmiK//9HmkuOjgZgsuRZNdtgAAAIjd8Gem3fBn
pgAAAAtzc2gtZWQyNTUxOQAAACBIAw6tnOhFHdcbGZRi/idmiK//9HmkuOjgZgsuRZNdtg
AAAEDNl1HBu5c5RhlyJo7gLjLPsagqdGevBHbulXbmn5YEP0gDDq2c6EUd1xsZlGL+J2aI
r//0eaS46OBmCy5Fk122AAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----`
	sshPublic = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEgDDq2c6EUd1xsZlGL+J2aIr//0eaS46OBmCy5Fk122 test"
	sshID     = "SHA256:UxKKc1fcnqvlPtdPR40vXhQzyTVUEgNgJSZ2zurjhDQ"
	sshLocked = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCa/pVxvE
VpMJ0PaK9j71RxAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIHU7r+BkcNbtecBq
EoijeYRQ038gQj+X+ZYlOYEUI00KAAAAkFNDDW0SE5wXxX3mnIBXFUFIVwLT8A9FitPOzD
QS1mn+Gfidkllh+oBwSYmrmiQElGZMT1CZL6BwGTat73fMrUtgrOzmpKUFWb12DquujTif
hQAd2N8sfOlQCsTb9Fsmk4hICbGOU/Mz3VN+PhNL5cTr+/OdwgUxR2jsG0USgNgd0xIOv2
H3fyCdCQchL2Xefg==
-----END OPENSSH PRIVATE KEY-----`
)

func TestAKeyFileIsReadAgain(t *testing.T) {
	k := keyOf(t, "alice")
	file, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePrivateKey(file)
	if err != nil || again.Public() != k.Public() {
		t.Fatalf("%v", err)
	}
	public, err := ParsePublicKey(k.Public().String() + " alice@example.com")
	if err != nil || public != k.Public() {
		t.Fatalf("%v", err)
	}
}

func TestTheKeyThatGitSignsWithCanBeUsed(t *testing.T) {
	k, err := ParsePrivateKey([]byte(sshPrivate))
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(sshPublic)
	if err != nil || k.Public() != public {
		t.Fatalf("%v, %v", public, err)
	}
	if public.ID() != sshID {
		t.Errorf("the fingerprint is %s, ssh-keygen says %s", public.ID(), sshID)
	}
	if _, by, err := sealed(t, good(), k).Open(Keys{public}); err != nil || by != public {
		t.Errorf("%v", err)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	file, err := keyOf(t, "alice").PEM()
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(file), "\n")[1]
	for name, text := range map[string]string{
		"nothing":                  "",
		"a public key":             sshPublic,
		"an SSH key with a phrase": sshLocked,
		"another kind of key":      string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"a certificate":            string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"two keys":                 string(file) + string(file),
		"half a key":               string(file[:60]),
		"half an SSH key":          string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte(opensshMagic)})),
		"too large":                string(file) + strings.Repeat("\n", maxKeyFile),
	} {
		if _, err := ParsePrivateKey([]byte(text)); !errors.Is(err, prompt.ErrInvalid) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrustedKeysAreReadFromLines(t *testing.T) {
	alice, bob := keyOf(t, "alice").Public(), keyOf(t, "bob").Public()
	got, err := ParseKeys("# who may sign\n\n" + alice.String() + " alice\r\n" + bob.String())
	if err != nil || len(got) != 2 || got[0] != alice || got[1] != bob {
		t.Errorf("%v, %v", got, err)
	}
	file, err := keyOf(t, "alice").PEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a private key":           string(file),
		"another kind of key":     "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
		"a key without its data":  "ssh-ed25519",
		"data that is no base64":  "ssh-ed25519 !!!!",
		"data that is cut off":    alice.String()[:40],
		"options before the key":  `namespaces="x" ` + alice.String(),
		"something behind it":     "ssh-ed25519 " + alice.String()[len("ssh-ed25519 "):] + "AAAA",
		"more than anybody needs": strings.Repeat(alice.String()+"\n", maxKeys+1),
	} {
		if _, err := ParseKeys(text); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPrivateKeyShowsItselfNowhere(t *testing.T) {
	k := keyOf(t, "alice")
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), k.String()} {
		if s != "[private key]" {
			t.Errorf("%s", s)
		}
	}
}

func FuzzPrivateKey(f *testing.F) {
	f.Add([]byte(sshPrivate))
	block, _ := pem.Decode([]byte(sshPrivate))
	f.Add(block.Bytes)
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, ok := parseOpenSSH(data); ok {
			if got, err := ParsePublicKey(k.Public().String()); err != nil || got != k.Public() {
				t.Fatalf("%v, %v", got, err)
			}
		}
		if _, err := ParsePrivateKey(data); err != nil && !errors.Is(err, prompt.ErrInvalid) {
			t.Fatal(err)
		}
	})
}
