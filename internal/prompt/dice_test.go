package prompt

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"
)

// always holds a law to five hundred draws. A law says what broke it, or "";
// what testing/quick says it failed on is the seed of the dice.
func always(t *testing.T, law func(dice) string) {
	t.Helper()
	check := func(seed uint64) bool {
		why := law(dice{rand.New(rand.NewPCG(seed, 27))})
		if why != "" {
			t.Log(why)
		}
		return why == ""
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

// A dice draws what a law is held to.
type dice struct{ *rand.Rand }

// few is at most n and mostly far less, so that nothing and one come up.
func (d dice) few(n int) int { return d.IntN(d.IntN(n+1) + 1) }

// rune is any that UTF-8 can say, of each length about as often.
func (d dice) rune() rune {
	for {
		if r := d.Int32N([]rune{0x80, 0x800, 0x10000, utf8.MaxRune + 1}[d.IntN(4)]); utf8.ValidRune(r) {
			return r
		}
	}
}

// text is any that UTF-8 can say; half of it is what is easily spoiled.
func (d dice) text() string {
	awkward := []rune("\"\\/<>&{}[]:, \t\r\n\x00\x0b\x1b\x7f\u2028\u2029\u202e\ufeff\ufffd\uffffȺ")
	var b strings.Builder
	for range d.few(24) {
		if d.IntN(2) == 0 {
			b.WriteRune(awkward[d.IntN(len(awkward))])
		} else {
			b.WriteRune(d.rune())
		}
	}
	return b.String()
}

// word is n characters of an alphabet.
func (d dice) word(alphabet string, n int) string {
	from, out := []rune(alphabet), make([]rune, n)
	for i := range out {
		out[i] = from[d.IntN(len(from))]
	}
	return string(out)
}
