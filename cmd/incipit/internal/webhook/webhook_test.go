package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func headers(kv ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(kv); i += 2 {
		h.Add(kv[i], kv[i+1])
	}
	return h
}

func sign(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// The vectors are those that GitHub's documentation, RFC 4231 (test case 2) and
// the Standard Webhooks publish. None of their bodies is a push.
func TestPublishedVectorsVerify(t *testing.T) {
	tests := []struct {
		name         string
		kind         Kind
		secret, body string
		header       http.Header
	}{
		{"GitHub", GitHub, "It's a Secret to Everybody", "Hello, World!", headers(
			"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")},
		{"Gitea", Gitea, "Jefe", "what do ya want for nothing?", headers(
			"X-Gitea-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")},
		{"Forgejo", Gitea, "Jefe", "what do ya want for nothing?", headers(
			"X-Forgejo-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "X-Gitea-Signature", "00")},
		{"GitLab with a signing token", GitLab, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, headers(
			"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
			"webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")},
		{"GitLab with a secret token", GitLab, "correct horse", "{}", headers("X-Gitlab-Token", "correct horse")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Verify(tt.kind, tt.header, []byte(tt.body), []byte(tt.secret))
			if err != nil || p.Event != Other {
				t.Fatalf("got %+v, %v", p, err)
			}
			if _, err := Verify(tt.kind, tt.header, []byte(tt.body), []byte(tt.secret+"A")); !errors.Is(err, registry.ErrForbidden) {
				t.Errorf("another secret: %v", err)
			}
			if tt.header.Get("X-Gitlab-Token") != "" {
				return // it signs nothing
			}
			if _, err := Verify(tt.kind, tt.header, []byte(tt.body+" "), []byte(tt.secret)); !errors.Is(err, registry.ErrForbidden) {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

func TestForgedRequestsAreRefused(t *testing.T) {
	const body, secret = `{"ref":"refs/heads/main"}`, "s3cret"
	sum := sign(body, secret)
	whsec := "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
	tests := []struct {
		name   string
		kind   Kind
		secret string
		header http.Header
	}{
		{"no signature", GitHub, secret, headers("X-GitHub-Event", "push")},
		{"an empty one", GitHub, secret, headers("X-Hub-Signature-256", "")},
		{"a prefix alone", GitHub, secret, headers("X-Hub-Signature-256", "sha256=")},
		{"half of it", GitHub, secret, headers("X-Hub-Signature-256", "sha256="+sum[:32])},
		{"the old SHA-1 header", GitHub, secret, headers("X-Hub-Signature", "sha1="+sum[:40])},
		{"two of which one is right", GitHub, secret, headers("X-Hub-Signature-256", "sha256="+sum, "X-Hub-Signature-256", "sha256=00")},
		{"no secret on the server", GitHub, "", headers("X-Hub-Signature-256", "sha256="+sign(body, ""))},
		{"another host's header", Gitea, secret, headers("X-Hub-Signature-256", "sha256="+sum)},
		{"a wrong Forgejo signature beside a right Gitea one", Gitea, secret, headers("X-Forgejo-Signature", "00", "X-Gitea-Signature", sum)},
		{"no token", GitLab, secret, headers("X-Gitlab-Event", "Push Hook")},
		{"a token that is longer", GitLab, secret, headers("X-Gitlab-Token", secret+"x")},
		{"a signing token sent as it is", GitLab, whsec, headers("X-Gitlab-Token", whsec)},
		{"a signing token that is not base64", GitLab, "whsec_!", headers("webhook-id", "a", "webhook-timestamp", "1", "webhook-signature", "v1,")},
		{"an empty signing token", GitLab, "whsec_", headers("webhook-id", "a", "webhook-timestamp", "1", "webhook-signature", "v1,")},
		{"a signature of another version", GitLab, whsec, headers("webhook-id", "a", "webhook-timestamp", "1", "webhook-signature", "v2,"+sum)},
		{"a time that is none", GitLab, whsec, headers("webhook-id", "a", "webhook-timestamp", "x", "webhook-signature", "v1,")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Verify(tt.kind, tt.header, []byte(body), []byte(tt.secret))
			if !errors.Is(err, registry.ErrForbidden) || p != (Push{}) {
				t.Fatalf("got %+v, %v", p, err)
			}
			if tt.secret != "" && strings.Contains(err.Error(), tt.secret) {
				t.Errorf("the secret stands in %q", err)
			}
		})
	}
}

func TestEventsAreToldApart(t *testing.T) {
	const secret = "s3cret"
	tests := []struct {
		name, event, body string
		kind              Kind
		want              Push
	}{
		{
			"a push to a branch", "push", `{"ref":"refs/heads/main","after":"abc","repository":{"full_name":"team/prompts"}}`, GitHub,
			Push{Event: Pushed, Ref: "refs/heads/main", After: "abc", Repository: "team/prompts"},
		},
		{"GitHub's ping", "ping", `{"zen":"Keep it logically awesome.","repository":{"full_name":"team/prompts"}}`, GitHub, Push{Event: Ping, Repository: "team/prompts"}},
		{"a tag in Gitea", "create", `{"ref":"a@1.0.0","ref_type":"tag"}`, Gitea, Push{Event: Pushed, Ref: "a@1.0.0"}},
		{
			"a tag in GitLab", "Tag Push Hook", `{"ref":"refs/tags/a@1.0.0","project":{"path_with_namespace":"team/prompts"}}`, GitLab,
			Push{Event: Pushed, Ref: "refs/tags/a@1.0.0", Repository: "team/prompts"},
		},
		{"an issue", "issues", `not even JSON`, GitHub, Push{Event: Other}},
		{"text that would move a terminal's cursor", "push", "{\"ref\":\"refs/heads/\u202emain\"}", GitHub, Push{Event: Pushed, Ref: "refs/heads/⟨U+202E⟩main"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := headers("X-GitHub-Event", tt.event, "X-Gitea-Event", tt.event, "X-Gitlab-Event", tt.event, "X-Gitlab-Token", secret,
				"X-Hub-Signature-256", "sha256="+sign(tt.body, secret), "X-Gitea-Signature", sign(tt.body, secret))
			if got, err := Verify(tt.kind, h, []byte(tt.body), []byte(secret)); err != nil || got != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestASignedBodyThatCannotBeReadIsInvalid(t *testing.T) {
	for name, body := range map[string]string{"no JSON": "ref=x", "a list": "[]", "a ref that is a number": `{"ref":1}`} {
		h := headers("X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+sign(body, "s"))
		if _, err := Verify(GitHub, h, []byte(body), []byte("s")); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := http.Header{"X-Github-Event": {"push"}, "X-Hub-Signature-256": {"sha256=" + sign("payload=%7B%7D", "s")}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if _, err := Verify(GitHub, h, []byte("payload=%7B%7D"), []byte("s")); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("a form: %v", err)
	}
}

func TestASignedTimeGrowsOld(t *testing.T) {
	sent := time.Unix(1_614_265_330, 0)
	for late, want := range map[time.Duration]bool{0: false, MaxAge: false, MaxAge + 1: true, -MaxAge - 1: true} {
		if got := (Push{Sent: sent}).Stale(sent.Add(late)); got != want {
			t.Errorf("after %s: %t", late, got)
		}
	}
	if (Push{}).Stale(sent) {
		t.Error("a request without a time is stale")
	}
}

func TestKindsAreKnown(t *testing.T) {
	for s, want := range map[string]Kind{"github": GitHub, "gitlab": GitLab, "gitea": Gitea, "forgejo": Gitea} {
		if got, err := ParseKind(s); got != want || err != nil {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	if _, err := ParseKind("../x"); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	if _, err := Verify("svn", http.Header{}, nil, []byte("s")); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("github", "sha256=00", []byte("{}"), []byte("s"))
	f.Add("gitlab", "v1,AAAA", []byte("{}"), []byte("whsec_AAAA"))
	f.Fuzz(func(t *testing.T, kind, sum string, body, secret []byte) {
		h := headers("X-Hub-Signature-256", sum, "X-Gitea-Signature", sum, "webhook-signature", sum, "webhook-id", "a", "webhook-timestamp", "1", "X-GitHub-Event", "push")
		if p, err := Verify(Kind(kind), h, body, secret); err != nil && p.Event == Pushed && errors.Is(err, registry.ErrForbidden) {
			t.Errorf("%+v came with %v", p, err)
		}
	})
}
