package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// PayloadType says what an envelope holds. It is part of what is signed, so a
// signature given for something else cannot be passed off as evidence.
const PayloadType = "application/vnd.incipit.evidence+json"

// MaxEnvelope is how large an envelope may be, in bytes.
const MaxEnvelope = 16 << 10

// maxSignatures is how many signatures are looked at.
const maxSignatures = 5

// An Envelope is a statement with its signatures, as DSSE 1.0 writes it
// (secure-systems-lab/dsse, envelope.md). Without a signature it is what
// somebody says, and no more.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []Signature `json:"signatures"`
}

// A Signature is over the type and the payload together.
type Signature struct {
	KeyID string `json:"keyid"` // tells which key to try; nothing is believed of it
	Sig   string `json:"sig"`   // base64
}

// Seal puts a statement into an envelope, signed by each of the keys.
func Seal(s Statement, keys ...PrivateKey) (Envelope, error) {
	payload, err := s.Bytes()
	if err != nil {
		return Envelope{}, err
	}
	e := Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(payload), Signatures: []Signature{}}
	for _, k := range keys {
		e.Signatures = append(e.Signatures, Signature{k.Public().ID(), base64.StdEncoding.EncodeToString(k.sign(encoded(PayloadType, payload)))})
	}
	return e, nil
}

// Bytes is the envelope as one line of JSON, without a line feed.
func (e Envelope) Bytes() ([]byte, error) { return strictjson.Canonical(e) }

// ParseEnvelope reads an envelope, at most MaxEnvelope bytes of it. It reports
// ErrInvalid, and vouches for nothing: that is for Open.
func ParseEnvelope(data []byte) (e Envelope, err error) {
	if len(data) > MaxEnvelope {
		return e, registry.Errorf(prompt.ErrInvalid, "the evidence is larger than %d bytes", MaxEnvelope)
	}
	if err := strictjson.Check(data); err != nil {
		return e, registry.Errorf(prompt.ErrInvalid, "the evidence is no envelope: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, registry.Errorf(prompt.ErrInvalid, "the evidence is no envelope: %s", prompt.Clip(err.Error(), 200))
	}
	if e.PayloadType != PayloadType {
		return e, registry.Errorf(prompt.ErrInvalid, "the envelope holds %q, not evidence", prompt.Clip(e.PayloadType, 80))
	}
	if len(e.Signatures) > maxSignatures {
		return e, registry.Errorf(prompt.ErrInvalid, "the envelope has %d signatures, at most %d are read", len(e.Signatures), maxSignatures)
	}
	return e, nil
}

// Statement reads what the envelope says, whoever signed it.
func (e Envelope) Statement() (Statement, error) {
	payload, err := e.payload()
	if err != nil {
		return Statement{}, err
	}
	return parseStatement(payload)
}

func (e Envelope) payload() ([]byte, error) {
	payload, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return nil, registry.Errorf(prompt.ErrInvalid, "the payload of the evidence is not base64")
	}
	return payload, nil
}

// Open reads what the envelope says if one of the trusted keys signed it, and
// which one that is. It reports registry.ErrForbidden if none of them did.
func (e Envelope) Open(trusted Keys) (s Statement, by PublicKey, err error) {
	payload, err := e.payload()
	if err != nil {
		return s, by, err
	}
	// Read after the signature holds, and from the very bytes that it is over.
	signed := encoded(PayloadType, payload)
	for _, sig := range e.Signatures[:min(len(e.Signatures), maxSignatures)] {
		raw, err := base64.StdEncoding.Strict().DecodeString(sig.Sig)
		if err != nil {
			continue
		}
		for _, k := range trusted {
			if ed25519.Verify(k.raw[:], signed, raw) {
				s, err = parseStatement(payload)
				return s, k, err
			}
		}
	}
	why := "is not signed"
	if len(e.Signatures) > 0 {
		why = "is signed by " + prompt.Clip(e.Signatures[0].KeyID, 60) + ", which is not trusted here, or was changed afterwards"
	}
	return s, by, registry.WithFix(registry.Errorf(registry.ErrForbidden, "the evidence %s", why),
		"sign with a trusted key (incipit evidence key makes one), or have its public line added to the trusted keys")
}

// encoded is DSSE's pre-authentication encoding (protocol.md): the lengths
// keep ("ab", "c") and ("a", "bc") apart.
func encoded(kind string, payload []byte) []byte {
	out := []byte("DSSEv1 " + strconv.Itoa(len(kind)) + " " + kind + " " + strconv.Itoa(len(payload)) + " ")
	return append(out, payload...)
}
