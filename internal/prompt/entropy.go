package prompt

import (
	"bytes"
	"math"
	"slices"
	"strings"
)

// random reports whether c looks like the output of a generator. It misses one
// real key in some thousands, and one in a hundred that has letters alone.
func random(c []byte) bool {
	m := mixing(c)
	if !bytes.ContainsAny(c, "0123456789") {
		m -= 0.1 // TheseAreWordsToo
	}
	return m >= minMixing && entropy(c) >= 3
}

// mixing is the share of neighbors in c of which one is a lower-case letter,
// a capital or a digit, and the other is another of these.
func mixing(c []byte) float64 {
	changes := 0
	for i := 1; i < len(c); i++ {
		a, b := classOf(c[i-1]), classOf(c[i])
		if a != b && a != 0 && b != 0 {
			changes++
		}
	}
	return float64(changes) / float64(max(len(c)-1, 1))
}

// entropy is Shannon's, in bits for a byte, of the bytes of c.
func entropy(c []byte) float64 {
	var count [256]int
	for _, b := range c {
		count[b]++
	}
	var h float64
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(c))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// placeholder reports whether c stands for a credential: {{password}}, $TOKEN,
// <your key>, sk-xxxxxxxx or the example of a manual.
func placeholder(c []byte) bool {
	if len(c) > 1 && (c[0] == '$' || c[0] == '%') && (c[1] == '{' || c[1] == '(' || classOf(c[1]) == 'a' || classOf(c[1]) == 'A') {
		return true
	}
	s := strings.ToLower(string(c))
	for _, word := range []string{
		"{{", "${", "<", `\u003c`, "***", "...", "…", "xxxx", "your", "example", "placeholder", "changeme", "change-me", "change_me",
		"replace", "redacted", "dummy", "sample", "-here", "_here", "1234567", "abcdefg", "a1b2c3", "00000000",
	} {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

// defaultPassword reports whether c is a word that everybody writes where a
// password belongs, or the name of one: PASSWORD, DB_PASS.
func defaultPassword(c []byte) bool {
	if len(bytes.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")) == 0 {
		return true
	}
	return slices.Contains([]string{
		"password", "passwd", "pass", "pwd", "secret", "mypassword", "user", "username", "admin", "root", "test", "guest",
		"postgres", "mysql", "redis", "token",
	}, strings.ToLower(string(c)))
}

func anything([]byte) bool { return true }

// wordStart reports whether a word can start after before. The letter of an
// escape, as in "\n", ends no word.
func wordStart(before []byte) bool {
	n := len(before)
	return n == 0 || classOf(before[n-1]) == 0 || n > 1 && before[n-2] == '\\'
}

// tokenStart is wordStart for what base64 surrounds.
func tokenStart(before []byte) bool {
	return wordStart(before) && (len(before) == 0 || !base64Char(before[len(before)-1]))
}

func eightDigits(before []byte) bool {
	return len(before) >= 8 && len(bytes.Trim(before[len(before)-8:], "0123456789")) == 0
}

// classOf is 'a', 'A' or '0' for a letter or digit, and no character for others.
func classOf(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return 'a'
	case 'A' <= c && c <= 'Z':
		return 'A'
	case '0' <= c && c <= '9':
		return '0'
	}
	return 0
}

func base64Char(c byte) bool {
	return classOf(c) != 0 || c == '+' || c == '/' || c == '-' || c == '_'
}

func keyChar(c byte) bool { return base64Char(c) || c == '.' || c == '=' }
