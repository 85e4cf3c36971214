package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Level says how grave a symptom is.
type Level string

// The levels.
const (
	Good Level = "ok"
	Note Level = "note" // works, with a limit to know of
	Bad  Level = "fail"
)

// A Symptom is one thing that Diagnose looked at.
type Symptom struct {
	Name    string `json:"name"`
	Level   Level  `json:"level"`
	Finding string `json:"finding"`
	Fix     string `json:"fix,omitempty"`
}

// Diagnose looks at everything that a workspace depends on. It changes nothing
// and goes as far as what it finds lets it.
func Diagnose(ctx context.Context, dir string, opts Options) []Symptom {
	d := diagnosis{ctx: ctx, now: opts.Now}
	if !d.git() {
		return d.symptoms
	}
	repo, err := gitrepo.Open(ctx, dir)
	if err != nil {
		d.fail("repository", err, "git init, or incipit init")
		return d.symptoms
	}
	d.repository(repo)
	w, err := Open(ctx, dir, opts)
	if err != nil {
		d.fail("configuration", err, "correct "+ConfigFile+"; incipit init writes one where there is none")
		return d.symptoms
	}
	defer w.Close()
	d.ok("configuration", "%d environments, prompts in %s/", len(w.Config.Environments), w.Config.Prompts)
	d.registry(w)
	d.locks(w, repo)
	d.clock(w, repo)
	return d.symptoms
}

type diagnosis struct {
	ctx      context.Context //nolint:containedctx // lives as long as the call to Diagnose
	now      func() time.Time
	symptoms []Symptom
}

func (d *diagnosis) ok(name, format string, args ...any) {
	d.symptoms = append(d.symptoms, Symptom{Name: name, Level: Good, Finding: fmt.Sprintf(format, args...)})
}

func (d *diagnosis) note(name, finding, fix string) {
	d.symptoms = append(d.symptoms, Symptom{name, Note, finding, fix})
}

func (d *diagnosis) fail(name string, err error, fix string) {
	if better, ok := errors.AsType[*registry.FixError](err); ok {
		fix = better.Fix
	}
	d.symptoms = append(d.symptoms, Symptom{name, Bad, err.Error(), fix})
}

func (d *diagnosis) git() bool {
	version, err := gitrepo.Version(d.ctx)
	if err != nil {
		d.fail("git", err, "install git "+gitrepo.MinVersion+" or newer")
		return false
	}
	if olderThan(version, gitrepo.MinVersion) {
		d.fail("git", fmt.Errorf("git %s is too old: releases could be lost in a power cut", version), "install git "+gitrepo.MinVersion+" or newer")
		return false
	}
	d.ok("git", "version %s", version)
	return true
}

// olderThan compares the first two numbers of a version.
func olderThan(version, least string) bool {
	number := func(s string, i int) int {
		parts := strings.SplitN(s, ".", 3)
		if i >= len(parts) {
			return 0
		}
		n, _ := strconv.Atoi(parts[i])
		return n
	}
	if a, b := number(version, 0), number(least, 0); a != b {
		return a < b
	}
	return number(version, 1) < number(least, 1)
}

func (d *diagnosis) repository(repo *gitrepo.Repo) {
	if err := repo.Ready(); err != nil {
		d.fail("repository", err, "")
		if repo.Bare {
			return
		}
	} else {
		d.ok("repository", "%s", repo.Top)
	}
	if who, err := repo.Identity(d.ctx); err != nil {
		d.fail("identity", err, `git config user.name "Your Name"; git config user.email you@example.com`)
	} else {
		d.ok("identity", "%s", who)
	}
	head, branch, err := repo.Head(d.ctx)
	switch {
	case err != nil:
		d.fail("branch", err, "git fsck tells more")
	case head == "":
		d.note("branch", "there is no commit yet", "commit, or make the first release: it makes the first commit")
	case branch == "":
		d.note("branch", "HEAD is detached: a release made here is on no branch", "git switch main")
	default:
		d.ok("branch", "%s", branch)
	}
	if repo.Shallow {
		d.fail("history", errors.New("the clone is shallow: releases and tags may be missing"), "git fetch --unshallow --tags")
	} else {
		d.ok("history", "complete")
	}
}

func (d *diagnosis) registry(w *Workspace) {
	reg, err := w.Registry()
	if err == nil {
		for _, id := range reg.IDs() {
			e, entryErr := reg.Entry(id)
			if entryErr != nil {
				err = entryErr
				break
			}
			for env := range e.Deployments {
				if _, envErr := w.Config.Environment(env); envErr != nil {
					d.note("registry", fmt.Sprintf("%s runs in %s, which %s does not name", id, prompt.Visible(env), ConfigFile), "add the environment to "+ConfigFile)
				}
			}
		}
	}
	if err != nil {
		d.fail("registry", err, "incipit registry rebuild")
		return
	}
	d.ok("registry", "%d prompts", len(reg.IDs()))
}

func (d *diagnosis) locks(w *Workspace, repo *gitrepo.Repo) {
	what, err := w.Interrupted(d.ctx)
	switch {
	case err != nil:
		d.fail("journal", err, "incipit doctor --repair")
	case what != "":
		d.fail("journal", fmt.Errorf("a change was interrupted: %s", what), "incipit doctor --repair")
	default:
		d.ok("journal", "no change was interrupted")
	}
	locks := repo.LockFiles()
	if len(locks) == 0 {
		d.ok("locks", "none")
		return
	}
	if pid, live := repo.GitProcess(); live {
		d.note("locks", fmt.Sprintf("git process %s is at work and holds %s", pid, locks[0].Path), "")
		return
	}
	d.fail("locks", fmt.Errorf("%s was left behind by a git that is gone", locks[0].Path), "incipit doctor --repair")
}

// clock compares the clock with the last commit: a commit from the future
// means that one of two clocks is wrong.
func (d *diagnosis) clock(w *Workspace, repo *gitrepo.Repo) {
	head, _, err := repo.Head(d.ctx)
	if err != nil || head == "" {
		d.ok("clock", "nothing to compare with yet")
		return
	}
	o, err := w.reader(d.ctx)
	if err != nil {
		d.fail("clock", err, "")
		return
	}
	c, err := o.Commit(head)
	if err != nil {
		d.fail("clock", err, "git fsck tells more")
		return
	}
	if ahead := c.Author.At.Sub(d.now()); ahead > time.Minute {
		d.fail("clock", fmt.Errorf("the last commit is %s in the future", ahead.Round(time.Second)), "set the clock of this machine, or of the one that made commit "+head[:12])
		return
	}
	d.ok("clock", "not before the last commit")
}
