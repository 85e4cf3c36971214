package registry

import (
	"crypto/md5" //nolint:gosec // the lesson's bucket, kept for teams that route by it; nothing secret depends on it
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Scale is the number of slots that subjects fall into: one part is 0.001 %.
const Scale = 100_000

// A Bucketing names how a subject's slot is found. It is stored with each
// rollout, so that neither a restart nor an upgrade moves a subject.
type Bucketing string

const (
	// DefaultBucketing hashes salt and subject; each rollout has its own salt.
	DefaultBucketing Bucketing = "fnv1a-fmix32"
	// MD5Bucketing is the integer MD5 of the subject modulo 100. It has no salt
	// and knows whole percents alone; it is here for cohorts that exist already.
	MD5Bucketing Bucketing = "md5-100"
)

// ParseBucketing accepts the names above; "" is the default.
func ParseBucketing(s string) (Bucketing, error) {
	switch b := Bucketing(s); b {
	case "":
		return DefaultBucketing, nil
	case DefaultBucketing, MD5Bucketing:
		return b, nil
	}
	return "", fmt.Errorf("%q is %w as a bucketing: choose %s or %s", prompt.Clip(s, 40), prompt.ErrInvalid, DefaultBucketing, MD5Bucketing)
}

// Slot puts subject into [0, Scale). testdata/vectors/bucketing.json has
// examples for other languages.
func (b Bucketing) Slot(salt, subject string) uint32 {
	if b == MD5Bucketing {
		return md5Percent(subject) * (Scale / 100)
	}
	return Bucket(salt, subject)
}

// Bucket hashes subject into [0, Scale). The zero byte keeps ("ab","c") and
// ("a","bc") apart; without the finalizer two prompts' canaries would be
// the same users, since FNV's low bits depend on the input's low bits alone.
func Bucket(salt, subject string) uint32 {
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for i := range len(salt) {
		h = (h ^ uint32(salt[i])) * prime
	}
	h *= prime // the zero byte: h ^ 0 is h
	for i := range len(subject) {
		h = (h ^ uint32(subject[i])) * prime
	}
	return uint32(uint64(fmix32(h)) * Scale >> 32)
}

// fmix32 is the finalizer of MurmurHash3.
func fmix32(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// md5Percent is the MD5 of subject as a big-endian integer, modulo 100.
func md5Percent(subject string) uint32 {
	var short [256]byte                           // on the stack, so that nothing is allocated
	sum := md5.Sum(append(short[:0], subject...)) //nolint:gosec // see the import
	n := uint32(0)
	for _, b := range sum {
		n = (n<<8 | uint32(b)) % 100
	}
	return n
}
