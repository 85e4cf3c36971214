package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A copy of a snapshot, as it lies on disk or is compiled into a program, is
// one line of format and checksum, and one line of JSON that the checksum is
// taken over:
//
//	incipit-copy/1 sha256:…
//	{"saved_at":"2026-01-02T03:04:05Z","snapshot":{…}}
const (
	copyName   = "incipit-copy/"
	copyFormat = copyName + "1"
)

// EnvelopeDepth is how deep the texts of a prompt stand in a snapshot or a
// patch, for strictjson.CheckWithin: {snapshot: {prompts: {id: {releases:
// {arm: …}}}}} and the level of the list or object itself.
const EnvelopeDepth = 6

type copied struct {
	SavedAt  time.Time `json:"saved_at"`
	Snapshot *Snapshot `json:"snapshot"`
}

// EncodeCopy makes the copy of a snapshot that was current at savedAt.
func EncodeCopy(s *Snapshot, savedAt time.Time) ([]byte, error) {
	body, err := json.Marshal(copied{savedAt.UTC(), s})
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return append([]byte(copyFormat+" "+checksum(body)+"\n"), body...), nil
}

// DecodeCopy reads what EncodeCopy wrote. Anything else is an error that wraps
// prompt.ErrInvalid. It does not check the entries: see Entry.Check.
func DecodeCopy(data []byte) (s *Snapshot, savedAt time.Time, err error) {
	invalid := func(format string, args ...any) (*Snapshot, time.Time, error) {
		return nil, time.Time{}, Errorf(prompt.ErrInvalid, format, args...)
	}
	head, body, whole := bytes.Cut(data, []byte("\n"))
	format, sum, _ := bytes.Cut(head, []byte(" "))
	switch {
	case !bytes.HasPrefix(format, []byte(copyName)):
		return invalid("this is no copy of a snapshot: it does not start with %s", copyName)
	case string(format) != copyFormat:
		return invalid("the copy has the format %s, this program knows %s", prompt.Clip(string(format), 40), copyFormat)
	case !whole || len(body) == 0:
		return invalid("the copy is cut off")
	case string(sum) != checksum(body):
		return invalid("the copy does not have its checksum: it was cut off or changed")
	}
	if err := strictjson.CheckWithin(body, EnvelopeDepth); err != nil {
		return invalid("the copy is not JSON: %v", err)
	}
	var c copied
	if err := json.Unmarshal(body, &c); err != nil {
		return invalid("the copy cannot be read: %v", err)
	}
	if c.Snapshot == nil {
		return invalid("the copy holds no snapshot")
	}
	return c.Snapshot, c.SavedAt, nil
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
