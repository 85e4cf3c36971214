package prompt

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// verdict is what a table says of a text: rule and offset of each issue.
func verdict(issues []TextIssue) string {
	var s []string
	for _, i := range issues {
		s = append(s, fmt.Sprint(i.Rule, "@", i.Offset))
	}
	return strings.Join(s, " ")
}

// A character is a line of testdata/invisible/characters.txt.
type character struct {
	char      rune
	rule      string
	allowable bool
	name      string
}

func characters(tb testing.TB) []character {
	tb.Helper()
	f, err := os.Open("testdata/invisible/characters.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var cs []character
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.SplitN(lines.Text(), "\t", 4)
		char, err := strconv.ParseInt(strings.TrimPrefix(fields[0], "U+"), 16, 32)
		if err != nil || len(fields) != 4 {
			tb.Fatalf("%q: %v", lines.Text(), err)
		}
		cs = append(cs, character{rune(char), fields[1], fields[2] == "allowable", fields[3]})
	}
	return cs
}

func TestCheckTextReportsEachCharacter(t *testing.T) {
	cs := characters(t)
	if len(cs) < 24 {
		t.Fatalf("%d characters, at least 24 are needed", len(cs))
	}
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) {
			text := "Answer" + string(c.char) + " the question.\n"
			issues := CheckText([]byte(text))
			if verdict(issues) != c.rule+"@6" || issues[0].Allowable != c.allowable {
				t.Fatalf("CheckText(%q) = %+v", text, issues)
			}
			point := fmt.Sprintf("U+%04X", c.char)
			if m := issues[0].Message; !strings.HasPrefix(m, point+" "+c.name) {
				t.Errorf("the message %q does not name %s %s", m, point, c.name)
			}
			if got, want := Visible(text), "Answer⟨"+point+"⟩ the question.\n"; got != want {
				t.Errorf("Visible = %q, want %q", got, want)
			}
		})
	}
}

func TestCheckTextAllowsTheWorldsScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/invisible/legitimate-*.txt")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			issues := CheckText(text)
			for _, i := range issues {
				if !i.Allowable {
					t.Errorf("%+v cannot be allowed", i)
				}
			}
			if wantNone := strings.HasSuffix(file, "-plain.txt"); wantNone != (len(issues) == 0) {
				t.Errorf("issues: %+v", issues)
			}
		})
	}
}

func TestCheckTextVerdicts(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		{"an empty text has no issue", "", ""},
		{"printable ASCII with tabs and newlines has none", "You are\ta {{role}}.\n~!\n", ""},
		{"letters, quotes, dashes and emoji of the world have none", "Grüße – «你好» שלום مرحبا नमस्ते 👍🏽 \u00a0½", ""},
		{"the replacement character is a character", "\ufffd", ""},

		{"a byte order mark of UTF-16 is told once", "\xff\xfeY\x00o\x00u\x00", "encoding@0"},
		{"and in the other order", "\xfe\xff\x00Y\x00o", "encoding@0"},
		{"UTF-16 without a mark is full of NULs", "Y\x00o\x00", "control@1 control@3"},
		{"a lone surrogate is not UTF-8", "a\xed\xa0\x80b", "encoding@1"},
		{"a pair of surrogates is not UTF-8", "a\xed\xa0\xbd\xed\xb8\x80b", "encoding@1"},
		{"an overlong slash is not UTF-8", "a\xc0\xafb", "encoding@1"},
		{"an overlong NUL is not UTF-8", "a\xc0\x80b", "encoding@1"},
		{"an overlong euro sign is not UTF-8", "\xf0\x82\x82\xac", "encoding@0"},
		{"a code point beyond U+10FFFF is not UTF-8", "\xf4\x90\x80\x80", "encoding@0"},
		{"five bytes are not UTF-8", "\xf8\x88\x80\x80\x80", "encoding@0"},
		{"a cut character is not UTF-8", "caf\xc3", "encoding@3"},
		{"a stray continuation is not UTF-8", "a\x80b\xbfc", "encoding@1 encoding@3"},
		{"Latin-1 is not UTF-8", "caf\xe9 cr\xe8me", "encoding@3 encoding@7"},
		{"a UTF-8 byte order mark is zero width", "\ufeffYou are", "zero-width@0"},

		{"a mix of line ends is one issue", "a\r\nb\nc\rd\r\n", "carriage-return@1"},
		{"neighbors with one rule are one issue", "a\u202e\u202d\u2066b\u202c", "bidi@1 bidi@11"},
		{"neighbors with two rules are two", "\x00\u200b\u200c\x1b", "control@0 zero-width@1 control@7"},
		{"hidden text in tags is one issue", "Hi\U000E0049\U000E0067\U000E006E", "tag@2"},
		{"what is unassigned beside the tags counts as one", "\U000E0080", "tag@0"},
		{"the flag of England hides tags", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "tag@4"},

		{"an emoji may ask for its emoji form", "☺\ufe0f ❤️ ⚠️ ©️", ""},
		{"or for its text form", "☎\ufe0e", ""},
		{"so may keycaps", "1\ufe0f\u20e3 #\ufe0f\u20e3 *\ufe0f\u20e3", ""},
		{"and punctuation with an emoji form", "\u203c\ufe0f \u2049\ufe0f \u3030\ufe0f", ""},
		{"a letter has no emoji form", "a\ufe0f", "variation-selector@1"},
		{"nor has the beginning of a text", "\ufe0f", "variation-selector@0"},
		{"nor has a byte that is not UTF-8", "\xff\ufe0f", "encoding@0 variation-selector@1"},
		{"a second selector carries data", "☺\ufe0f\ufe0e\ufe0f", "variation-selector@6"},
		{"bytes hidden behind an emoji are one issue", "😀\ufe0f\U000E0158\U000E015C", "variation-selector@7"},
		{"another selector is no form of an emoji", "☺\ufe00", "variation-selector@3"},
		{"a selector behind a zero-width space has lost its symbol", "☺\u200b\ufe0f", "zero-width@3 variation-selector@6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict(CheckText([]byte(tt.text))); got != tt.want {
				t.Errorf("CheckText(%q): %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestCheckTextMessages(t *testing.T) {
	tests := []struct{ text, want string }{
		{"\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE changes the order in which text is shown"},
		{"\u200b\u200b\u200d", "U+200B ZERO WIDTH SPACE is invisible (and 2 more)"},
		{"\x1b[31m", "U+001B ESCAPE is a control character"},
		{"\x01", "U+0001 is a control character"},
		{"a\r\nb\r\n", "U+000D CARRIAGE RETURN stands in the text; lines end with U+000A alone (and 1 more)"},
		{"\xff\xff\xff", "byte 0xff is not UTF-8 (and 2 more)"},
		{"\xff\xfe", "the text is UTF-16 (little-endian), not UTF-8"},
		{"\U000E0041", `U+E0041 TAG of 'A' is invisible and can hide text from a reader`},
		{"a\ufe0f", "U+FE0F VARIATION SELECTOR-16 is invisible, and no symbol stands before it"},
	}
	for _, tt := range tests {
		issues := CheckText([]byte(tt.text))
		if len(issues) != 1 || issues[0].Message != tt.want {
			t.Errorf("CheckText(%q) = %+v, want %q", tt.text, issues, tt.want)
		}
	}
}

func TestCheckTextListsNoMoreThanAPersonReads(t *testing.T) {
	text := strings.Repeat("a\x00b\u200b", 1000)
	issues := CheckText([]byte(text))
	if len(issues) != 2*maxRuns {
		t.Fatalf("%d issues", len(issues))
	}
	for _, i := range issues[len(issues)-2:] {
		if !strings.HasSuffix(i.Message, "(and 980 more)") {
			t.Errorf("the last issue does not count the rest: %s", i.Message)
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an ordinary text stays", "You are a {{role}}.\n\tBe kind.\n", "You are a {{role}}.\n\tBe kind.\n"},
		{"so does an emoji with its selector", "❤️ 1️⃣ Grüße 你好", "❤️ 1️⃣ Grüße 你好"},
		{"escape sequences lose their power", "\x1b[2J\u009b2J\x07\r\b", "⟨U+001B⟩[2J⟨U+009B⟩2J⟨U+0007⟩⟨U+000D⟩⟨U+0008⟩"},
		{"a raw C1 byte is not UTF-8", "\x9b2J\xff", "⟨0x9b⟩2J⟨0xff⟩"},
		{"an override shows", "user\u202e nimda", "user⟨U+202E⟩ nimda"},
		{"each tag shows", "Hi\U000E0041\U000E0042", "Hi⟨U+E0041⟩⟨U+E0042⟩"},
		{"joined emoji come apart", "👩\u200d💻", "👩⟨U+200D⟩💻"},
		{"a selector without a symbol shows", "a\ufe0f☺\ufe0f\ufe0f", "a⟨U+FE0F⟩☺\ufe0f⟨U+FE0F⟩"},
		{"a text of UTF-16 shows its bytes", "\xff\xfea\x00", "⟨0xff⟩⟨0xfe⟩a⟨U+0000⟩"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Visible(tt.text); got != tt.want {
				t.Errorf("Visible(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
	plain := strings.Repeat("You are a careful editor.\n", 80)
	if n := testing.AllocsPerRun(10, func() { Visible(plain) }); n != 0 {
		t.Errorf("an ordinary text costs %v allocations", n)
	}
}

func FuzzCheckText(f *testing.F) {
	for _, c := range characters(f) {
		f.Add([]byte("a" + string(c.char) + "☺" + string(c.char) + "\ufe0f"))
	}
	f.Add([]byte("\xff\xfea\x00\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, text []byte) {
		last := -1
		issues := CheckText(text)
		for _, i := range issues {
			if i.Offset <= last || i.Offset >= len(text) || i.Rule == "" || i.Message == "" {
				t.Fatalf("%+v after offset %d of %d", i, last, len(text))
			}
			last = i.Offset
		}
		visible := Visible(string(text))
		if (visible == string(text)) != (len(issues) == 0) {
			t.Errorf("%d issues, and Visible(%q) = %q", len(issues), text, visible)
		}
		if again := CheckText([]byte(visible)); len(again) != 0 {
			t.Errorf("Visible(%q) has issues: %+v", text, again)
		}
		if !utf8.ValidString(visible) {
			t.Errorf("Visible(%q) is not UTF-8", text)
		}
		raw := func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) ||
				unicode.Is(unicode.Join_Control, r) || r == 0xFEFF || 0xE0000 <= r && r <= 0xE0FFF
		}
		if slices.ContainsFunc([]rune(visible), raw) {
			t.Errorf("Visible(%q) = %q", text, visible)
		}
	})
}

func BenchmarkCheckText(b *testing.B) {
	persian, err := os.ReadFile("testdata/invisible/legitimate-persian.txt")
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"ASCII":   strings.Repeat("You are a careful editor of news.\n", 61)[:2048],
		"Chinese": strings.Repeat("你是一位细心的编辑。", 69)[:2040],
		"Persian": strings.Repeat(string(persian), 8),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				CheckText([]byte(text))
			}
		})
	}
}
