package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An Origin is the commit that a version was read from.
type Origin struct {
	Commit, Author, Subject string
	At                      time.Time
}

// Follow appends what a prompt was in a commit to what it was before. If the
// file has versions of its own, the last of them is what the commit brought.
func Follow(all []Prompt, p Prompt, o Origin) []Prompt {
	v := p.Versions[len(p.Versions)-1]
	v.Label = fmt.Sprintf("commit %.12s", o.Commit)
	v.Author, v.Subject, v.At = o.Author, o.Subject, o.At
	i := slices.IndexFunc(all, func(q Prompt) bool { return q.ID == p.ID })
	if i < 0 {
		return append(all, Prompt{p.ID, []Version{v}})
	}
	all[i].Versions = append(all[i].Versions, v)
	return all
}

// Message is what the release of the version says: what changed, and where it
// comes from.
func (v Version) Message() string {
	subject := prompt.Clip(strings.Join(strings.Fields(v.Subject), " "), 200)
	if subject == "" {
		subject = "import " + prompt.Clip(v.File, 100)
		if v.Label != "" {
			subject = "import " + v.Label + " of " + prompt.Clip(v.File, 100)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nImported from %s", subject, v)
	if v.Author != "" {
		fmt.Fprintf(&b, "\nby %s", prompt.Clip(strings.Join(strings.Fields(v.Author), " "), 200))
	}
	if !v.At.IsZero() {
		fmt.Fprintf(&b, "\nmade at %s", v.At.UTC().Format(time.RFC3339))
	}
	return b.String()
}
