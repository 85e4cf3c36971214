package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

const (
	cassetteFormat = 1
	maxCassette    = 32 << 20 // bytes: an answer of 8 MiB, written as JSON, and its request
)

// A cassette is a recorded answer: one file for each key. Its request is there
// to be read, and to prove that the file is of that key.
type cassette struct {
	Format     int             `json:"format"`
	Provider   string          `json:"provider"`
	Hidden     bool            `json:"hidden,omitempty"` // a secret was taken out of the request: its key cannot be computed again
	Request    json.RawMessage `json:"request"`
	Response   json.RawMessage `json:"response"`
	RecordedAt time.Time       `json:"recorded_at"` // UTC, to the second
}

// Key is what the answer to a request is recorded under: sha256, in hex, over
// the canonical JSON (RFC 8785) of {"provider": …, "request": …}.
func Key(id string, r Request) (string, error) {
	key, _, err := keyOf(id, r.normal())
	return key, err
}

// normal is a request as it is keyed: what is empty in one way or another is
// left out.
func (r Request) normal() Request {
	for _, raw := range []*json.RawMessage{&r.Parameters, &r.Tools, &r.OutputSchema} {
		switch t := bytes.TrimSpace(*raw); string(t) {
		case "", "null", "{}", "[]":
			*raw = nil
		}
	}
	return r
}

// keyOf returns a key and the canonical form of the request alone.
func keyOf(id string, request any) (key string, canonical []byte, err error) {
	canonical, err = strictjson.Canonical(request)
	if err != nil {
		return "", nil, err
	}
	name, err := strictjson.Canonical(id)
	if err != nil {
		return "", nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, `{"provider":%s,"request":%s}`, name, canonical) // its keys stand in their order already
	return hex.EncodeToString(h.Sum(nil)), canonical, nil
}

// cassettePath is where the cassette of a key stands, with slashes.
func cassettePath(key string) string { return key[:2] + "/" + key + ".json" }

// readCassette reads the file of a key. It reports fs.ErrNotExist if there is
// none, and any other error if there is one that cannot be trusted.
func readCassette(fsys fs.FS, key string) (c cassette, sum [sha256.Size]byte, err error) {
	name := cassettePath(key)
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return c, sum, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return c, sum, errors.New("it is a link, or no plain file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return c, sum, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCassette+1))
	if err != nil {
		return c, sum, err
	}
	c, err = parseCassette(data, key)
	return c, sha256.Sum256(data), err
}

// parseCassette reads a file that is said to be of a key.
func parseCassette(data []byte, key string) (cassette, error) {
	var c cassette
	if len(data) > maxCassette {
		return c, fmt.Errorf("it is larger than %d MiB", maxCassette>>20)
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return c, errors.New("it is not JSON")
	}
	if head.Format != cassetteFormat {
		return c, fmt.Errorf("it has the format %d, and this program reads %d", head.Format, cassetteFormat)
	}
	if err := strictjson.CheckWithin(data, 4); err != nil {
		return c, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, errors.New("it has a field that does not belong there, or one of the wrong kind")
	}
	if len(c.Request) == 0 || len(c.Response) == 0 || c.RecordedAt.IsZero() {
		return c, errors.New("it has no request, no response, or no recorded_at")
	}
	if c.Hidden {
		return c, nil
	}
	switch is, _, err := keyOf(c.Provider, c.Request); {
	case err != nil:
		return c, err
	case is != key:
		return c, errors.New("its request is not the one that it is named after")
	}
	return c, nil
}

// encodeCassette writes a cassette, the same bytes for the same content. What
// hide takes out is in neither part of it.
func encodeCassette(id string, request []byte, response any, at time.Time, hide func(string) string) ([]byte, error) {
	raw, err := encodeJSON(response, "")
	if err != nil {
		return nil, err
	}
	c := cassette{Format: cassetteFormat, Provider: hide(id), Request: []byte(hide(string(request))), Response: []byte(hide(string(raw))), RecordedAt: at.UTC().Truncate(time.Second)}
	c.Hidden = !bytes.Equal(c.Request, request) || c.Provider != id
	data, err := encodeJSON(c, "  ")
	if err == nil && len(data) > maxCassette {
		err = fmt.Errorf("the answer is too large to be recorded: %d MiB", len(data)>>20)
	}
	return data, err
}

func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return b.Bytes(), err
}
