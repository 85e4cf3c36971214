package source

import (
	"errors"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestTheURLOfARequestIsTheHostsOwn(t *testing.T) {
	const branch = "incipit/a-b/1.0.1-00ff"
	for _, tt := range []struct{ remote, want string }{
		{"https://github.com/team/prompts.git", "https://github.com/team/prompts/compare/main...incipit/a-b/1.0.1-00ff?expand=1"},
		{"git@github.com:team/prompts.git", "https://github.com/team/prompts/compare/main...incipit/a-b/1.0.1-00ff?expand=1"},
		{"ssh://git@gitlab.example.com:2222/group/sub/prompts.git", "https://gitlab.example.com/group/sub/prompts/-/merge_requests/new?merge_request%5Bsource_branch%5D=incipit%2Fa-b%2F1.0.1-00ff&merge_request%5Btarget_branch%5D=main"},
		{"https://gitea.example.com:3000/team/prompts", "https://gitea.example.com:3000/team/prompts/compare/main...incipit/a-b/1.0.1-00ff"},
		{"https://codeberg.org/team/prompts", "https://codeberg.org/team/prompts/compare/main...incipit/a-b/1.0.1-00ff"},
		{"https://git.example.com/team/prompts", ""},
		{t.TempDir(), ""},
	} {
		r, err := NewRemote(RemoteConfig{URL: tt.remote, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.requestURL("main", branch); got != tt.want {
			t.Errorf("%s: got %s", tt.remote, got)
		}
	}
}

func TestTheURLOfACommitIsTheHostsOwnOrAsConfigured(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, tt := range []struct{ remote, page, want string }{
		{"https://github.com/team/prompts.git", "", "https://github.com/team/prompts/commit/" + commit},
		{"ssh://git@gitlab.example.com:2222/group/sub/prompts.git", "", "https://gitlab.example.com/group/sub/prompts/-/commit/" + commit},
		{"https://codeberg.org/team/prompts", "", "https://codeberg.org/team/prompts/commit/" + commit},
		{"https://git.example.com/team/prompts", "", ""},
		{"https://git.example.com/team/prompts", "https://git.example.com/?p=prompts;h={commit}", "https://git.example.com/?p=prompts;h=" + commit},
		{"https://github.com/team/prompts.git", "http://mirror.example.com/{commit}", "http://mirror.example.com/" + commit},
		{t.TempDir(), "", ""},
	} {
		r, err := NewRemote(RemoteConfig{URL: tt.remote, Dir: t.TempDir(), CommitURL: tt.page})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.CommitURL(commit); got != tt.want {
			t.Errorf("%s, %s: got %s", tt.remote, tt.page, got)
		}
		if got := r.CommitURL(""); got != "" {
			t.Errorf("%s: no commit is at %s", tt.remote, got)
		}
	}
}

func TestAPageOfCommitsThatIsNoneIsRefused(t *testing.T) {
	for _, page := range []string{
		"https://git.example.com/commit/", "javascript:alert('{commit}')", "data:text/html,{commit}", "/commit/{commit}",
		"https://user:secret@git.example.com/{commit}", "https:///{commit}", "{commit}", "https://git.example.com/\x01{commit}",
	} {
		if _, err := NewRemote(RemoteConfig{URL: t.TempDir(), Dir: t.TempDir(), CommitURL: page}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: got %v", page, err)
		}
	}
}
