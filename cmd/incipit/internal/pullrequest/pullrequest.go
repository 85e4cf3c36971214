// Package pullrequest keeps one comment under a pull request: made the first
// time, edited afterwards, found again by the marker that it begins with.
//
// It speaks GitHub's REST API, which is the same on its servers and on a
// company's own; it knows nothing of what the comment says.
package pullrequest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Place is a pull request and how it is reached. The names of variables are
// those of a workflow of GitHub Actions.
type Place struct {
	API        string // GITHUB_API_URL
	Repository string // GITHUB_REPOSITORY: owner/name
	Number     int    // of the pull request
	Token      string // GITHUB_TOKEN; it may write pull requests, and nothing else is needed

	Client *http.Client // without a time limit of its own it has the context's
}

// PlaceOf reads a Place out of a workflow's environment. The number is in
// GITHUB_REF, refs/pull/N/merge, unless it is given.
func PlaceOf(getenv func(string) string, number int) (Place, error) {
	p := Place{API: getenv("GITHUB_API_URL"), Repository: getenv("GITHUB_REPOSITORY"), Token: getenv("GITHUB_TOKEN"), Number: number}
	if m := regexp.MustCompile(`^refs/pull/([0-9]+)/`).FindStringSubmatch(getenv("GITHUB_REF")); m != nil && number == 0 {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return p, registry.Errorf(prompt.ErrInvalid, "GITHUB_REF has no number that could be a pull request's")
		}
		p.Number = n
	}
	if p.API == "" {
		p.API = "https://api.github.com"
	}
	return p, p.check()
}

func (p Place) check() error {
	missing := func(what, fix string) error {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s", what), "%s", fix)
	}
	u, err := url.Parse(p.API)
	switch {
	case p.Token == "":
		return missing("there is no GITHUB_TOKEN", "env: {GITHUB_TOKEN: ${{ github.token }}} in the step, and permissions: {pull-requests: write} in its job")
	case !regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`).MatchString(p.Repository):
		return missing(fmt.Sprintf("GITHUB_REPOSITORY is %q, and not owner/name", prompt.Clip(p.Repository, 80)), "run this in a workflow of GitHub Actions")
	case p.Number <= 0:
		return missing("GITHUB_REF names no pull request", "run this on pull_request, or give --number N")
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !isLoopback(u.Hostname()):
		return missing(fmt.Sprintf("GITHUB_API_URL is %q, and the token is sent over https alone", prompt.Clip(p.API, 80)), "leave it as the workflow has it")
	}
	return nil
}

func isLoopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

// maxPages bounds how far a comment is looked for: 100 comments a page.
const maxPages = 50

// Comment makes body, which begins with marker, the one comment that does: it
// edits the first that begins with it and was written by the same account as
// the token's, or else writes a new one. It returns the comment's address.
func (p Place) Comment(ctx context.Context, marker, body string) (string, error) {
	if !strings.HasPrefix(body, marker) {
		return "", errors.New("the comment does not begin with its marker, and would not be found again")
	}
	id, err := p.find(ctx, marker)
	if err != nil {
		return "", err
	}
	var made struct {
		URL string `json:"html_url"`
	}
	if id != 0 {
		err = p.do(ctx, http.MethodPatch, fmt.Sprintf("/issues/comments/%d", id), map[string]string{"body": body}, &made)
	} else {
		err = p.do(ctx, http.MethodPost, fmt.Sprintf("/issues/%d/comments", p.Number), map[string]string{"body": body}, &made)
	}
	return made.URL, err
}

// find is the number of our comment, 0 if there is none. A comment of a person
// that begins with the marker is theirs: only what a bot wrote is edited.
func (p Place) find(ctx context.Context, marker string) (int64, error) {
	for page := 1; page <= maxPages; page++ {
		var comments []struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
			User struct {
				Type string `json:"type"`
			} `json:"user"`
		}
		if err := p.do(ctx, http.MethodGet, fmt.Sprintf("/issues/%d/comments?per_page=100&page=%d", p.Number, page), nil, &comments); err != nil {
			return 0, err
		}
		for _, c := range comments {
			if strings.HasPrefix(c.Body, marker) && c.User.Type == "Bot" {
				return c.ID, nil
			}
		}
		if len(comments) < 100 {
			return 0, nil
		}
	}
	return 0, nil
}

const maxAnswer = 16 << 20

func (p Place) do(ctx context.Context, method, path string, body, answer any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(p.API, "/")+"/repos/"+p.Repository+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("X-Github-Api-Version", "2022-11-28")
	client := http.Client{}
	if p.Client != nil {
		client = *p.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the pull request cannot be reached: %s", prompt.Clip(strings.ReplaceAll(err.Error(), p.Token, "…"), 200)), "run it again; the report itself is written already")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return registry.Errorf(registry.ErrUnavailable, "the answer of the pull request's server broke off: %s", prompt.Clip(err.Error(), 200))
	}
	if resp.StatusCode >= 300 {
		return refused(resp.StatusCode, data)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return registry.Errorf(registry.ErrUnavailable, "the pull request's server gave no JSON: %s", prompt.Clip(err.Error(), 200))
	}
	return nil
}

func refused(status int, data []byte) error {
	var why struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &why) != nil || why.Message == "" {
		why.Message = http.StatusText(status)
	}
	text := fmt.Sprintf("the comment was refused with HTTP %d: %s", status, prompt.Clip(prompt.Visible(why.Message), 200))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound:
		return registry.WithFix(registry.Errorf(registry.ErrForbidden, "%s", text), "permissions: {pull-requests: write} in the job; a pull request from a fork has no such token, and needs no comment: the job's summary has the report")
	case status >= 500 || status == http.StatusTooManyRequests:
		return registry.Errorf(registry.ErrUnavailable, "%s", text)
	}
	return errors.New(text)
}
