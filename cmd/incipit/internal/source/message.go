package source

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The trailers of a release's commit and tag.
const (
	trailerPrompt  = "Prompt"
	trailerVersion = "Version"
	trailerDigest  = "Digest"
	trailerTests   = "Tests"
	trailerSuite   = "Suite-Hash" // where there is evidence of the tests
	trailerReport  = "Evidence"
	trailerBump    = "Bump" // instead of the version, in a commit that publish will tag
)

// withoutForm is a subject without what releaseMessage puts around it: the
// kind and scope in front, the versions behind.
func withoutForm(subject string) string {
	if head, rest, ok := strings.Cut(subject, ": "); ok {
		kind, _, _ := strings.Cut(strings.TrimSuffix(head, "!"), "(")
		switch kind {
		case "fix", "feat", "chore", "docs", "BREAKING", "BREAKING CHANGE":
			subject = rest
		}
	}
	if i := strings.LastIndex(subject, " ("); i >= 0 && strings.HasSuffix(subject, ")") {
		inner := subject[i+2 : len(subject)-1]
		if _, to, ok := strings.Cut(inner, " -> "); ok {
			inner = to
		}
		if _, err := prompt.ParseVersion(inner); err == nil {
			subject = subject[:i]
		}
	}
	return strings.TrimSpace(subject)
}

// releaseMessage is the message of a release's commit and of its tag, in the
// form of Conventional Commits: "fix(id): what changed (1.3.1 -> 1.3.2)".
func releaseMessage(p *ReleasePlan, notes string, meta prompt.Metadata) string {
	subject, body, _ := strings.Cut(strings.TrimSpace(notes), "\n")
	subject = withoutForm(subject)
	kind := map[prompt.Bump]string{prompt.Major: "feat", prompt.Minor: "feat", prompt.Patch: "fix"}[p.Bump]
	bang, move := "", p.To.String()
	if p.From != "" {
		move = p.From + " -> " + move
		if p.Bump == prompt.Major {
			bang = "!"
		}
	} else {
		kind = "feat"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s)%s: %s (%s)\n", kind, p.Prompt, bang, subject, move)
	if body = strings.TrimSpace(body); body != "" {
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	if bang != "" {
		fmt.Fprintf(&b, "\nBREAKING CHANGE: %s\n", breaking(p, subject))
	}
	version := trailerVersion
	if p.noTag {
		version = trailerBump
	}
	fmt.Fprintf(&b, "\n%s: %s\n%s: %s\n%s: %s\n", trailerPrompt, p.Prompt, version, p.To, trailerDigest, p.Digest)
	tests := cmp.Or(p.tested.Status, meta.TestStatus, notRun)
	fmt.Fprintf(&b, "%s: %s\n", trailerTests, oneLine(tests))
	if p.tested.Evidence != "" {
		fmt.Fprintf(&b, "%s: %s\n%s: %s\n", trailerSuite, oneLine(p.tested.SuiteHash), trailerReport, oneLine(p.tested.Evidence))
	}
	if s := performance(meta.PerformanceMetrics); s != "" {
		fmt.Fprintf(&b, "Performance: %s\n", s)
	}
	return b.String()
}

// breaking says what callers must adapt to: the interface's own changes, or
// what the author wrote if they are not to be seen in it.
func breaking(p *ReleasePlan, subject string) string {
	var out []string
	for _, c := range p.Changes {
		if c.Bump == prompt.Major {
			out = append(out, c.Detail)
		}
	}
	if out == nil {
		return subject
	}
	return strings.Join(out, "; ")
}

func performance(m *prompt.PerformanceMetrics) string {
	if m == nil {
		return ""
	}
	var out []string
	add := func(name string, v *float64) {
		if v != nil {
			out = append(out, name+" "+strconv.FormatFloat(*v, 'g', -1, 64))
		}
	}
	add("accuracy", m.Accuracy)
	add("satisfaction", m.UserSatisfaction)
	add("response_ms", m.AverageResponseTimeMS)
	return strings.Join(out, ", ")
}

// parseTrailers reads the last paragraph of a message.
func parseTrailers(message string) map[string]string {
	message = strings.TrimSpace(message)
	last := message[strings.LastIndex(message, "\n\n")+1:]
	out := make(map[string]string)
	for line := range strings.SplitSeq(last, "\n") {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.Contains(key, " ") {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
