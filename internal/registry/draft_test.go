package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestMergeOfLines(t *testing.T) {
	for _, tt := range []struct {
		name, base, mine, theirs, want string
		ok                             bool
	}{
		{"mine alone changed", "a\nb\n", "a\nB\n", "a\nb\n", "a\nB\n", true},
		{"theirs alone changed", "a\nb\n", "a\nb\n", "A\nb\n", "A\nb\n", true},
		{"lines apart are taken from both", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", true},
		{"the same change of both is made once", "a\nb\nc\nd\n", "a\nX\nc\nD\n", "a\nX\nc\nd\n", "a\nX\nc\nD\n", true},
		{"a line changed in two ways is a person's to decide", "a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n", "", false},
		{"lines that touch are a person's to decide", "a\nb\n", "A\nb\n", "a\nB\n", "", false},
		{"two insertions at one place are a person's to decide", "a\nb\n", "a\nX\nb\n", "a\nY\nb\n", "", false},
		{"a deleted line that the other changed is a person's to decide", "a\nb\nc\n", "a\nc\n", "a\nB\nc\n", "", false},
		{"a deletion and a change apart", "a\nb\nc\nd\n", "b\nc\nd\n", "a\nb\nc\nD\n", "b\nc\nD\n", true},
		{"no newline at the end", "a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Merge(tt.base, tt.mine, tt.theirs); got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v", got, ok)
			}
			if got, ok := Merge(tt.base, tt.theirs, tt.mine); got != tt.want || ok != tt.ok {
				t.Errorf("the other way round: %q, %v", got, ok)
			}
		})
	}
}

func TestMergeLosesNothing(t *testing.T) {
	merged := 0
	always(t, func(d dice) string {
		base := someLines(d, d.IntN(13))
		mine, theirs := side(d, base), side(d, base)
		if got, ok := Merge(base, mine, base); got != mine || !ok {
			return fmt.Sprintf("mine alone, %q over %q: %q, %v", mine, base, got, ok)
		}
		if got, ok := Merge(base, base, theirs); got != theirs || !ok {
			return fmt.Sprintf("theirs alone, %q over %q: %q, %v", theirs, base, got, ok)
		}
		one, ok1 := Merge(base, mine, theirs)
		other, ok2 := Merge(base, theirs, mine)
		if one != other || ok1 != ok2 {
			return fmt.Sprintf("it depends on who is asked first, %q or %q over %q: %q, %v and %q, %v", mine, theirs, base, one, ok1, other, ok2)
		}
		if !ok1 || mine == theirs || mine == base || theirs == base || shared(base, mine, theirs) {
			return ""
		}
		merged++
		// Each line is there as often as the base has it and the sides made it.
		for _, line := range []string{"a\n", "b\n", "c\n", "d\n"} {
			n := func(s string) int { return strings.Count(s, line) }
			if n(one) != n(mine)+n(theirs)-n(base) {
				return fmt.Sprintf("%q of %q, %q and %q has %q %d times", one, base, mine, theirs, line, n(one))
			}
		}
		return ""
	})
	if merged < 20 && !t.Failed() {
		t.Errorf("only %d changes of both sides were put together", merged)
	}
}

func someLines(d dice, n int) string {
	return strings.Join(times(n, func() string { return pick(d, "a\n", "b\n", "c\n", "d\n", "\n") }), "")
}

// side is what one of two made of the base: now and then another text, mostly other
// lines at one place, since texts that have nothing in common are seldom put together.
func side(d dice, base string) string {
	if d.IntN(4) == 0 {
		return someLines(d, d.few(12))
	}
	lines := strings.SplitAfter(base, "\n")
	at := d.IntN(len(lines))
	to := at + d.few(min(3, len(lines)-1-at))
	return strings.Join(lines[:at], "") + someLines(d, d.few(3)) + strings.Join(lines[to:], "")
}

// shared reports whether both sides made an edit that is the same, which counts
// once.
func shared(base, mine, theirs string) bool {
	b := strings.SplitAfter(base, "\n")
	left, _ := edits(b, strings.SplitAfter(mine, "\n"))
	right, _ := edits(b, strings.SplitAfter(theirs, "\n"))
	for _, l := range left {
		for _, r := range right {
			if l.from == r.from && l.to == r.to {
				return true
			}
		}
	}
	return false
}

func TestTextsTooLongToCompareAreLeftToAPerson(t *testing.T) {
	base := strings.Repeat("a\n", 3000)
	if got, ok := Merge(base, "x\n"+strings.Repeat("b\n", 3000), "y\n"+strings.Repeat("c\n", 3000)); ok || got != "" {
		t.Errorf("%d bytes, %v", len(got), ok)
	}
}

func TestMergeOfFiles(t *testing.T) {
	base := Texts{prompt.SystemFile: "s\n", prompt.UserFile: "u\n", prompt.MetadataFile: "{\n1\n2\n3\n}\n"}
	mine := Texts{prompt.SystemFile: "s\n", prompt.UserFile: "U\n", prompt.MetadataFile: "{\nI\n2\n3\n}\n"}
	theirs := Texts{prompt.SystemFile: "s\n", prompt.MetadataFile: "{\n1\n2\nIII\n}\n"}
	files, clean := MergeTexts(base, mine, theirs)
	if clean || len(files) != 2 || files[0].Name != prompt.UserFile || files[0].Clean || files[0].Theirs != nil || *files[0].Mine != "U\n" {
		t.Errorf("a file that they removed and I changed: %+v, %v", files, clean)
	}
	if !files[1].Clean || *files[1].Merged != "{\nI\n2\nIII\n}\n" {
		t.Errorf("got %+v", files[1])
	}
	delete(mine, prompt.UserFile)
	if files, clean = MergeTexts(base, mine, theirs); !clean || files[0].Merged != nil {
		t.Errorf("both removed it: %+v, %v", files, clean)
	}
	if files, clean = MergeTexts(base, base, base); len(files) > 0 || !clean {
		t.Errorf("nothing changed: %+v, %v", files, clean)
	}
}

func TestTextsThatCannotBeKeptAreRefused(t *testing.T) {
	for name, texts := range map[string]Texts{
		"no file of a prompt":    {"../evil": "x"},
		"the name of a case":     {"System-Prompt.txt": "x"},
		"a text that is long":    {prompt.SystemFile: strings.Repeat("x", prompt.MaxTextBytes+1)},
		"metadata that are long": {prompt.MetadataFile: strings.Repeat("x", prompt.MaxMetadataBytes+1)},
		"no UTF-8":               {prompt.UserFile: "\xff"},
		"a zero byte":            {prompt.UserFile: "a\x00"},
	} {
		if err := texts.Validate(); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Texts{prompt.SystemFile: "", prompt.MetadataFile: "{"}).Validate(); err != nil {
		t.Errorf("what is not finished: %v", err)
	}
	f := Texts{prompt.SystemFile: "s", prompt.UserFile: ""}.Files("prompts/a")
	if string(f.System) != "s" || f.User == nil || f.Examples != nil || f.Metadata != nil || f.Dir != "prompts/a" {
		t.Errorf("got %+v", f)
	}
}
