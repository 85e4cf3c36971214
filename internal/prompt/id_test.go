package prompt

import (
	"errors"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseIDAccepts(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, s := range []string{
		"a", "0", "customer-support", "billing/refunds", "a/b/c/d", "v1.2_final-3", "a.b", "a-", "a_", "a--b", "lock", "a.locks", "alock/x",
		long, long + "/" + long + "/" + long + "/" + long, "_shared/tone", "_shared/billing/tone", "_shared/a/b/c/d",
	} {
		id, err := ParseID(s)
		if err != nil || string(id) != s {
			t.Errorf("ParseID(%q) = %q, %v", s, id, err)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	tests := []struct{ name, id, want string }{
		{"nothing", "", "empty"},
		{"a slash alone", "/", "empty"},
		{"an absolute path", "/etc/passwd", "empty"},
		{"a slash at the end", "a/", "empty"},
		{"two slashes", "a//b", "empty"},
		{"five segments", "a/b/c/d/e", "5 segments"},
		{"65 characters", strings.Repeat("a", 65), "longer than 64"},
		{"300 characters", strings.Repeat("a", 300), "longer than 64"},
		{"a parent directory", "..", "start with"},
		{"a way up", "../x", "start with"},
		{"a way up in the middle", "a/../../b", "start with"},
		{"this directory", "./a", "start with"},
		{"two dots inside", "a..b", "two dots"},
		{"a dot at the end", "a.", "two dots"},
		{"a dot at the end of a segment", "a./b", "two dots"},
		{"a hidden file", ".git", "start with"},
		{"a lock of Git", "a.lock", ".lock"},
		{"a lock in the middle", "a.lock/b", ".lock"},
		{"an option", "--upload-pack=x", "start with"},
		{"a short option", "-c", "start with"},
		{"an option in a segment", "a/-c", "start with"},
		{"a capital", "Support", "start with"},
		{"a capital inside", "aB", "only a-z"},
		{"a space", "a b", "only a-z"},
		{"a space at the end", "a ", "only a-z"},
		{"a new line", "a\n", "only a-z"},
		{"a NUL", "a\x00b", "only a-z"},
		{"a backslash", `a\b`, "only a-z"},
		{"a drive", "c:/x", "only a-z"},
		{"a version", "a@1.0.0", "only a-z"},
		{"a revision", "a~1", "only a-z"},
		{"a caret", "a^{}", "only a-z"},
		{"a range", "a:b", "only a-z"},
		{"a glob", "a*", "only a-z"},
		{"an escaped slash", "a%2fb", "only a-z"},
		{"an accent", "caf\u00e9", "only a-z"},
		{"a Cyrillic letter", "\u0430dmin", "start with"},
		{"a Cyrillic letter inside", "p\u0430y", "only a-z"},
		{"a full-width letter", "a\uff42", "only a-z"},
		{"a slash of another kind", "a\u2215b", "only a-z"},
		{"a zero-width space", "a\u200bb", "only a-z"},
		{"a byte that is not UTF-8", "a\xff", "only a-z"},
		{"the shared prefix alone", "_shared/", "empty"},
		{"the shared directory", "_shared", "start with"},
		{"shared twice", "_shared/_shared/a", "start with"},
		{"shared and a way up", "_shared/../a", "start with"},
		{"shared in the middle", "a/_shared/b", "start with"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := ParseID(tt.id)
			if id != "" || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseID(%q) = %q, %v, want an error with %q", tt.id, id, err, tt.want)
			}
			if err != nil && (len(err.Error()) > 300 || Visible(err.Error()) != err.Error()) {
				t.Errorf("the message is not fit to print: %q", err)
			}
		})
	}
}

func TestSharedAndTag(t *testing.T) {
	if name, ok := ID("_shared/billing/tone").Shared(); name != "billing/tone" || !ok {
		t.Errorf("got %q, %t", name, ok)
	}
	if _, ok := ID("billing/tone").Shared(); ok {
		t.Error("billing/tone is no included text")
	}
	if tag := ID("billing/refunds").Tag(Version{1, 4, 0, "rc.1"}); tag != "billing/refunds@1.4.0-rc.1" {
		t.Errorf("got %s", tag)
	}
}

func TestClipCountsCharactersAndShowsWhatIsHidden(t *testing.T) {
	tests := []struct {
		text string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "longe…"},
		{"日本語です", 3, "日本語…"},
		{"", 0, ""},
		{"a", 0, "…"},
		{"a\x1b[2Jb", 10, "a⟨U+001B⟩[2Jb"},
		{"\xff\xff\xff", 2, "⟨0xff⟩⟨0xff⟩…"},
	}
	for _, tt := range tests {
		if got := Clip(tt.text, tt.n); got != tt.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
	huge := strings.Repeat("x", 1<<20)
	if n := testing.AllocsPerRun(10, func() { Clip(huge, 40) }); n > 2 {
		t.Errorf("clipping a megabyte costs %v allocations", n)
	}
}

// What ParseID accepts is one name and no other, as a path, as a Git ref
// (git-check-ref-format) and as an argument.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"customer-support", "billing/refunds", "_shared/tone", "a/b/c/d", "..", "a.lock", "--upload-pack=x", "a\x00b", "é", "a//b", strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			if id != "" || !errors.Is(err, ErrInvalid) || !utf8.ValidString(err.Error()) {
				t.Fatalf("ParseID(%q) = %q, %v", s, id, err)
			}
			return
		}
		if string(id) != s || len(s) > len(SharedPrefix)+4*65 {
			t.Fatalf("ParseID(%q) = %q", s, id)
		}
		if path.Clean(s) != s || path.IsAbs(s) || strings.HasPrefix(s, "-") || strings.Contains(s, "..") {
			t.Fatalf("%q is not safe as a path", s)
		}
		for segment := range strings.SplitSeq(s, "/") {
			if segment[0] == '.' || segment[0] == '-' || strings.HasSuffix(segment, ".lock") || strings.HasSuffix(segment, ".") {
				t.Fatalf("%q is not safe as a ref", s)
			}
		}
		if strings.ContainsFunc(s, func(r rune) bool {
			return r <= ' ' || r > '~' || strings.ContainsRune(`~^:?*[\@{}"'$&;|<>()%#!=+,`, r) || 'A' <= r && r <= 'Z'
		}) {
			t.Fatalf("%q holds a character with a meaning", s)
		}
	})
}
