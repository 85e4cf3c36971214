package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// An Event is one line of the audit log: who did what, where, when and why.
// Each holds the hash of the one before, so that none can be changed, taken
// out or moved without all later ones telling.
type Event struct {
	Seq         int64             `json:"seq"` // from 1, without gaps
	At          time.Time         `json:"at"`
	Actor       string            `json:"actor"`         // a person or the name of a key
	Key         string            `json:"key,omitempty"` // the id of the key that was used
	Source      string            `json:"source"`        // cli, api, ui, sync, guard, local
	Action      string            `json:"action"`        // deploy, approve, key.create, …
	Environment string            `json:"environment,omitempty"`
	Prompt      prompt.ID         `json:"prompt,omitempty"`
	Version     string            `json:"version,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Request     string            `json:"request_id,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
	Previous    string            `json:"previous"` // the hash of the event before; "" for the first
	Hash        string            `json:"hash"`
}

// Sum is the hash of an event: SHA-256 in hex over its canonical JSON (RFC
// 8785) with "" as the hash itself.
func (e Event) Sum() (string, error) {
	e.At, e.Hash = e.At.UTC(), ""
	canonical, err := strictjson.Canonical(e)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// CheckChain reports the first of the events, which follow on before, that is
// not what was written. It returns the last one, to go on from.
func CheckChain(before Event, events []Event) (Event, error) {
	for _, e := range events {
		sum, err := e.Sum()
		switch {
		case err != nil:
			return before, err
		case e.Seq != before.Seq+1:
			return before, Errorf(ErrConflict, "audit event %d is missing: %d follows on %d", before.Seq+1, e.Seq, before.Seq)
		case e.Previous != before.Hash:
			return before, Errorf(ErrConflict, "audit event %d does not follow on event %d as it stands", e.Seq, before.Seq)
		case e.Hash != sum:
			return before, Errorf(ErrConflict, "audit event %d is not what was written", e.Seq)
		}
		before = e
	}
	return before, nil
}
