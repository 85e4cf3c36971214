package source

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// RemoteConfig says where a server's prompts come from. URL, Dir and Now are
// required.
type RemoteConfig struct {
	URL    string // https, ssh or the absolute path of a directory
	Dir    string // where the server keeps its bare clone
	Branch string // "" is the remote's default branch
	Within string // the workspace's directory in the repository; "" is its top

	Token   func() (string, error) // for https; asked each time, may be nil
	User    string                 // goes with the token; "" suits GitHub, GitLab and Gitea
	Timeout time.Duration          // of one command that talks to the remote; 0 is 10 minutes

	// CommitURL is the page of a commit, with {commit} in its place; "" is what
	// the host of URL is known to have.
	CommitURL string

	// Author is who commits the mirror, as Name <mail>; "" is incipit.
	Author string

	Now    func() time.Time
	Notify func(string) // progress and what was mended, may be nil
}

// A Remote is the repository that a server reads releases from, and the bare
// clone of it that the server keeps. It is safe for concurrent use, also by
// several processes.
type Remote struct {
	config RemoteConfig
	git    gitrepo.Remote
	author gitrepo.Signature // without a time
}

// NewRemote checks c. It neither talks to the remote nor needs the clone.
func NewRemote(c RemoteConfig) (*Remote, error) {
	url, err := gitrepo.ParseRemote(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Within, err = cleanWithin(c.Within); err != nil {
		return nil, err
	}
	if err := checkCommitURL(c.CommitURL); err != nil {
		return nil, err
	}
	if c.Notify == nil {
		c.Notify = func(string) {}
	}
	if c.Author == "" {
		c.Author = "incipit <incipit@localhost>"
	}
	author, ok := gitrepo.ParseIdentity(c.Author)
	if !ok {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no name and mail address", prompt.Clip(c.Author, 80)), "write it as Incipit <incipit@example.com>")
	}
	return &Remote{c, gitrepo.Remote{URL: url, Branch: c.Branch, Token: c.Token, User: c.User, Timeout: c.Timeout, Notify: c.Notify}, author}, nil
}

// URL is the repository's, without any secret.
func (r *Remote) URL() string { return r.git.URL.String() }

// Mail is the address that the server commits with.
func (r *Remote) Mail() string { return r.author.Mail }

// Fetch brings the clone up to date, or makes it. It reports
// registry.ErrUnavailable if the remote cannot be reached: what was fetched
// before can be read all the same.
func (r *Remote) Fetch(ctx context.Context) error {
	repo, err := gitrepo.OpenClone(ctx, r.git, r.config.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		r.config.Notify("cloning " + r.URL())
		_, err = gitrepo.Clone(ctx, r.git, r.config.Dir)
		return err
	}
	if err != nil {
		return err
	}
	return repo.Fetch(ctx)
}

// Open opens what was fetched last. Close frees it. It reports
// registry.ErrUnavailable if nothing was fetched yet.
func (r *Remote) Open(ctx context.Context) (*Workspace, error) {
	repo, err := r.clone(ctx)
	if err != nil {
		return nil, err
	}
	return r.open(ctx, repo)
}

func (r *Remote) open(ctx context.Context, repo *gitrepo.Repo) (*Workspace, error) {
	return OpenBare(ctx, repo, r.config.Within, Options{Now: r.config.Now, Notify: r.config.Notify})
}

func (r *Remote) clone(ctx context.Context) (*gitrepo.Repo, error) {
	repo, err := gitrepo.OpenClone(ctx, r.git, r.config.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%s was not fetched yet", r.URL()), "incipit sync tells why, if it goes on")
	}
	return repo, err
}

// Mirror keeps registry.json in the remote.
func (r *Remote) Mirror() *Mirror { return &Mirror{r} }
