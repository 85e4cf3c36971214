package source

import (
	"regexp"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// scissors is the line below which git keeps nothing of a message.
const scissors = "# ------------------------ >8 ------------------------"

// maxMessage is how large a message may be, in bytes.
const maxMessage = 64 << 10

// kindsOfCommits are what a message of a commit that touches prompts may begin
// with: Conventional Commits', and those that incipit itself writes.
func kindsOfCommits() []string {
	return []string{
		"fix", "feat", "BREAKING", "BREAKING CHANGE", "chore", "docs", "refactor", "perf", "style", "test", "build", "ci", "revert",
		"prompt", "registry", "deploy", "shift", "promote", "rollback", "retire", "experiment", "metrics",
	}
}

// CheckMessage holds the message of a commit that touches prompts against the
// form "fix(id): what changed (1.3.1 -> 1.3.2)". The versions may be left out;
// where they stand they must go up as the kind says: fix a patch, feat a minor
// version, BREAKING or an exclamation mark a major one. What git writes itself
// for merges and the like is left alone. It reports ErrInvalid.
func CheckMessage(message string) error {
	message, _, _ = strings.Cut(message, scissors) // below stands the diff, with git commit -v
	if len(message) > maxMessage {
		return registry.Errorf(prompt.ErrInvalid, "the message is larger than %d bytes", maxMessage)
	}
	subject := subjectOf(message)
	for _, own := range []string{"Merge ", "Revert ", "Reapply ", "fixup! ", "squash! ", "amend! "} {
		if strings.HasPrefix(subject, own) {
			return nil
		}
	}
	bad := func(format string, args ...any) error {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, format, args...), "write it as: fix(customer-support): what changed, and why; or have incipit release or incipit bump write it")
	}
	m := regexp.MustCompile(`^([A-Za-z]+(?: CHANGE)?)(?:\(([^()]+)\))?(!?): (\S.*)$`).FindStringSubmatch(subject)
	if m == nil {
		return bad("the message begins with %q, not with a kind, a colon and what changed", prompt.Clip(subject, 60))
	}
	kind, what := m[1], m[4]
	if !slices.Contains(kindsOfCommits(), kind) {
		return bad("%q is no kind of change", prompt.Clip(kind, 40))
	}
	if issues := prompt.CheckText([]byte(message)); len(issues) > 0 {
		return bad("the message holds a character that nobody sees: %s", issues[0].Message)
	}
	return checkMove(kind, m[3] == "!", what, bad)
}

// subjectOf is the first line that git would keep.
func subjectOf(message string) string {
	for line := range strings.SplitSeq(message, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

// checkMove holds "(1.3.1 -> 1.3.2)" at the end of a subject against the kind
// of the change.
func checkMove(kind string, breaks bool, what string, bad func(string, ...any) error) error {
	m := regexp.MustCompile(`\(([^() ]+) -> ([^() ]+)\)$`).FindStringSubmatch(what)
	if m == nil || !slices.Contains([]string{"fix", "feat", "BREAKING", "BREAKING CHANGE"}, kind) {
		return nil
	}
	from, err := prompt.ParseVersion(m[1])
	to, err2 := prompt.ParseVersion(m[2])
	if err != nil || err2 != nil {
		return bad("%q are not two versions", prompt.Clip(m[0], 60))
	}
	if to.Compare(from) <= 0 {
		return bad("%s is not higher than %s", to, from)
	}
	said := map[string]prompt.Bump{"fix": prompt.Patch, "feat": prompt.Minor}[kind]
	if breaks || said == prompt.NoBump {
		said = prompt.Major
	}
	if is := from.BumpTo(to); is > said {
		return bad("%s -> %s is a %s change, and the message says %s", from, to, is, said)
	}
	return nil
}
