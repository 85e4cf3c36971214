package prompt

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/Masterminds/semver/v3"
)

// A neighbor is a valid version that is close to others, so that each part
// decides the order now and then.
type neighbor struct{ Version }

func (neighbor) Generate(r *rand.Rand, _ int) reflect.Value {
	number := func() uint32 {
		return []uint32{0, 1, 2, 9, 10, 11, 4294967294, 4294967295}[r.Intn(8)]
	}
	v := Version{Major: number() % 3, Minor: number(), Patch: number()}
	words := []string{"0", "1", "2", "10", "a", "b", "A", "-", "-1", "1a", "rc", "rc1", "rc10", "alpha", "99999999999999999999", "0a"}
	var pre []string
	for range r.Intn(4) {
		pre = append(pre, words[r.Intn(len(words))])
	}
	if v.Pre = strings.Join(pre, "."); len(v.String()) > 64 {
		v.Pre = ""
	}
	return reflect.ValueOf(neighbor{v})
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestVersionsAreReadAsTheyArePrinted(t *testing.T) {
	law := func(n neighbor) bool {
		v, err := ParseVersion(n.String())
		text, _ := json.Marshal(n.Version)
		var back Version
		return err == nil && v == n.Version && json.Unmarshal(text, &back) == nil && back == v
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

func TestVersionsAreOrderedLikeMasterminds(t *testing.T) {
	law := func(a, b neighbor) bool {
		x, errX := semver.StrictNewVersion(a.String())
		y, errY := semver.StrictNewVersion(b.String())
		// Masterminds compares a number beyond 64 bits as a word.
		if strings.Contains(a.Pre+b.Pre, "99999999999999999999") {
			return a.Compare(b.Version) == -b.Compare(a.Version)
		}
		return errX == nil && errY == nil && sign(a.Compare(b.Version)) == x.Compare(y)
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
}

func TestVersionsAreTotallyOrdered(t *testing.T) {
	law := func(a, b, c neighbor) bool {
		antisymmetric := sign(a.Compare(b.Version)) == -sign(b.Compare(a.Version))
		identical := (a.Compare(b.Version) == 0) == (a.Version == b.Version)
		transitive := a.Compare(b.Version) > 0 || b.Compare(c.Version) > 0 || a.Compare(c.Version) <= 0
		return antisymmetric && identical && transitive
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
}

func TestABumpLeadsToTheVersionItMakes(t *testing.T) {
	law := func(n neighbor) bool {
		v := n.Core()
		for _, b := range []Bump{Patch, Minor, Major} {
			w := v.Next(b)
			if full := v.Major == math.MaxUint32 || v.Minor == math.MaxUint32 || v.Patch == math.MaxUint32; full {
				continue // there is no next one
			}
			pre := w
			pre.Pre = "rc.1"
			if v.BumpTo(w) != b || v.BumpTo(pre) != b || w.Compare(v) <= 0 || w.Pre != "" || w.BumpTo(v) != NoBump {
				return false
			}
		}
		return v.BumpTo(v) == NoBump
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

// The abuse of X36: what looks like a version and is none, or not this one.
func TestParseVersionRefusesWithAReason(t *testing.T) {
	tests := []struct{ name, version, want string }{
		{"nothing", "", "three numbers"},
		{"a letter v", "v1.0.0", `"v1" is not a number`},
		{"a letter v alone", "v1", "three numbers"},
		{"two numbers", "1.0", "three numbers"},
		{"four numbers", "1.0.0.0", "three numbers"},
		{"a leading zero", "01.0.0", "leading zeros"},
		{"two zeros", "1.00.0", "leading zeros"},
		{"a leading zero in a pre-release", "1.0.0-rc.01", `"01" has a leading zero`},
		{"build metadata, which would clash", "1.0.0+meta", "build metadata"},
		{"build metadata behind a pre-release", "1.0.0-rc.1+2", "build metadata"},
		{"twenty digits", "99999999999999999999.0.0", "4294967295"},
		{"a number beyond 32 bits", "1.4294967296.0", "4294967295"},
		{"a dash and nothing", "1.0.0-", "after the dash"},
		{"an empty identifier", "1.0.0-rc..1", "after the dash"},
		{"digits of another script", "\u0661.\u0660.\u0660", "is not a number"},
		{"full-width digits", "\uff11.0.0", "is not a number"},
		{"an accent in a pre-release", "1.0.0-\u00fc", "after the dash"},
		{"a slash in a pre-release", "1.0.0-a/b", "after the dash"},
		{"a sign", "+1.0.0", "build metadata"},
		{"a negative number", "1.0.-1", "is not a number"},
		{"a space before", " 1.0.0", "is not a number"},
		{"a new line behind", "1.0.0\n", "is not a number"},
		{"a NUL", "1.0.0\x00", "is not a number"},
		{"an option", "--upload-pack=x", "three numbers"},
		{"a path", "../x", "is not a number"},
		{"a wildcard", "1.0.x", "is not a number"},
		{"a range", "^1.0.0", "is not a number"},
		{"65 characters", "1.0.0-" + strings.Repeat("a", 59), "longer than 64"},
		{"300 characters", strings.Repeat("1", 300), "longer than 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := ParseVersion(tt.version)
			if !v.IsZero() || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("ParseVersion(%q) = %s, %v, want an error with %q", tt.version, v, err, tt.want)
			}
			var decoded Version
			if decoded.UnmarshalText([]byte(tt.version)) == nil {
				t.Error("JSON reads it")
			}
		})
	}
}

func TestRangesOfVersions(t *testing.T) {
	tests := []struct {
		constraint, version string
		want                bool
	}{
		{"", "0.0.1", true},
		{"", "1.0.0-rc.1", true},
		{"^1", "1.9.9", true},
		{"^1", "2.0.0", false},
		{"^1", "0.9.0", false},
		{"^1", "1.5.0-rc.1", false},
		{"^1.5.0-0", "1.5.0-rc.1", true},
		{"^0.3", "0.3.9", true},
		{"^0.3", "0.4.0", false},
		{"~1.4", "1.4.7", true},
		{"~1.4", "1.5.0", false},
		{">=1.2, <2", "1.10.0", true},
		{">=1.2, <2", "1.1.0", false},
		{"1.2.3", "1.2.3", true},
		{"1.2.3", "1.2.4", false},
		{"1.x || 3.x", "3.1.0", true},
	}
	for _, tt := range tests {
		v, err := ParseVersion(tt.version)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.In(tt.constraint); err != nil || got != tt.want {
			t.Errorf("%s in %q: %t, %v", tt.version, tt.constraint, got, err)
		}
	}
	for _, constraint := range []string{"latest", "^", "1.0.0.0", "^1 &&", "--upload-pack=x", "../x", "^1\x00", strings.Repeat(">1,", 1000)} {
		if _, err := (Version{}).In(constraint); !errors.Is(err, ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%.40q was read as a range: %v", constraint, err)
		}
	}
}

func TestBumpsAreWords(t *testing.T) {
	text, err := json.Marshal([]Bump{NoBump, Patch, Minor, Major})
	if err != nil || string(text) != `["none","patch","minor","major"]` {
		t.Errorf("got %s, %v", text, err)
	}
	var back []Bump
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, []Bump{NoBump, Patch, Minor, Major}) {
		t.Errorf("read back as %v, %v", back, err)
	}
	for _, no := range []string{`["huge"]`, `[""]`, `["Patch"]`} {
		if err := json.Unmarshal([]byte(no), &back); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", no, err)
		}
	}
}

// Whatever is accepted is printed as it was read, is what Masterminds reads,
// and equals itself alone.
func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"1.2.3", "0.0.0", "1.0.0-rc.1", "1.0.0--", "1.0.0-0a.b-c", "4294967295.0.0", "01.0.0", "v1.0.0", "1.0.0+m", "1.0.0-01", "１.0.0", "1.0.0-99999999999999999999"} {
		f.Add(s, "1.0.0")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		v, err := ParseVersion(s)
		if err != nil {
			if !v.IsZero() || !errors.Is(err, ErrInvalid) {
				t.Fatalf("ParseVersion(%q) = %s, %v", s, v, err)
			}
			return
		}
		if v.String() != s {
			t.Fatalf("%q is printed as %q", s, v)
		}
		if _, err := semver.StrictNewVersion(s); err != nil {
			t.Fatalf("Masterminds refuses %q: %v", s, err)
		}
		if w, err := ParseVersion(other); err == nil {
			if sign(v.Compare(w)) != -sign(w.Compare(v)) || (v.Compare(w) == 0) != (s == other) {
				t.Fatalf("the order of %q and %q: %d, %d", s, other, v.Compare(w), w.Compare(v))
			}
		}
	})
}
