package source

import (
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A host is a kind of program that shows repositories to browsers, told by a
// word of its name.
type host string

const (
	gitHub  host = "github"
	gitLab  host = "gitlab"
	gitea   host = "gitea" // and those that come from it
	unknown host = ""
)

func hostOf(name string) host {
	named := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case named("gitlab"):
		return gitLab
	case named("github"):
		return gitHub
	case named("gitea", "forgejo", "codeberg"):
		return gitea
	}
	return unknown
}

// requestURL is the page of the repository's host on which a branch is proposed
// to another, "" where the shape of the host is not known.
func (r *Remote) requestURL(into, branch string) string {
	name, path, ok := r.git.URL.Page()
	if !ok || into == "" {
		return ""
	}
	page := url.URL{Scheme: "https", Host: name}
	switch hostOf(name) {
	case gitLab:
		page.Path = "/" + path + "/-/merge_requests/new"
		page.RawQuery = url.Values{"merge_request[source_branch]": {branch}, "merge_request[target_branch]": {into}}.Encode()
	case gitHub:
		page.Path, page.RawQuery = "/"+path+"/compare/"+into+"..."+branch, "expand=1"
	case gitea:
		page.Path = "/" + path + "/compare/" + into + "..." + branch
	default:
		return ""
	}
	return page.String()
}

// commitMark stands for the commit in RemoteConfig.CommitURL.
const commitMark = "{commit}"

// CommitURL is the page on which the repository's host shows a commit, by its
// full id: as the configuration says, or what the host is known to have; ""
// if neither is there.
func (r *Remote) CommitURL(commit string) string {
	if commit == "" {
		return ""
	}
	if r.config.CommitURL != "" {
		return strings.ReplaceAll(r.config.CommitURL, commitMark, url.PathEscape(commit))
	}
	name, path, ok := r.git.URL.Page()
	if !ok {
		return ""
	}
	page := url.URL{Scheme: "https", Host: name}
	switch hostOf(name) {
	case gitLab:
		page.Path = "/" + path + "/-/commit/" + commit
	case gitHub, gitea:
		page.Path = "/" + path + "/commit/" + commit
	default:
		return ""
	}
	return page.String()
}

// checkCommitURL refuses an address that leads browsers anywhere but to a page.
func checkCommitURL(s string) error {
	if s == "" {
		return nil
	}
	page, err := url.Parse(strings.ReplaceAll(s, commitMark, "0"))
	if err == nil && (page.Scheme == "https" || page.Scheme == "http") && page.Host != "" && page.User == nil && strings.Contains(s, commitMark) && len(s) <= 2000 {
		return nil
	}
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the address of a commit's page must be http or https, without a user, and hold %s", commitMark),
		"write it as https://git.example.com/team/prompts/commit/"+commitMark)
}
