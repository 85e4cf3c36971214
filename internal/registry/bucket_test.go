package registry

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"testing/quick"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The formula, with the standard library's FNV.
func TestBucketIsTheFormula(t *testing.T) {
	law := func(salt, subject string) bool {
		h := fnv.New32a()
		h.Write([]byte(salt + "\x00" + subject))
		x := h.Sum32()
		x ^= x >> 16
		x *= 0x85ebca6b
		x ^= x >> 13
		x *= 0xc2b2ae35
		x ^= x >> 16
		want := uint32(uint64(x) * 100_000 >> 32)
		got := Bucket(salt, subject)
		return got == want && got < Scale && got == DefaultBucketing.Slot(salt, subject) && got == Bucketing("").Slot(salt, subject)
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

// The lesson's bucket: int(md5(id), 16) % 100 < percent.
func TestMD5BucketIsTheLessons(t *testing.T) {
	hundred := big.NewInt(100)
	law := func(salt, subject string) bool {
		sum := md5.Sum([]byte(subject))
		lesson := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), hundred).Int64()
		if MD5Bucketing.Slot(salt, subject) != uint32(lesson)*1000 {
			return false
		}
		for _, percent := range []int64{0, 1, 5, 25, 50, 99, 100} {
			r := canary(MD5Bucketing, salt, Share(percent*1000))
			if (r.Assign(subject).Name == CandidateArm) != (lesson < percent) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

func TestSaltAndSubjectAreKeptApart(t *testing.T) {
	for _, pair := range [][4]string{{"ab", "c", "a", "bc"}, {"", "ab", "a", "b"}, {"a", "", "", "a"}, {"1", "23", "12", "3"}} {
		if Bucket(pair[0], pair[1]) == Bucket(pair[2], pair[3]) {
			t.Errorf("%q", pair)
		}
	}
}

func TestParseBucketing(t *testing.T) {
	for s, want := range map[string]Bucketing{"": DefaultBucketing, "fnv1a-fmix32": DefaultBucketing, "md5-100": MD5Bucketing} {
		if got, err := ParseBucketing(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"md5", "MD5-100", " md5-100", "sha256", "fnv1a-fmix32\n", "\x1b[2J", strings.Repeat("x", 1<<16)} {
		if got, err := ParseBucketing(s); got != "" || !errors.Is(err, prompt.ErrInvalid) || len(err.Error()) > 300 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.40q: %q, %.400v", s, got, err)
		}
	}
}

// Of a hundred thousand subjects each arm gets its share, within four standard
// deviations, whatever the subjects look like.
func TestEachArmGetsItsShare(t *testing.T) {
	const n = 100_000
	for name, subject := range map[string]func(int) string{
		"numbers":   func(i int) string { return fmt.Sprint(i) },
		"users":     func(i int) string { return fmt.Sprintf("user-%06d", i) },
		"addresses": func(i int) string { return fmt.Sprintf("user%d@example.com", i*7919) },
		"ids":       func(i int) string { return fmt.Sprintf("%08x-7c3d-4e4f-9e4f-%012x", i*2654435761, i) },
	} {
		t.Run(name, func(t *testing.T) {
			subjects := make([]string, n)
			for i := range subjects {
				subjects[i] = subject(i)
			}
			for _, salt := range []string{"", "customer-support#1", "billing/refunds#2"} {
				for _, share := range []Share{250, 1_000, 5_000, 25_000, 50_000, 90_000} {
					r := canary(DefaultBucketing, salt, share)
					got := 0
					for _, s := range subjects {
						if r.Assign(s).Name == CandidateArm {
							got++
						}
					}
					p := float64(share) / Scale
					if off := math.Abs(float64(got)-n*p) / math.Sqrt(n*p*(1-p)); off > 4 {
						t.Errorf("salt %q: %d of %d subjects at %s, %.1f deviations off", salt, got, n, share, off)
					}
				}
			}
		})
	}
}

// Two prompts' canaries are not the same guinea pigs: phi is the correlation
// of belonging to the one and to the other.
func TestTwoCanariesAreUncorrelated(t *testing.T) {
	const n = 100_000
	subjects := make([]string, n)
	for i := range subjects {
		subjects[i] = fmt.Sprint("user-", i)
	}
	salts := []string{"", "a", "b", "customer-support#1", "customer-support#2", "billing/refunds#1", "data-extraction#1", "data-extraction#11", "1", "2"}
	slots := make([][]uint32, len(salts))
	for i, salt := range salts {
		slots[i] = make([]uint32, n)
		for j, s := range subjects {
			slots[i][j] = Bucket(salt, s)
		}
	}
	worst, where := 0.0, ""
	for i := range salts {
		for j := range i {
			for _, shares := range [][2]uint32{{1_000, 1_000}, {5_000, 5_000}, {5_000, 25_000}, {25_000, 25_000}, {50_000, 50_000}, {50_000, 5_000}} {
				var both, one, other float64
				for k := range n {
					x, y := slots[i][k] < shares[0], slots[j][k] < shares[1]
					if x {
						one++
					}
					if y {
						other++
					}
					if x && y {
						both++
					}
				}
				phi := (both*n - one*other) / math.Sqrt(one*(n-one)*other*(n-other))
				if math.Abs(phi) > math.Abs(worst) {
					worst, where = phi, fmt.Sprintf("%q at %s and %q at %s", salts[i], Share(shares[0]), salts[j], Share(shares[1]))
				}
			}
		}
	}
	t.Logf("max |phi| = %.4f: %s", math.Abs(worst), where)
	if math.Abs(worst) > 0.015 {
		t.Errorf("phi = %.4f: %s", worst, where)
	}
}

func BenchmarkAssign(b *testing.B) {
	subjects := make([]string, 1024)
	random := rand.New(rand.NewSource(1))
	for i := range subjects {
		var id [16]byte
		binary.LittleEndian.PutUint64(id[:], random.Uint64())
		subjects[i] = fmt.Sprintf("user-%x", id[:8])
	}
	for _, bucketing := range []Bucketing{DefaultBucketing, MD5Bucketing} {
		r := canary(bucketing, "customer-support#1", 5_000)
		b.Run(string(bucketing), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Assign(subjects[i%1024])
			}
		})
	}
	var current atomic.Pointer[Snapshot]
	current.Store(snapshot(canary(DefaultBucketing, "customer-support#1", 5_000)))
	b.Run("Resolve", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, _, err := Resolve(current.Load(), "support", subjects[i%1024]); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The yardstick does what nobody can do without: one atomic load, one look
	// into a map, one hash of the subject.
	b.Run("yardstick=load+map+hash", func(b *testing.B) {
		b.ReportAllocs()
		sum := uint32(0)
		for i := 0; b.Loop(); i++ {
			e := current.Load().Prompts["support"]
			h := uint32(2166136261)
			for _, c := range []byte(subjects[i%1024]) {
				h = (h ^ uint32(c)) * 16777619
			}
			sum += h + uint32(len(e.Rollout.Arms))
		}
		_ = sum
	})
}
