package prompt

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A TextIssue is a character, or a run of them, that should not stand in a
// text: a reader does not see it, or sees something else than a model reads.
type TextIssue struct {
	Offset    int    // in bytes
	Rule      string // encoding, control, carriage-return, line-separator, bidi, zero-width, tag or variation-selector
	Allowable bool   // a prompt may allow the rule, and say why
	Message   string
}

// A textRule is the reason to report a character. 0 is none.
type textRule uint8

const (
	ruleEncoding textRule = iota + 1
	ruleControl
	ruleCarriageReturn
	ruleLineSeparator
	ruleBidi
	ruleZeroWidth
	ruleTag
	ruleVariation
	textRules // how many, with none
)

// maxRuns is how many places of one rule are reported in a text. The rest is
// counted in the last: a text full of them needs no longer list.
const maxRuns = 20

// CheckText reports what a reader of text would not see, in the order of the
// text. Neighbors with the same rule are one issue, and so are all carriage
// returns. A text without issues is valid UTF-8 that looks like what it is.
func CheckText(text []byte) []TextIssue {
	type run struct {
		rule textRule
		at   int
		char rune
		more int // characters after the first
	}
	if name := utf16Name(text); name != "" {
		return []TextIssue{{
			Rule:    ruleEncoding.name(),
			Message: "the text is " + name + ", not UTF-8",
		}}
	}
	var (
		runs  []run
		count [textRules]int // runs of each rule
		last  [textRules]int // the latest run of each rule
		end   int            // where the latest issue ends
		prev  textRule       // and its rule
	)
	for i := 0; ; {
		c := nextIssue(text, i)
		if c.rule == 0 {
			break
		}
		i = c.at + c.size
		limit := maxRuns
		if c.rule == ruleCarriageReturn {
			limit = 1
		}
		if count[c.rule] == limit || count[c.rule] > 0 && prev == c.rule && end == c.at {
			runs[last[c.rule]].more++
		} else {
			count[c.rule]++
			last[c.rule] = len(runs)
			runs = append(runs, run{c.rule, c.at, c.char, 0})
		}
		prev, end = c.rule, i
	}
	var issues []TextIssue
	for _, r := range runs {
		message := r.rule.describe(r.char)
		if r.more > 0 {
			message += fmt.Sprintf(" (and %d more)", r.more)
		}
		issues = append(issues, TextIssue{r.at, r.rule.name(), r.rule.allowable(), message})
	}
	return issues
}

// Visible returns s with every character that CheckText would report written
// out, as ⟨U+202E⟩, and every byte that is not UTF-8 as ⟨0xff⟩. The result is
// safe in a terminal and honest in a diff; newlines, tabs and emoji stay.
func Visible(s string) string {
	if !suspicious(s) {
		return s
	}
	text := []byte(s)
	var b strings.Builder
	for i := 0; ; {
		c := nextIssue(text, i)
		if c.rule == 0 {
			if i == 0 {
				return s
			}
			b.Write(text[i:])
			return b.String()
		}
		b.Write(text[i:c.at])
		if c.rule == ruleEncoding {
			fmt.Fprintf(&b, "⟨0x%02x⟩", c.char)
		} else {
			fmt.Fprintf(&b, "⟨U+%04X⟩", c.char)
		}
		i = c.at + c.size
	}
}

// suspicious reports whether s is more than printable ASCII.
func suspicious(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) {
			return true
		}
	}
	return false
}

func plain(c byte) bool { return ' ' <= c && c < 0x7f || c == '\n' || c == '\t' }

// A hidden is one character that should not stand in a text. Its char is the
// byte itself where the text is not UTF-8.
type hidden struct {
	rule     textRule
	at, size int
	char     rune
}

// nextIssue finds the first character at or after i that should not stand in
// text. Without one, the rule is 0.
func nextIssue(text []byte, i int) hidden {
	for i < len(text) {
		if plain(text[i]) {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return hidden{ruleEncoding, i, 1, rune(text[i])}
		}
		rule := ruleOf(r)
		if rule != 0 && !(rule == ruleVariation && presents(text[:i], r)) {
			return hidden{rule, i, size, r}
		}
		i += size
	}
	return hidden{}
}

// presents reports whether the selector r asks for the text or the emoji form
// of the symbol that ends before. This is what it was made for; anywhere else,
// and behind another selector, it carries data that nobody sees.
func presents(before []byte, r rune) bool {
	if r != 0xFE0E && r != 0xFE0F {
		return false
	}
	base, size := utf8.DecodeLastRune(before)
	switch {
	case base == utf8.RuneError && size <= 1:
		return false
	case '0' <= base && base <= '9', base == '#', base == '*':
		return true // keycaps: 1️⃣
	case base == 0x203C, base == 0x2049, base == 0x3030: // ‼ ⁉ 〰
		return true
	}
	return unicode.In(base, unicode.So, unicode.Sm)
}

// ruleOf lists what Unicode calls default ignorable, and what directs text or
// a terminal. Fillers that fonts draw as nothing count as zero width.
func ruleOf(r rune) textRule {
	switch {
	case r == '\n', r == '\t':
		return 0
	case r == '\r':
		return ruleCarriageReturn
	case r < 0x20, 0x7F <= r && r <= 0x9F:
		return ruleControl
	case r < 0xAD:
		return 0
	case r == 0x061C, r == 0x200E, r == 0x200F, 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069:
		return ruleBidi
	case r == 0x2028, r == 0x2029:
		return ruleLineSeparator
	case r == 0x00AD, r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x180E,
		0x200B <= r && r <= 0x200D, 0x2060 <= r && r <= 0x2065, 0x206A <= r && r <= 0x206F,
		r == 0x3164, r == 0xFEFF, r == 0xFFA0, 0xFFF0 <= r && r <= 0xFFFB,
		0x1BCA0 <= r && r <= 0x1BCA3, 0x1D173 <= r && r <= 0x1D17A:
		return ruleZeroWidth
	case 0x180B <= r && r <= 0x180D, r == 0x180F, 0xFE00 <= r && r <= 0xFE0F, 0xE0100 <= r && r <= 0xE01EF:
		return ruleVariation
	case 0xE0000 <= r && r <= 0xE0FFF: // beyond the tags, unassigned and as invisible
		return ruleTag
	}
	return 0
}

// utf16Name recognizes the byte order marks of UTF-16, whose texts would
// otherwise be a long list of bytes and NULs.
func utf16Name(text []byte) string {
	switch {
	case len(text) < 2:
		return ""
	case text[0] == 0xFF && text[1] == 0xFE:
		return "UTF-16 (little-endian)"
	case text[0] == 0xFE && text[1] == 0xFF:
		return "UTF-16 (big-endian)"
	}
	return ""
}

func (r textRule) name() string {
	return [textRules]string{
		ruleEncoding:       "encoding",
		ruleControl:        "control",
		ruleCarriageReturn: "carriage-return",
		ruleLineSeparator:  "line-separator",
		ruleBidi:           "bidi",
		ruleZeroWidth:      "zero-width",
		ruleTag:            "tag",
		ruleVariation:      "variation-selector",
	}[r]
}

// allowable is false for what no language needs.
func (r textRule) allowable() bool {
	return r != ruleEncoding && r != ruleControl && r != ruleTag
}

func (r textRule) describe(char rune) string {
	if r == ruleEncoding {
		return fmt.Sprintf("byte 0x%02x is not UTF-8", char)
	}
	s := fmt.Sprintf("U+%04X", char)
	if name := runeName(char); name != "" {
		s += " " + name
	}
	return s + [textRules]string{
		ruleControl:        " is a control character",
		ruleCarriageReturn: " stands in the text; lines end with U+000A alone",
		ruleLineSeparator:  " looks like the end of a line and is none",
		ruleBidi:           " changes the order in which text is shown",
		ruleZeroWidth:      " is invisible",
		ruleTag:            " is invisible and can hide text from a reader",
		ruleVariation:      " is invisible, and no symbol stands before it",
	}[r]
}

// runeName is the name of the characters one meets, in Unicode or, for the
// control characters, which have none there, in ISO 6429.
func runeName(r rune) string {
	switch r {
	case 0x00:
		return "NULL"
	case 0x07:
		return "BELL"
	case 0x08:
		return "BACKSPACE"
	case 0x0B:
		return "LINE TABULATION"
	case 0x0C:
		return "FORM FEED"
	case 0x0D:
		return "CARRIAGE RETURN"
	case 0x1B:
		return "ESCAPE"
	case 0x7F:
		return "DELETE"
	case 0x85:
		return "NEXT LINE"
	case 0x90:
		return "DEVICE CONTROL STRING"
	case 0x9B:
		return "CONTROL SEQUENCE INTRODUCER"
	case 0x9D:
		return "OPERATING SYSTEM COMMAND"
	case 0x00AD:
		return "SOFT HYPHEN"
	case 0x034F:
		return "COMBINING GRAPHEME JOINER"
	case 0x061C:
		return "ARABIC LETTER MARK"
	case 0x115F:
		return "HANGUL CHOSEONG FILLER"
	case 0x1160:
		return "HANGUL JUNGSEONG FILLER"
	case 0x180E:
		return "MONGOLIAN VOWEL SEPARATOR"
	case 0x200B:
		return "ZERO WIDTH SPACE"
	case 0x200C:
		return "ZERO WIDTH NON-JOINER"
	case 0x200D:
		return "ZERO WIDTH JOINER"
	case 0x200E:
		return "LEFT-TO-RIGHT MARK"
	case 0x200F:
		return "RIGHT-TO-LEFT MARK"
	case 0x2028:
		return "LINE SEPARATOR"
	case 0x2029:
		return "PARAGRAPH SEPARATOR"
	case 0x202A:
		return "LEFT-TO-RIGHT EMBEDDING"
	case 0x202B:
		return "RIGHT-TO-LEFT EMBEDDING"
	case 0x202C:
		return "POP DIRECTIONAL FORMATTING"
	case 0x202D:
		return "LEFT-TO-RIGHT OVERRIDE"
	case 0x202E:
		return "RIGHT-TO-LEFT OVERRIDE"
	case 0x2060:
		return "WORD JOINER"
	case 0x2061:
		return "FUNCTION APPLICATION"
	case 0x2062:
		return "INVISIBLE TIMES"
	case 0x2063:
		return "INVISIBLE SEPARATOR"
	case 0x2064:
		return "INVISIBLE PLUS"
	case 0x2066:
		return "LEFT-TO-RIGHT ISOLATE"
	case 0x2067:
		return "RIGHT-TO-LEFT ISOLATE"
	case 0x2068:
		return "FIRST STRONG ISOLATE"
	case 0x2069:
		return "POP DIRECTIONAL ISOLATE"
	case 0x3164:
		return "HANGUL FILLER"
	case 0xFEFF:
		return "ZERO WIDTH NO-BREAK SPACE (byte order mark)"
	case 0xFFA0:
		return "HALFWIDTH HANGUL FILLER"
	case 0xE0001:
		return "LANGUAGE TAG"
	case 0xE007F:
		return "CANCEL TAG"
	}
	switch {
	case 0xE0020 <= r && r <= 0xE007E:
		return fmt.Sprintf("TAG of %q", r-0xE0000)
	case 0xFE00 <= r && r <= 0xFE0F:
		return fmt.Sprintf("VARIATION SELECTOR-%d", r-0xFE00+1)
	case 0xE0100 <= r && r <= 0xE01EF:
		return fmt.Sprintf("VARIATION SELECTOR-%d", r-0xE0100+17)
	}
	return ""
}
