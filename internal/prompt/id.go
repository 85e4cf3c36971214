package prompt

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is wrapped by every error about a value that cannot be right
// whatever the state of the world: an id, a version, a share.
var ErrInvalid = errors.New("not valid")

// An ID names a prompt: customer-support, or billing/refunds. The text of an
// include is named _shared/ and its own name, and is released like a prompt.
type ID string

// SharedPrefix starts the id of a text that prompts include.
const SharedPrefix = "_shared/"

const (
	maxSegments  = 4
	segmentChars = "abcdefghijklmnopqrstuvwxyz0123456789._-"
)

// ParseID accepts up to four segments of a-z, 0-9, dot, dash and underscore,
// each of at most 64 characters that starts with a letter or digit, holds no
// two dots in a row and does not end in a dot or in .lock. Such an id is safe
// as a path, as a Git ref and as an argument.
func ParseID(s string) (ID, error) {
	invalid := func(why string) (ID, error) {
		return "", fmt.Errorf("%q is %w as a prompt id: %s", Clip(s, 80), ErrInvalid, why)
	}
	if s == "registry.json" {
		return invalid("this is the registry's file")
	}
	name := strings.TrimPrefix(s, SharedPrefix)
	segments := strings.Split(name, "/")
	if len(segments) > maxSegments {
		return invalid(fmt.Sprintf("it has %d segments, at most %d are allowed", len(segments), maxSegments))
	}
	for _, seg := range segments {
		switch {
		case seg == "":
			return invalid("a segment is empty; write something like customer-support or billing/refunds")
		case len(seg) > 64:
			return invalid("a segment is longer than 64 characters")
		case strings.Trim(seg[:1], "abcdefghijklmnopqrstuvwxyz0123456789") != "":
			return invalid("each segment must start with a lower-case letter or a digit")
		case strings.ContainsFunc(seg, notSegmentChar):
			return invalid("only a-z, 0-9, dot, dash and underscore may stand in it")
		case strings.Contains(seg, "..") || strings.HasSuffix(seg, "."):
			return invalid("two dots in a row and a dot at the end mean something else to Git")
		case strings.HasSuffix(seg, ".lock"):
			return invalid("Git keeps names that end in .lock for itself")
		}
	}
	return ID(s), nil
}

func notSegmentChar(r rune) bool { return !strings.ContainsRune(segmentChars, r) }

// Shared reports whether the id names an included text, and its name.
func (id ID) Shared() (name string, ok bool) {
	return strings.CutPrefix(string(id), SharedPrefix)
}

// Tag is the name of the Git tag of a release: what you type is what is tagged.
func (id ID) Tag(v Version) string { return string(id) + "@" + v.String() }

// Clip shortens text for a message to n characters, and makes it safe to print.
func Clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			s = s[:i] + "…"
			break
		}
		n--
	}
	return Visible(s)
}
