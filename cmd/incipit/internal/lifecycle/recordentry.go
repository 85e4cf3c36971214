package lifecycle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	keepCalls  = 30 * 24 * time.Hour // where SharedConfig does not say
	maxContent = 16 << 10

	// What is hashed begins with what it is for.
	callDomain    = "incipit/call-id/1\x00"
	subjectDomain = "incipit/subject/1\x00"
)

// entry is a call as it is kept: with an id, and without what must not be kept.
func (j *judge) entry(ctx context.Context, c *registry.Call, b registry.Batch, i int) (calllog.Entry, error) {
	s := j.shared
	if c.ID.IsZero() {
		var err error
		if c.ID, err = j.madeUp(c.StartedAt, b, i); err != nil {
			return calllog.Entry{}, err
		}
	}
	if most := s.maxContent(); s.config.KeepContent {
		c.Input, c.Output = cut(shown(c.Input), most), cut(shown(c.Output), most)
	} else {
		c.Input, c.Output = "", ""
	}
	e := calllog.Entry{Call: c}
	if c.Subject != "" {
		if j.mac == nil {
			var err error
			if j.mac, err = s.subjectMAC(ctx); err != nil {
				return e, err
			}
		}
		e.Subject = hashSubject(j.mac, c.Subject)
	}
	if !s.config.KeepSubjects {
		c.Subject = ""
	}
	return e, nil
}

// madeUp is the id of a call that has none: the same whenever, and to whichever
// replica, its batch is sent again.
func (j *judge) madeUp(at time.Time, b registry.Batch, i int) (registry.CallID, error) {
	if j.once == "" { // nobody named the batch: what it says does
		raw, err := json.Marshal(wires(b.Calls))
		if err != nil {
			return registry.CallID{}, err
		}
		sum := sha256.Sum256(raw)
		j.once = "calls:" + hex.EncodeToString(sum[:])
	}
	h := sha256.New()
	_, _ = h.Write([]byte(callDomain + j.once + "\x00" + strconv.Itoa(b.Index[i])))
	return registry.MakeCallID(at, [10]byte(h.Sum(nil))), nil
}

func wires(calls []registry.Call) []registry.WireCall {
	out := make([]registry.WireCall, len(calls))
	for i := range calls {
		out[i] = calls[i].Wire()
	}
	return out
}

// shown is text with U+FFFD in the place of control characters, other than line
// ends and tabs, and of bytes that are no UTF-8.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// cut is the beginning of text, of at most so many bytes and of whole
// characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

func (s *Shared) keepCalls() time.Duration {
	if s.config.KeepCalls > 0 {
		return s.config.KeepCalls
	}
	return keepCalls
}

func (s *Shared) maxContent() int {
	if s.config.MaxContent > 0 {
		return s.config.MaxContent
	}
	return maxContent
}

// subjectHash is by what the calls of a subject are found: of the text nothing
// can be told by whoever does not have the database's secret.
func (s *Shared) subjectHash(ctx context.Context, subject string) (calllog.SubjectHash, error) {
	mac, err := s.subjectMAC(ctx)
	if err != nil {
		return calllog.SubjectHash{}, err
	}
	return hashSubject(mac, subject), nil
}

func (s *Shared) subjectMAC(ctx context.Context) (hash.Hash, error) {
	if _, err := s.intake.current(ctx); err != nil { // a restored backup has its own secret
		return nil, err
	}
	key, err := s.intake.subjectKey(ctx)
	return hmac.New(sha256.New, key), err
}

func hashSubject(mac hash.Hash, subject string) calllog.SubjectHash {
	buf := append(append(make([]byte, 0, 96), subjectDomain...), subject...)
	mac.Reset()
	_, _ = mac.Write(buf)
	return calllog.SubjectHash(mac.Sum(buf[:0])[:16])
}

// subjectKey is the secret that subjects are hashed with.
func (k *intake) subjectKey(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	key := k.subjects
	k.mu.Unlock()
	if key != nil {
		return key, nil
	}
	err := k.asking(ctx, func() (err error) {
		if key, err = k.db.Secret(ctx, "subjects"); err != nil {
			return err
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.subjects = key
		return nil
	})
	return key, err
}
