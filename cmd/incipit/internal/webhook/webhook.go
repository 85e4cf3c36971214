// Package webhook tells whether a request that says "there was a push" comes
// from the host of the repository: GitHub, GitLab, Gitea or Forgejo.
//
// Everything here is a pure function of the request and the secret. Nothing of
// a body is looked at before its signature holds, and what is in it is only a
// hint to fetch: no name or commit in it is ever taken for the truth.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Kind is a host's way to sign. Forgejo's is Gitea's.
type Kind string

// The kinds.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
	Gitea  Kind = "gitea"
)

// ParseKind reads a kind.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case GitHub, GitLab, Gitea:
		return k, nil
	case "forgejo":
		return Gitea, nil
	}
	return "", registry.WithFix(registry.Errorf(registry.ErrNotFound, "there are no webhooks of %q", prompt.Clip(s, 40)), "kinds are github, gitlab, gitea and forgejo")
}

// An Event is what a request tells.
type Event string

// The events.
const (
	Pushed Event = "push"  // a branch or tag was made, moved or deleted
	Ping   Event = "ping"  // the host tries whether somebody answers
	Other  Event = "other" // of no interest here
)

// A Push is a request whose signature holds. All but Event is for the log: safe
// to print, and "" where the host does not say.
type Push struct {
	Event      Event
	Delivery   string // the host's id of the request
	Repository string // team/prompts
	Ref        string // refs/heads/main, refs/tags/…
	After      string // the commit or tag object that Ref names now

	// Sent is when the request was signed; zero for hosts that do not sign it.
	Sent time.Time
}

// MaxAge is how far the time of a signed request may be from ours, either way.
const MaxAge = 5 * time.Minute

// Stale reports whether the request may be one that is sent again by somebody
// who saw it. Where the host signs no time it cannot be told: a fetch too many
// does no harm.
func (p Push) Stale(now time.Time) bool {
	return !p.Sent.IsZero() && now.Sub(p.Sent).Abs() > MaxAge
}

// Verify holds a request against the secret that the host was given. It reports
// registry.ErrForbidden if the signature is missing or wrong, and
// prompt.ErrInvalid for a signed body that cannot be read.
func Verify(kind Kind, header http.Header, body, secret []byte) (Push, error) {
	if len(secret) == 0 {
		return Push{}, registry.WithFix(registry.Errorf(registry.ErrForbidden, "this server has no secret for webhooks"), "set one on the server, and the same one at %s", kind)
	}
	var (
		p    Push
		what string // the host's word for what happened
	)
	switch kind {
	case GitHub:
		sum, _ := strings.CutPrefix(only(header, "X-Hub-Signature-256"), "sha256=")
		if !hexSum(sum, body, secret) {
			return p, forbidden("X-Hub-Signature-256")
		}
		what, p.Delivery = header.Get("X-GitHub-Event"), header.Get("X-GitHub-Delivery")
	case Gitea:
		prefix := "X-Forgejo-"
		if header.Get(prefix+"Signature") == "" {
			prefix = "X-Gitea-"
		}
		if !hexSum(only(header, prefix+"Signature"), body, secret) {
			return p, forbidden(prefix + "Signature")
		}
		what, p.Delivery = header.Get(prefix+"Event"), header.Get(prefix+"Delivery")
	case GitLab:
		var err error
		if p.Sent, err = gitLab(header, body, string(secret)); err != nil {
			return Push{}, err
		}
		what, p.Delivery = header.Get("X-Gitlab-Event"), header.Get("X-Gitlab-Event-UUID")
	default:
		return p, registry.Errorf(registry.ErrNotFound, "there are no webhooks of %q", prompt.Clip(string(kind), 40))
	}
	p.Delivery = prompt.Clip(p.Delivery, 80)
	if p.Event = event(what); p.Event == Other {
		return p, nil
	}
	return p, p.read(header, body)
}

// gitLab checks the signature of GitLab 19 and later, which the Standard
// Webhooks describe, if the secret is of that kind, and else the token that
// older ones send as it is.
func gitLab(header http.Header, body []byte, secret string) (sent time.Time, err error) {
	encoded, signs := strings.CutPrefix(secret, "whsec_")
	if !signs {
		// Sums have one length, so the secret's is not told by the time it takes.
		got, want := sha256.Sum256([]byte(only(header, "X-Gitlab-Token"))), sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return sent, forbidden("X-Gitlab-Token")
		}
		return sent, nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return sent, registry.WithFix(registry.Errorf(registry.ErrForbidden, "the server's signing token for webhooks is damaged: no base64 stands behind its prefix"), "copy it from GitLab again")
	}
	id, at := only(header, "webhook-id"), only(header, "webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return sent, forbidden("webhook-signature")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	want := mac.Sum(nil)
	for i, s := range strings.Fields(only(header, "webhook-signature")) {
		got, isV1 := strings.CutPrefix(s, "v1,") // there may be one for each token while they are exchanged
		sum, err := base64.StdEncoding.DecodeString(got)
		if i < 10 && isV1 && err == nil && hmac.Equal(sum, want) {
			return time.Unix(seconds, 0).UTC(), nil
		}
	}
	return sent, forbidden("webhook-signature")
}

// hexSum reports whether sum is the HMAC-SHA256 of body in hex.
func hexSum(sum string, body, secret []byte) bool {
	got, err := hex.DecodeString(sum)
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

// only is the value of a header that stands once. Where it stands twice, others
// may have looked at the other one.
func only(header http.Header, name string) string {
	if vs := header.Values(name); len(vs) == 1 {
		return vs[0]
	}
	return ""
}

func forbidden(name string) error {
	return registry.WithFix(registry.Errorf(registry.ErrForbidden, "the webhook's signature in %s is missing or wrong", name),
		"give the same secret to this server and to the repository's host")
}

// event sorts the hosts' words.
func event(what string) Event {
	switch what {
	case "ping":
		return Ping
	case "push", "create", "delete", "Push Hook", "Tag Push Hook":
		return Pushed
	}
	return Other
}

// read takes out of a body what the log shows. Hosts add fields as they like.
func (p *Push) read(header http.Header, body []byte) error {
	if t, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || t != "application/json" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the webhook's body is not JSON"), "choose the content type application/json where the webhook is set up")
	}
	var b struct {
		Ref        string `json:"ref"`
		After      string `json:"after"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return registry.Errorf(prompt.ErrInvalid, "the webhook's body cannot be read: %s", prompt.Clip(err.Error(), 120))
	}
	if b.Repository.FullName == "" {
		b.Repository.FullName = b.Project.Path
	}
	p.Ref, p.After, p.Repository = prompt.Clip(b.Ref, 200), prompt.Clip(b.After, 64), prompt.Clip(b.Repository.FullName, 200)
	return nil
}
