package prompt

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// included parses a prompt whose user message is text and returns what the
// message became, and its first finding.
func included(text string, include Includer) (string, Draft, string) {
	files := goodFiles()
	files.User = []byte("{{question}}" + text)
	d, fs := Parse("support", files, include)
	content := d.Prompt.Messages[len(d.Prompt.Messages)-1].Content
	if len(fs) > 0 {
		return content, d, fs[0].Code + ": " + fs[0].Message
	}
	return content, d, ""
}

func TestIncludesAreExpanded(t *testing.T) {
	include := texts(map[string]string{
		"tone":         "Be kind.\n",
		"lines":        "a\nb\n\n",
		"bare":         "no newline",
		"billing/tone": "Be exact. {{> tone}} Thank them.\n",
		"outer":        "[{{> billing/tone}}]\n",
		"variable":     "Is it {{question}}?",
		"escaped":      `write \{{name}}`,
		"empty":        "",
	})
	tests := []struct{ name, text, want string }{
		{"an include is its text less one final newline", " {{> tone}}!", " Be kind.!"},
		{"only one", " {{> lines}}!", " a\nb\n!"},
		{"a text without a newline stays", "{{> bare}}", "no newline"},
		{"includes in includes are expanded too", " {{> outer}}", " [Be exact. Be kind. Thank them.]"},
		{"one may stand twice", " {{> tone}} {{> tone}}", " Be kind. Be kind."},
		{"side by side", "{{> tone}}{{> bare}}", "Be kind.no newline"},
		{"variables stay variables", " {{> variable}}", " Is it {{question}}?"},
		{"escapes stay escapes", " {{> escaped}}", ` write \{{name}}`},
		{"an empty text leaves nothing", "[{{> empty}}]", "[]"},
		{"an escaped include is text", ` \{{> tone}}`, ` \{{> tone}}`},
		{"the rest of the text stays", "\n a {{> tone}} b \n", "\n a Be kind. b \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, d, finding := included(tt.text, include)
			if want := "{{question}}" + tt.want; got != want || finding != "" {
				t.Errorf("got %q, %s, want %q", got, finding, want)
			}
			if _, err := Compile(d.Prompt); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIncludesAreRefused(t *testing.T) {
	chain := map[string]string{"deep8": "end", "hidden": "a\u202eb", "latin": "caf\xe9", "open": "a {{b", "slash": `a\`, "brace": "a {", "key": newForge(1).openAI(), "more": "{{more}}"}
	for i := range 8 {
		chain[fmt.Sprint("deep", i)] = fmt.Sprintf("{{> deep%d}}", i+1)
	}
	maps.Copy(chain, map[string]string{"self": "x {{> self}}", "a": "{{> b}}", "b": "{{> c}}", "c": "{{> a}}"})
	tests := []struct{ name, text, want string }{
		{"one that does not exist", "{{> gone}}", "include: there is no include gone"},
		{"one that includes itself", "{{> self}}", "include: include self leads back to itself: self → self"},
		{"a circle of three", "{{> a}}", "include: include a leads back to itself: a → b → c → a"},
		{"nine levels", "{{> deep0}}", "include: includes nest deeper than 8 levels: deep0 → deep1 → deep2 → deep3 → deep4 → deep5 → deep6 → deep7"},
		{"a hidden character", "{{> hidden}}", "bidi: in include hidden: U+202E"},
		{"a secret", "{{> key}}", "secret: in include key: openai-api-key"},
		{"bytes that are not UTF-8", "{{> latin}}", "include: the text of include latin is not valid UTF-8"},
		{"a mistake in its template", "{{> open}}", "template: in include open: {{ is never closed"},
		{"a variable that is not declared", "{{> more}}", "variable-undeclared: {{more}} is not declared"},
		{"a text that escapes what follows", "{{> slash}}{{question}}", "include: an included text and what stands beside it"},
		{"a text that makes a variable with what follows", "{{> brace}}{question}}", "include: an included text and what stands beside it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, finding := included(tt.text, texts(chain)); !strings.HasPrefix(finding, tt.want) {
				t.Errorf("got %q, want %q", finding, tt.want)
			}
		})
	}
	if got, _, finding := included(" {{> deep1}}", texts(chain)); finding != "" || got != "{{question}} end" {
		t.Errorf("eight levels: %q, %s", got, finding)
	}
}

func TestRangedIncludesArePinned(t *testing.T) {
	asked := make(map[string]bool)
	include := func(name, constraint string) (string, Version, error) {
		asked[name+"@"+constraint] = true
		switch name + "@" + constraint {
		case "tone@^1":
			return "Kind {{> base@~2.1}}.\n", Version{1, 4, 0, ""}, nil
		case "base@~2.1":
			return "and short\n", Version{2, 1, 7, ""}, nil
		case "plain@":
			return "plain", Version{}, nil
		}
		return "", Version{}, fmt.Errorf("unexpected %s@%s", name, constraint)
	}
	got, d, finding := included(" {{> tone@^1}} {{> plain}}", include)
	if finding != "" || got != "{{question}} Kind and short. plain" {
		t.Errorf("got %q, %s", got, finding)
	}
	want := map[string]Version{"tone@^1": {1, 4, 0, ""}, "base@~2.1": {2, 1, 7, ""}}
	if !maps.Equal(d.Pins, want) {
		t.Errorf("pins %v, want %v", d.Pins, want)
	}
}

// A handful of small texts must fill neither the memory nor the day.
func TestIncludeBombsAreBounded(t *testing.T) {
	level := func(leaf string, fan int) map[string]string {
		ts := map[string]string{"l0": leaf}
		for i := 1; i <= 7; i++ {
			ts[fmt.Sprint("l", i)] = strings.Repeat(fmt.Sprintf("{{> l%d}}", i-1), fan)
		}
		return ts
	}
	for name, ts := range map[string]map[string]string{
		"doubling":        level(strings.Repeat("x", 16<<10), 2),
		"wide":            level("x", 1000),
		"wide and empty":  level("", 20_000),
		"wide and spaces": level("\n", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			start := time.Now()
			got, _, finding := included(" {{> l7}}", func(name, constraint string) (string, Version, error) {
				calls++
				return texts(ts)(name, constraint)
			})
			t.Logf("%d texts read in %v", calls, time.Since(start))
			if !strings.Contains(finding, "larger than 1048576 bytes once its includes are expanded") || len(got) > maxExpandedBytes || calls > maxExpandedBytes/len("{{> l0}}") {
				t.Errorf("%d calls, %d bytes, %q", calls, len(got), finding)
			}
		})
	}
	// What is allowed is nearly as much as the message says.
	if got, _, finding := included(" {{> a}}{{> a}}{{> a}}", texts(map[string]string{"a": strings.Repeat("long text\n", 30_000)})); len(got) < 890_000 || finding != "" {
		t.Errorf("900 KB: %d bytes, %s", len(got), finding)
	}
}

func TestSharedTextsCannotPinARange(t *testing.T) {
	include := func(string, string) (string, Version, error) { return "calm", Version{Major: 1}, nil }
	_, findings := ParseShared("_shared/tone", "prompts/_shared/tone.txt", []byte("Be {{> mood@^1}}.\n"), include)
	if len(findings) != 1 || findings[0].Code != "include" {
		t.Errorf("got %v", findings)
	}
}

func TestSharedTextsLeaveExceptionsToTheirPrompts(t *testing.T) {
	_, findings := ParseShared("_shared/arabic", "prompts/_shared/arabic.txt", []byte("\u200fمرحبا\u200f\n"), nil)
	if len(findings) != 0 {
		t.Errorf("got %v", findings)
	}
}
