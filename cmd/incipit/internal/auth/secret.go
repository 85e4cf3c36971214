package auth

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// A Secret is text that must not be seen: whatever prints, logs or encodes it
// shows a placeholder. Reveal alone gives the text.
//
// The text stands behind a pointer, so that a Secret in an unexported field,
// whose methods fmt cannot call, prints as an address. Secrets do not compare
// with ==, which would not take constant time: the compiler refuses it.
type Secret struct {
	_    [0]func()
	text *string
}

// Conceal makes a Secret of text.
func Conceal(text string) Secret { return Secret{text: &text} }

// Reveal gives the text away. It belongs where the text leaves for good: an
// answer to its owner, a request to who checks it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String is a placeholder.
func (s Secret) String() string { return redacted }

// GoString is a placeholder, for %#v.
func (s Secret) GoString() string { return redacted }

// Format writes a placeholder for every verb.
func (s Secret) Format(w fmt.State, _ rune) { fmt.Fprint(w, redacted) }

// MarshalText is a placeholder, for encoders of every kind.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON is a placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue is a placeholder, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
