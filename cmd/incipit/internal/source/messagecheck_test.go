package source

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestMessagesThatSayWhatChangedAreTaken(t *testing.T) {
	for name, message := range map[string]string{
		"a correction":            "fix: correct tone in escalation messages (1.3.1 -> 1.3.2)",
		"with its prompt":         "fix(billing/refunds): shorter",
		"something new":           "feat: answer in French (1.3.2 -> 1.4.0)",
		"a break":                 "BREAKING: answer in JSON (1.4.0 -> 2.0.0)",
		"a break by its mark":     "feat(support)!: answer in JSON (1.4.0 -> 2.0.0)",
		"a smaller step":          "feat: a word (1.3.2 -> 1.3.3)",
		"the lesson's own helper": "prompt(support): 1.3.1 -> 1.3.2: correct tone",
		"below git's comments":    "\n# Please enter the message\nfix: tone\n",
		"of a merge":              "Merge branch 'main' into tone",
		"of a revert":             "Revert \"fix: tone\"",
		"to be squashed":          "fixup! fix: tone",
		"of init":                 "chore: prompts as code\n\nTwo prompts.\n",
		"of a deploy":             "deploy(dev): support 1.0.0 -> 1.1.0 (canary 5 %)\n\nPrompt: support\n",
		"of the mirror":           "registry: what runs, after 3 changes\n",
		"a pair in another kind":  "docs: how to move (a -> b)",
	} {
		if err := CheckMessage(message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessagesThatSayNothingAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ message, says string }{
		"nothing":               {"", "begins with"},
		"comments alone":        {"# a\n# b\n", "begins with"},
		"below the scissors":    {"# ------------------------ >8 ------------------------\nfix: tone\n", "begins with"},
		"no kind":               {"wording", "begins with"},
		"a kind alone":          {"fix:", "begins with"},
		"no space":              {"fix:tone", "begins with"},
		"an unknown kind":       {"wip: tone", "no kind of change"},
		"an empty scope":        {"fix(): tone", "begins with"},
		"versions that are not": {"fix: tone (1.3 -> now)", "not two versions"},
		"versions that go back": {"fix: tone (1.3.2 -> 1.3.1)", "not higher"},
		"too small a word":      {"fix: tone (1.3.2 -> 1.4.0)", "is a minor change, and the message says patch"},
		"a hidden break":        {"feat: JSON (1.4.0 -> 2.0.0)", "is a major change"},
		"what nobody sees":      {"fix: to\u200bne", "nobody sees"},
		"a book":                {"fix: tone\n" + strings.Repeat("x", maxMessage), "larger than"},
	} {
		err := CheckMessage(c.message)
		if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", name, err, c.says)
		}
		if fix, ok := errors.AsType[*registry.FixError](err); name != "a book" && (!ok || fix.Fix == "") {
			t.Errorf("%s: and nothing to try", name)
		}
	}
}

// What a release writes itself passes, whatever was said of it.
func TestTheMessageOfAReleaseIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := prompt.Version{Major: rapid.Uint32Range(1, 3).Draw(t, "major"), Minor: rapid.Uint32Range(0, 3).Draw(t, "minor"), Patch: rapid.Uint32Range(0, 3).Draw(t, "patch")}
		bump := rapid.SampledFrom([]prompt.Bump{prompt.Patch, prompt.Minor, prompt.Major}).Draw(t, "bump")
		p := &ReleasePlan{Prompt: "billing/refunds", From: from.String(), To: from.Next(bump), Bump: bump, Digest: "sha256:x"}
		p.tested = Tested{Status: "passed", SuiteHash: "sha256:s", Evidence: "sha256:e"}
		notes := rapid.SampledFrom([]string{"tone", "fix: tone", "BREAKING: tone (1.0.0 -> 9.0.0)", "a: b (c)", "x\n\nmore"}).Draw(t, "notes")
		message := releaseMessage(p, notes, prompt.Metadata{TestStatus: "not-run"})
		if err := CheckMessage(message); err != nil {
			t.Fatalf("%s: %v", message, err)
		}
		trailers := parseTrailers(message)
		for key, want := range map[string]string{trailerTests: "passed", trailerSuite: "sha256:s", trailerReport: "sha256:e", trailerVersion: p.To.String()} {
			if trailers[key] != want {
				t.Fatalf("%s is %q, want %q, in:\n%s", key, trailers[key], want, message)
			}
		}
	})
}

func FuzzCheckMessage(f *testing.F) {
	f.Add("fix(a): b (1.0.0 -> 1.0.1)\n# x\n")
	f.Add("BREAKING CHANGE: x (0.1.0 -> 1.0.0-rc.1)")
	f.Fuzz(func(t *testing.T, message string) {
		if err := CheckMessage(message); err != nil && (!errors.Is(err, prompt.ErrInvalid) || fmt.Sprint(err) == "") {
			t.Fatalf("%q: %v", message, err)
		}
	})
}
