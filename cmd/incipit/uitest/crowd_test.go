package uitest

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A made is a release as incipit release makes it.
type made struct {
	id, version, text, message string
}

// crowd releases many prompts, some of them twice, in a repository that is not
// served yet, by git fast-import: a commit and a tag each. They are in 20 folders.
func (s *site) crowd(prompts int) {
	s.t.Helper()
	topics := []string{"refunds", "invoices", "deliveries", "passwords", "outages"}
	var in bytes.Buffer
	from := s.git("rev-parse", "main")
	mark := 0
	for n := range prompts {
		for minor := range 1 + n%3 {
			id := fmt.Sprintf("team-%02d/prompt-%04d", n%20, n)
			m := made{
				id, fmt.Sprintf("1.%d.0", minor),
				fmt.Sprintf("You are assistant %d, wording %d, and you know about %s.\n\n", n, minor, topics[(n+minor)%5]) + strings.Repeat("Answer the question that was asked, name the source, and stop after two sentences.\n", 20),
				fmt.Sprintf("wording %d about %s", minor, topics[n%5]),
			}
			mark++
			m.write(s.t, &in, mark, from)
			from = ""
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet", "--force")
	cmd.Stdin = &in
	s.output(cmd)
	s.git("pack-refs", "--all")
	s.git("reset", "-q", "--hard", "main")
}

// write writes the release for git fast-import, on top of from, or of the commit
// before it.
func (m made) write(t testing.TB, in *bytes.Buffer, mark int, from string) {
	t.Helper()
	const who = "Ada <ada@example.com> 1767225600 +0000"
	meta := fmt.Sprintf("{\n  \"name\": %q,\n  \"version\": %q,\n  \"description\": \"One of many.\",\n  \"model\": \"echo\",\n  \"author\": \"ada\",\n  \"maintainer\": \"team-%d@example.com\"\n}\n", m.id, m.version, mark%7)
	d, _ := prompt.Parse(prompt.ID(m.id), prompt.Files{Dir: "prompts/" + m.id, System: []byte(m.text), Metadata: []byte(meta)}, nil)
	digest, err := d.Prompt.Digest()
	if err != nil {
		t.Fatal(err)
	}
	message := fmt.Sprintf("feat(%s): %s (%s)\n\nPrompt: %s\nVersion: %s\nDigest: %s\nTests: not-run\n", m.id, m.message, m.version, m.id, m.version, digest)
	fmt.Fprintf(in, "commit refs/heads/main\nmark :%d\ncommitter %s\ndata %d\n%s\n", mark, who, len(message), message)
	if from != "" {
		fmt.Fprintf(in, "from %s\n", from)
	}
	for name, text := range map[string]string{prompt.SystemFile: m.text, prompt.MetadataFile: meta} {
		fmt.Fprintf(in, "M 100644 inline %s\ndata %d\n%s\n", filepath.ToSlash(filepath.Join("prompts", m.id, name)), len(text), text)
	}
	fmt.Fprintf(in, "tag %s@%s\nfrom :%d\ntagger %s\ndata %d\n%s\n", m.id, m.version, mark, who, len(message), message)
}
