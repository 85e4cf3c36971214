package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAPatternMatchesWhatJavaScriptMatches(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, flags, text string
		want                 bool
	}{
		"it matches anywhere":                             {`b+`, "", "abc", true},
		"it matches not":                                  {`^b`, "", "abc", false},
		"a look-ahead holds":                              {`foo(?=bar)`, "", "foobar", true},
		"a look-ahead does not":                           {`foo(?=bar)`, "", "foobaz", false},
		"a negative look-ahead":                           {`^(?!.*secret).*$`, "", "no secret", false},
		"a look-behind":                                   {`(?<=\$)\d+`, "", "costs $42", true},
		"a negative look-behind":                          {`(?<!\$)\b\d+`, "", "costs $42", false},
		"a back reference":                                {`(\w)\1`, "", "hello", true},
		"a back reference to a name":                      {`(?<c>\w)\k<c>`, "", "helo", false},
		"a named group":                                   {`(?<year>\d{4})`, "", "in 2026", true},
		"case is minded":                                  {`hello`, "", "HELLO", false},
		"case is not minded":                              {`hello`, "i", "HELLO", true},
		"case is not minded, looking ahead":               {`h(?=ELLO)`, "i", "Hello", true},
		"an end is the end of the text":                   {`a$`, "", "a\n", false},
		"an end is the end of the text, looking ahead":    {`(?=a)a$`, "", "a\n", false},
		"an end may be a line's":                          {`^b$`, "m", "a\nb\nc", true},
		"an end may be a line's, looking ahead":           {`^(?=b)b$`, "m", "a\nb\nc", true},
		"a point is no line end":                          {`a.b`, "", "a\nb", false},
		"a point is no line end of the others":            {`a.b`, "", "a\u2028b", false},
		"a point is no carriage return":                   {`a.b`, "", "a\rb", false},
		"a point is no line end, looking ahead":           {`(?=a)a.b`, "", "a\u2028b", false},
		"a point may be a line end":                       {`a.b`, "s", "a\nb", true},
		"a digit is ASCII":                                {`^\d$`, "", "٣", false},
		"a digit is ASCII, looking ahead":                 {`^(?=.)\d$`, "", "٣", false},
		"a word is ASCII":                                 {`^\w$`, "", "é", false},
		"a blank is any of Unicode's":                     {`^\s$`, "", "\u00a0", true},
		"a blank is any of Unicode's, looking ahead":      {`^(?=\s)\s$`, "", "\ufeff", true},
		"a property of Unicode":                           {`^\p{Lu}$`, "u", "É", true},
		"a property that it has not":                      {`^[^\P{Lu}.]$`, "u", "é", false},
		"a property without u is letters":                 {`^\p{Lu}$`, "", "p{Lu}", true},
		"a point in a class is itself":                    {`^(?=.)[.]$`, "", "x", false},
		"a point that is escaped is itself":               {`^(?=.)\.$`, "", "x", false},
		"a point may be a line end, looking ahead":        {`^(?=a)a.b$`, "s", "a\u2029b", true},
		"a script of Unicode":                             {`^\p{Script=Greek}+$`, "u", "αβγ", true},
		"an escape of a character":                        {`^\u{1F600}$`, "u", "😀", true},
		"a character beyond is two without u":             {`^.$`, "", "😀", false},
		"a character beyond is two, looking ahead":        {`^(?=.)..$`, "", "😀", true},
		"a character beyond is one with u":                {`^.$`, "u", "😀", true},
		"a character beyond matches itself":               {`^😀$`, "", "😀", true},
		"its half matches, too":                           {`\ud83d`, "", "😀", true},
		"a class of halves":                               {`^[😀]`, "", "😁", true},
		"any character at all":                            {`^[^]$`, "", "\n", true},
		"no character at all":                             {`[]`, "", "a", false},
		"a slash need not be escaped":                     {`a\/b`, "", "a/b", true},
		"a repetition that is large":                      {`^a{2000}$`, "", strings.Repeat("a", 2000), true},
		"flags that do not matter":                        {`a`, "gd", "a", true},
		"a text of many lines":                            {`^x$`, "m", strings.Repeat("y\n", 20_000) + "x", true},
		"a long text of wide characters":                  {`b$`, "", strings.Repeat("😀", 20_000) + "b", true},
		"what nests linear is decided":                    {`^(a+)+$`, "", strings.Repeat("a", 20_000) + "b", false},
		"a text that is not UTF-8 is read with stand-ins": {`^\ufffd$`, "", "\xff", true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := CompilePattern(c.pattern, c.flags)
			if err != nil {
				t.Fatal(err)
			}
			p.Limit(time.Minute)
			if got, err := p.Match(t.Context(), c.text); got != c.want || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestAPatternThatIsNoneIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ pattern, flags, want string }{
		"a bracket is open":          {"(a", "", "does not compile"},
		"a class is open":            {"[a", "", "does not compile"},
		"nothing is repeated":        {"*a", "", "does not compile"},
		"a range is upside down":     {"[z-a]", "", "does not compile"},
		"a flag is not known":        {"a", "x", "no flag"},
		"a flag is not supported":    {"a", "y", "not supported"},
		"a flag is given twice":      {"a", "ii", "twice"},
		"it is huge":                 {strings.Repeat("a", maxPattern+1), "", "too large"},
		"it is not UTF-8":            {"\xff", "", "UTF-8"},
		"it would paint the console": {"(\x1b[31m", "", "does not compile"},
		"a look-ahead is open":       {"(?=a", "", "does not compile"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CompilePattern(c.pattern, c.flags)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 1000 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAPatternThatBacktracksForEverIsEnded(t *testing.T) {
	for name, c := range map[string]struct{ pattern, text string }{
		"a repetition of repetitions": {`^(?=a)(a+)+$`, strings.Repeat("a", 50) + "b"},
		"a back reference":            {`^(a+)+\1$`, strings.Repeat("a", 50) + "b"},
		"choices that overlap":        {`^(?=a)(a|aa|a?)+$`, strings.Repeat("a", 100) + "b"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := CompilePattern(c.pattern, "")
			if err != nil {
				t.Fatal(err)
			}
			p.Limit(100 * time.Millisecond)
			if got, err := p.Match(t.Context(), c.text); !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrSize) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestALongTextIsLeftWhenItsTimeIsOver(t *testing.T) {
	p, err := CompilePattern(`([a-z]{0,400}x){0,2}$`, "")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 1<<20)
	p.Limit(time.Nanosecond)
	if _, err := p.Match(t.Context(), text); !errors.Is(err, ErrTimeout) {
		t.Errorf("after its limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Limit(time.Hour)
	if _, err := p.Match(ctx, text); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	if _, err := p.Match(t.Context(), strings.Repeat("a", maxMatched+1)); !errors.Is(err, ErrSize) {
		t.Errorf("a text that is too long: %v", err)
	}
}

func TestSlashesAreTakenApart(t *testing.T) {
	for name, c := range map[string]struct{ text, pattern, flags string }{
		"with flags":                {"/a+/gi", "a+", "gi"},
		"without flags":             {"/a+/", "a+", ""},
		"without slashes":           {"a+", "a+", ""},
		"a path is none":            {"/usr/local", "/usr/local", ""},
		"a slash within":            {`/a\/b/i`, `a\/b`, "i"},
		"nothing between":           {"//", "//", ""},
		"only one":                  {"/", "/", ""},
		"a slash that begins alone": {"/a", "/a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if p, f := SplitPattern(c.text); p != c.pattern || f != c.flags {
				t.Errorf("got %q, %q", p, f)
			}
		})
	}
}

// The two engines, and the reader of long texts, must agree where each can
// decide: a look-ahead that always holds sends a pattern to the other engine.
func TestTheEnginesAgree(t *testing.T) {
	atoms := rapid.SampledFrom([]string{"a", "b", ".", `\d`, `\w`, `\s`, `\b`, `\B`, "[a-c]", "[^a]", "^", "$", "(a|b)", "😀", "é", `\n`})
	times := rapid.SampledFrom([]string{"", "", "*", "+", "?", "{0,2}", "*?"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			atom := atoms.Draw(t, "atom")
			b.WriteString(atom)
			if atom != "^" && atom != "$" && atom != `\b` && atom != `\B` && atom != "😀" {
				b.WriteString(times.Draw(t, "times"))
			}
		}
		flags := rapid.SampledFrom([]string{"", "i", "m", "s", "u"}).Draw(t, "flags")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB1 \n\ré😀😁\u2028")), 0, 8, -1).Draw(t, "text")
		linear, err := CompilePattern(b.String(), flags)
		if err != nil {
			t.Fatal(err)
		}
		back, err := CompilePattern("(?=)(?:"+b.String()+")", flags)
		if err != nil || back.back == nil {
			t.Fatalf("%s: %v", b.String(), err)
		}
		x, err1 := linear.Match(t.Context(), text)
		y, err2 := back.Match(t.Context(), text)
		if err1 != nil || err2 != nil || x != y {
			t.Fatalf("/%s/%s on %q: %v, %v and %v, %v", b.String(), flags, text, x, err1, y, err2)
		}
	})
}

func FuzzCompilePattern(f *testing.F) {
	for _, s := range []string{`^(?=a)(a+)+$`, `[^]`, `\p{L}`, `(?<n>a)\k<n>`, `a{1,2000}`, `\u{1F600}`, `😀`, `[\d-x]`, `\c`, `(?:`, `\1(a)`} {
		f.Add(s, "", "aab")
		f.Add(s, "iu", "😀")
	}
	f.Fuzz(func(t *testing.T, pattern, flags, text string) {
		p, err := CompilePattern(pattern, flags)
		if err != nil {
			return
		}
		p.Limit(50 * time.Millisecond)
		if _, err := p.Match(t.Context(), text); err != nil && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrSize) {
			t.Fatal(err)
		}
	})
}
