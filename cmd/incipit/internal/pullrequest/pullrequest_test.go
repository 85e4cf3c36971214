package pullrequest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

const marker = "<!-- incipit:report -->"

// A host keeps comments as GitHub does.
type host struct {
	t        *testing.T
	comments []map[string]any
	status   int // answered instead, if it is set
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization"); got != "Bearer secret" {
		h.t.Errorf("Authorization is %q", got)
	}
	if h.status != 0 {
		w.WriteHeader(h.status)
		fmt.Fprint(w, `{"message":"Resource not accessible by integration\u001b[2J"}`)
		return
	}
	var in struct{ Body string }
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			h.t.Error(err)
		}
	}
	var out any
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/repos/o/r/issues/7/comments":
		var page int
		if _, err := fmt.Sscan(r.URL.Query().Get("page"), &page); err != nil {
			h.t.Error(err)
		}
		from := min(len(h.comments), (page-1)*100)
		out = h.comments[from:min(len(h.comments), from+100)]
	case r.Method == http.MethodPost && r.URL.Path == "/repos/o/r/issues/7/comments":
		h.comments = append(h.comments, comment(len(h.comments)+1, in.Body, "Bot"))
		out = map[string]string{"html_url": "https://example.com/new"}
	case r.Method == http.MethodPatch:
		var id int
		if _, err := fmt.Sscanf(r.URL.Path, "/repos/o/r/issues/comments/%d", &id); err != nil {
			h.t.Error(err)
		}
		h.comments[id-1]["body"] = in.Body
		out = map[string]string{"html_url": "https://example.com/edited"}
	default:
		h.t.Errorf("%s %s", r.Method, r.URL)
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		h.t.Error(err)
	}
}

func comment(id int, body, kind string) map[string]any {
	return map[string]any{"id": id, "body": body, "user": map[string]string{"type": kind}}
}

func place(t *testing.T, h *host) Place {
	t.Helper()
	h.t = t
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	env := map[string]string{"GITHUB_API_URL": s.URL, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "secret", "GITHUB_REF": "refs/pull/7/merge"}
	p, err := PlaceOf(func(name string) string { return env[name] }, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheSecondReportEditsTheFirstComment(t *testing.T) {
	h := &host{}
	for range 150 { // ours is on the second page
		h.comments = append(h.comments, comment(len(h.comments)+1, "hello", "User"))
	}
	h.comments[3]["body"] = marker + " says a person"
	p := place(t, h)
	for i, text := range []string{"one", "two"} {
		url, err := p.Comment(t.Context(), marker, marker+"\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"https://example.com/new", "https://example.com/edited"}[i]; url != want {
			t.Errorf("round %d gave %s", i, url)
		}
	}
	if len(h.comments) != 151 || h.comments[150]["body"] != marker+"\ntwo" {
		t.Errorf("%d comments, the last is %v", len(h.comments), h.comments[len(h.comments)-1])
	}
	if h.comments[3]["body"] != marker+" says a person" {
		t.Error("a person's comment was edited")
	}
}

func TestATokenThatMayNotWriteSaysWhatItNeeds(t *testing.T) {
	p := place(t, &host{status: http.StatusForbidden})
	_, err := p.Comment(t.Context(), marker, marker)
	if !errors.Is(err, registry.ErrForbidden) {
		t.Fatalf("got %v", err)
	}
	if strings.ContainsRune(err.Error(), 0x1b) || !strings.Contains(err.Error(), "403") {
		t.Errorf("got %q", err)
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"over http":           {"GITHUB_API_URL": "http://api.example.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "secret", "GITHUB_REF": "refs/pull/7/merge"},
		"without a token":     {"GITHUB_REPOSITORY": "o/r", "GITHUB_REF": "refs/pull/7/merge"},
		"out of a push":       {"GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "secret", "GITHUB_REF": "refs/heads/main"},
		"to a path as a name": {"GITHUB_REPOSITORY": "o/r/../../x", "GITHUB_TOKEN": "secret", "GITHUB_REF": "refs/pull/7/merge"},
	} {
		if _, err := PlaceOf(func(name string) string { return env[name] }, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	first := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer first.Close()
	p := Place{API: first.URL, Repository: "o/r", Token: "secret", Number: 7}
	if _, err := p.Comment(t.Context(), marker, marker); err == nil {
		t.Error("a redirect is no answer")
	}
}
