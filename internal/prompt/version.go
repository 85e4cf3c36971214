package prompt

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A Version is a semantic version without build metadata: two versions that
// differ only there would be one release to every reader that orders them.
type Version struct {
	Major, Minor, Patch uint32
	Pre                 string // rc.1, without the dash; empty for a stable version
}

// ParseVersion reads MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRE as Semantic
// Versioning 2.0.0 §2 and §9 define them. It accepts nothing that would be
// printed differently: no v, no missing part, no leading zero.
func ParseVersion(s string) (Version, error) {
	invalid := func(why string) (Version, error) {
		return Version{}, fmt.Errorf("%q is %w as a version: %s", Clip(s, 80), ErrInvalid, why)
	}
	if len(s) > 64 {
		return invalid("it is longer than 64 characters")
	}
	if strings.Contains(s, "+") {
		return invalid("build metadata does not take part in the order of versions; leave out the + and what follows")
	}
	core, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return invalid("write three numbers, such as 1.4.0 or 1.4.0-rc.1")
	}
	var n [3]uint32
	for i, p := range parts {
		u, err := strconv.ParseUint(p, 10, 32)
		if err != nil || strconv.FormatUint(u, 10) != p {
			return invalid(fmt.Sprintf("%q is not a number from 0 to 4294967295 without leading zeros", p))
		}
		n[i] = uint32(u)
	}
	if hasPre {
		if strings.HasSuffix(pre, ".lock") {
			return invalid("Git keeps names that end in .lock for itself")
		}
		for id := range strings.SplitSeq(pre, ".") {
			if id == "" || strings.ContainsFunc(id, notIdentifierChar) {
				return invalid("after the dash stand letters, digits and dashes, separated by dots, such as rc.1")
			}
			if numeric(id) && len(id) > 1 && id[0] == '0' {
				return invalid(fmt.Sprintf("%q has a leading zero", id))
			}
		}
	}
	return Version{n[0], n[1], n[2], pre}, nil
}

func notIdentifierChar(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func numeric(s string) bool { return strings.Trim(s, "0123456789") == "" }

func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// MarshalText and UnmarshalText make a Version a string in JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is ParseVersion.
func (v *Version) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVersion(string(b))
	return err
}

// IsZero reports whether v is no version at all.
func (v Version) IsZero() bool { return v == Version{} }

// Core is v without its pre-release part.
func (v Version) Core() Version { return Version{v.Major, v.Minor, v.Patch, ""} }

// Compare orders by precedence: Semantic Versioning 2.0.0 §11.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch),
		comparePre(v.Pre, w.Pre),
	)
}

func comparePre(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a)) // without comes after with
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, y := as[i], bs[i]
		var c int
		switch nx, ny := numeric(x), numeric(y); {
		case nx && ny:
			c = cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
		case nx:
			c = -1
		case ny:
			c = 1
		default:
			c = cmp.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

// In reports whether v lies in the range that constraint describes, such as ^1
// or ">=1.2, <2". A pre-release lies only in ranges that name one.
func (v Version) In(constraint string) (bool, error) {
	if constraint == "" {
		return true, nil
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false, fmt.Errorf("%q is %w as a version range; write something like ^1 or ~1.4", Clip(constraint, 80), ErrInvalid)
	}
	return c.Check(semver.New(uint64(v.Major), uint64(v.Minor), uint64(v.Patch), v.Pre, "")), nil
}

// A Bump is the part of a version that a change raises.
type Bump int

// The bumps, from the least.
const (
	NoBump Bump = iota
	Patch
	Minor
	Major
)

func (b Bump) String() string { return [...]string{"none", "patch", "minor", "major"}[b] }

// MarshalText makes a Bump a word in JSON.
func (b Bump) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (b *Bump) UnmarshalText(text []byte) error {
	for known := NoBump; known <= Major; known++ {
		if known.String() == string(text) {
			*b = known
			return nil
		}
	}
	return fmt.Errorf("%q is %w as a bump", Clip(string(text), 40), ErrInvalid)
}

// Next is the version that b makes of the stable version v.
func (v Version) Next(b Bump) Version {
	switch b {
	case Major:
		return Version{Major: v.Major + 1}
	case Minor:
		return Version{Major: v.Major, Minor: v.Minor + 1}
	default:
		return Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch + 1}
	}
}

// BumpTo is the bump that leads from the stable version v to the higher w.
func (v Version) BumpTo(w Version) Bump {
	switch {
	case w.Major > v.Major:
		return Major
	case w.Major == v.Major && w.Minor > v.Minor:
		return Minor
	case w.Core().Compare(v) > 0:
		return Patch
	default:
		return NoBump
	}
}
