package registry

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A CallID is a UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds since 1970,
// then random bits. The zero CallID is none.
type CallID [16]byte

// MakeCallID is the id of a call at a time.
func MakeCallID(at time.Time, random [10]byte) CallID {
	var id CallID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	copy(id[6:], random[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// NewCallID is MakeCallID as text.
func NewCallID(at time.Time, random [10]byte) string { return MakeCallID(at, random).String() }

// ParseCallID reads what String writes, in either case. It reports
// prompt.ErrInvalid for anything but a UUIDv7.
func ParseCallID[T string | []byte](s T) (CallID, error) {
	var id CallID
	if !decodeUUID(id[:], s) || id[6]>>4 != 7 || id[8]>>6 != 2 {
		return CallID{}, Errorf(prompt.ErrInvalid, "a call's id must be a UUIDv7, such as 01920000-0000-7000-8000-000000000000")
	}
	return id, nil
}

func decodeUUID[T string | []byte](to []byte, s T) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	for i, n := 0, 0; n < 16; n++ {
		if s[i] == '-' {
			i++
		}
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi > 15 || lo > 15 {
			return false
		}
		to[n] = hi<<4 | lo
		i += 2
	}
	return true
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// At is the time in the id, in whole milliseconds.
func (id CallID) At() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// IsZero reports whether there is no id.
func (id CallID) IsZero() bool { return id == CallID{} }

func (id CallID) String() string {
	var s [36]byte
	hex.Encode(s[:8], id[:4])
	hex.Encode(s[9:13], id[4:6])
	hex.Encode(s[14:18], id[6:8])
	hex.Encode(s[19:23], id[8:10])
	hex.Encode(s[24:], id[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
