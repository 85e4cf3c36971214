package assertion

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// plainEdits is the whole table, without a band.
func plainEdits(a, b string) int {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	table := make([][]int, len(x)+1)
	for i := range table {
		table[i] = make([]int, len(y)+1)
		for j := range table[i] {
			switch {
			case i == 0 || j == 0:
				table[i][j] = i + j
			case x[i-1] == y[j-1]:
				table[i][j] = table[i-1][j-1]
			default:
				table[i][j] = 1 + min(table[i-1][j-1], table[i-1][j], table[i][j-1])
			}
		}
	}
	return table[len(x)][len(y)]
}

func TestEdits(t *testing.T) {
	for _, r := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"saturday", "sunday", 3}, {"flaw", "lawn", 2}, {"gumbo", "gambol", 2}, {"é", "e", 1}, {"😀", "x", 2},
	} {
		if got := editsBetween(r.a, r.b); got != r.want {
			t.Errorf("from %q to %q: %d, want %d", r.a, r.b, got, r.want)
		}
	}
}

func TestEditsAreAMetric(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("abcé😀")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := text.Draw(t, "a"), text.Draw(t, "b"), text.Draw(t, "c")
		ab, ba, bc, ac := editsBetween(a, b), editsBetween(b, a), editsBetween(b, c), editsBetween(a, c)
		if ab != ba || (ab == 0) != (a == b) || ac > ab+bc || ab != plainEdits(a, b) {
			t.Fatalf("%q %q %q: %d %d %d %d, by the whole table %d", a, b, c, ab, ba, bc, ac, plainEdits(a, b))
		}
	})
}

func TestABandKnowsWhatLiesWithinIt(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 0, 30, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b, limit := text.Draw(t, "a"), text.Draw(t, "b"), rapid.IntRange(0, 8).Draw(t, "limit")
		got, known, err := edits(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), limit)
		want := plainEdits(a, b)
		if err != nil || known != (want <= limit) || known && got != want || !known && got != limit {
			t.Fatalf("from %q to %q within %d: %d, %t, %v, want %d", a, b, limit, got, known, err, want)
		}
	})
}

// The numbers follow by hand from the formula of Papineni et al. (2002), with
// 1e-7 in place of a precision of none. The first candidate is the paper's own
// example of a clipped count: two of seven.
func TestBLEU(t *testing.T) {
	for _, r := range []struct {
		candidate string
		reference []string
		want      float64
	}{
		{"the the the the the the the", []string{"the cat is on the mat"}, math.Exp((math.Log(2.0/7) + 3*math.Log(1e-7)) / 4)},
		{"the cat sat on the mat", []string{"the cat is on the mat"}, math.Exp((math.Log(5.0/6) + math.Log(3.0/5) + math.Log(1.0/4) + math.Log(1e-7)) / 4)},
		{"the cat", []string{"the cat sat"}, math.Exp(1 - 3.0/2)},
		{"The cat", []string{"the CAT"}, 1},
		{"a b c d e", []string{"a b c d e f g", "a b c d"}, math.Exp((math.Log(1) + math.Log(1) + math.Log(1) + math.Log(1)) / 4)},
		{"x", []string{"y"}, 1e-7},
		{"", []string{"y"}, 0},
	} {
		var references [][]string
		for _, text := range r.reference {
			references = append(references, lowerWords(text))
		}
		if got := bleuScore(lowerWords(r.candidate), references); math.Abs(got-r.want) > 1e-12 {
			t.Errorf("%q against %q: %v, want %v", r.candidate, r.reference, got, r.want)
		}
	}
}

// Lin (2004) compares the first pair: three of four words.
func TestROUGE(t *testing.T) {
	for _, r := range []struct {
		candidate, reference string
		want                 float64
	}{
		{"police kill the gunman", "police killed the gunman", 0.75},
		{"the cat sat on the mat", "the cat sat on the mat", 1},
		{"the the the", "the cat", 2.0 * 1 / 5},
		{"a b c", "a", 2.0 * 1 / 4},
		{"", "a", 0},
		{"a", "", 0},
		{"x", "y", 0},
	} {
		if got := rougeScore(treebank(r.candidate), treebank(r.reference)); math.Abs(got-r.want) > 1e-12 {
			t.Errorf("%q against %q: %v, want %v", r.candidate, r.reference, got, r.want)
		}
	}
}

// The words are those that js-rouge 3.2.3, which promptfoo uses, makes of the
// same texts.
func TestWordsOfTheTreebank(t *testing.T) {
	for text, want := range map[string]string{
		"the cat sat on the mat.":                "the|cat|sat|on|the|mat|.",
		`he said "hello there" to me.`:           "he|said|``|hello|there|''|to|me|.",
		"i can't do that, sorry!":                "i|ca|n't|do|that|,|sorry|!",
		"they've gone; we'll see.":               "they|'ve|gone|;|we|'ll|see|.",
		"it's 3:45, at 1,000 o'clock.":           "it|'s|3:45|,|at|1,000|o'clock|.",
		"the u.s. is big.":                       "the|u.s.|is|big|.",
		"e.g. this, i.e.":                        "e.g.|this|,|i.e.",
		"cannot gonna wanna go":                  "can|not|gon|na|wan|na|go",
		"do you wanna":                           "do|you|wan|na",
		"wait... what?":                          "wait|...|what|?",
		"a--b (c) [d]":                           "a|--|b|(|c|)|[|d|]",
		"john's dogs' bones":                     "john|'s|dogs|'|bones",
		"'tis 'twas d'ye more'n gimme":           "'t|is|'t|was|d|'ye|more|'n|gim|me",
		"$5.00 & 10% #tag @me":                   "$|5.00|&|10|%|#|tag|@|me",
		`he left."`:                              "he|left|.|''",
		"i'd've gone. he went":                   "i'd|'ve|gone.|he|went",
		"one\n\ttwo\u00a0three":                  "one|two|three",
		"":                                       "",
		strings.Repeat("'", 5) + "s":             "''|''|'s",
		"``quoted''":                             "``|quoted|''",
		"the value is \"x\", not \"y\" (\"z\")!": "the|value|is|``|x|''|,|not|``|y|''|(|``|z|''|)|!",
	} {
		if got := strings.Join(treebank(text), "|"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestScoresOfWordsAreShares(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab .,'\"😀\n")), 0, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		rouge, back := rougeScore(treebank(a), treebank(b)), rougeScore(treebank(b), treebank(a))
		bleu := bleuScore(lowerWords(a), [][]string{lowerWords(b)})
		if !(rouge >= 0 && rouge <= 1) || rouge != back || !(bleu >= 0 && bleu <= 1+1e-12) {
			t.Fatalf("%q and %q: ROUGE %v and %v, BLEU %v", a, b, rouge, back, bleu)
		}
		if len(treebank(a)) > 0 && rougeScore(treebank(a), treebank(a)) != 1 {
			t.Fatalf("ROUGE of %q with itself is not 1", a)
		}
		if len(lowerWords(a)) > 0 && math.Abs(bleuScore(lowerWords(a), [][]string{lowerWords(a)})-1) > 1e-12 {
			t.Fatalf("BLEU of %q with itself is not 1", a)
		}
		if slices.ContainsFunc(treebank(a), func(w string) bool { return w == "" || strings.Contains(w, " ") }) {
			t.Fatalf("%q has the words %q", a, treebank(a))
		}
	})
}

func TestVectorsAreCompared(t *testing.T) {
	a, b := []float64{3, 4, 0}, []float64{3, 4, 12}
	if got := cosine(a, b); math.Abs(got-5.0/13) > 1e-12 {
		t.Errorf("cosine %v", got)
	}
	if dot(a, b) != 25 || euclid(a, b) != 12 || cosine(a, []float64{0, 0, 0}) != 0 {
		t.Errorf("%v %v %v", dot(a, b), euclid(a, b), cosine(a, []float64{0, 0, 0}))
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(-1e3, 1e3), 3, 3)
		x, y := v.Draw(t, "x"), v.Draw(t, "y")
		if c := cosine(x, y); math.Abs(c) > 1+1e-9 || math.Abs(c-cosine(y, x)) > 1e-12 {
			t.Fatalf("%v", c)
		}
	})
}
