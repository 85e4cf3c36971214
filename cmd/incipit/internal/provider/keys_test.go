package provider

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// recorder is a transport that keeps where a request would have gone.
type recorder struct {
	host, auth string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.host = req.URL.Scheme + "://" + req.URL.Host
	r.auth = req.Header.Get("Authorization") + req.Header.Get("X-Api-Key") + req.Header.Get("Api-Key")
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	_, _ = rec.WriteString(chatOK)
	return rec.Result(), nil
}

// What a pull request can write: the id and the config. What it cannot: the
// environment and what is said of hosts.
func TestAKeyGoesToItsOwnHostAlone(t *testing.T) {
	env := map[string]string{
		"OPENAI_API_KEY": canary + "-openai", "ANTHROPIC_API_KEY": canary + "-anthropic", "AZURE_API_KEY": canary + "-azure", "GITHUB_TOKEN": canary + "-github",
		"OPENAI_API_KEY_TWO": canary + "-two", "OPENROUTER_API_KEY": canary + "-openrouter", "ACME_KEY": canary + "-acme",
	}
	allowed := map[string][]string{"ACME_KEY": {"llm.acme.example"}, "OPENAI_API_KEY": {"proxy.acme.example:8443"}}
	for name, tt := range map[string]struct {
		id     string
		config map[string]any
		env    map[string]string
		host   string
		key    string // that arrives
		kind   Kind   // of the error, in place of both
	}{
		"the official host gets the usual key":                {id: "openai:m", host: "https://api.openai.com", key: "-openai"},
		"another key of the same maker goes there as well":    {id: "openai:m", config: map[string]any{"apiKeyEnvar": "OPENAI_API_KEY_TWO"}, host: "https://api.openai.com", key: "-two"},
		"a key of another maker does not":                     {id: "openai:m", config: map[string]any{"apiKeyEnvar": "GITHUB_TOKEN"}, kind: Denied},
		"another host gets no key":                            {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://evil.example/v1"}, host: "https://evil.example"},
		"not even by naming it":                               {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://evil.example/v1", "apiKeyEnvar": "OPENAI_API_KEY"}, kind: Denied},
		"nor by apiHost":                                      {id: "openai:m", config: map[string]any{"apiHost": "evil.example"}, host: "https://evil.example"},
		"nor by a host that ends alike":                       {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://api.openai.com.evil.example/v1"}, host: "https://api.openai.com.evil.example"},
		"nor by another port":                                 {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://api.openai.com:8443/v1", "apiKeyEnvar": "OPENAI_API_KEY"}, kind: Denied},
		"nor over another provider":                           {id: "openrouter:m", config: map[string]any{"apiBaseUrl": "https://evil.example/v1", "apiKeyEnvar": "OPENAI_API_KEY"}, kind: Denied},
		"nor to another's official host":                      {id: "openrouter:m", config: map[string]any{"apiKeyEnvar": "OPENAI_API_KEY"}, kind: Denied},
		"a host that the workspace allows gets its key":       {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://llm.acme.example/v1", "apiKeyEnvar": "ACME_KEY"}, host: "https://llm.acme.example", key: "-acme"},
		"and no other key":                                    {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://llm.acme.example/v1", "apiKeyEnvar": "GITHUB_TOKEN"}, kind: Denied},
		"on its port alone":                                   {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://llm.acme.example:444/v1", "apiKeyEnvar": "ACME_KEY"}, kind: Denied},
		"a port may be named":                                 {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://proxy.acme.example:8443/v1"}, host: "https://proxy.acme.example:8443", key: "-openai"},
		"the user's own environment may point elsewhere":      {id: "openai:m", env: map[string]string{"OPENAI_BASE_URL": "https://gateway.example/v1"}, host: "https://gateway.example", key: "-openai"},
		"but not without TLS":                                 {id: "openai:m", env: map[string]string{"OPENAI_BASE_URL": "http://gateway.example/v1"}, kind: Denied},
		"a config beats the environment, and gets no key":     {id: "openai:m", config: map[string]any{"apiBaseUrl": "https://evil.example/v1"}, env: map[string]string{"OPENAI_BASE_URL": "https://gateway.example/v1"}, host: "https://evil.example"},
		"anthropic has its own":                               {id: "anthropic:m", host: "https://api.anthropic.com", key: "-anthropic"},
		"which stays there":                                   {id: "anthropic:m", config: map[string]any{"apiBaseUrl": "https://evil.example"}, host: "https://evil.example"},
		"azure's goes to azure":                               {id: "azure:d", config: map[string]any{"apiHost": "acme.openai.azure.com"}, host: "https://acme.openai.azure.com", key: "-azure"},
		"and not to what calls itself azure":                  {id: "azure:d", config: map[string]any{"apiHost": "acme.openai.azure.com.evil.example"}, host: "https://acme.openai.azure.com.evil.example"},
		"a local model needs none":                            {id: "ollama:m", host: "http://localhost:11434"},
		"an endpoint gets what the workspace allows":          {id: "https://llm.acme.example/x", config: map[string]any{"headers": map[string]any{"X-Api-Key": "{{ env.ACME_KEY }}"}}, host: "https://llm.acme.example", key: "-acme"},
		"an endpoint gets nothing else of the environment":    {id: "https://evil.example/x", config: map[string]any{"headers": map[string]any{"X-Api-Key": "{{env.OPENAI_API_KEY}}"}}, kind: Denied},
		"an endpoint gets no key by its name":                 {id: "https://evil.example/x", config: map[string]any{"apiKeyEnvar": "OPENAI_API_KEY"}, kind: Denied},
		"an endpoint's body knows no environment":             {id: "https://llm.acme.example/x", config: map[string]any{"body": map[string]any{"k": "{{env.ACME_KEY}}"}}, kind: Rejected},
		"an endpoint's query knows none either":               {id: "https://llm.acme.example/x?k={{env.ACME_KEY}}", kind: Rejected},
		"a key that is absent is said when it is needed":      {id: "groq:m", kind: Denied},
		"a variable in a header is not expanded another way":  {id: "https://evil.example/x", config: map[string]any{"headers": map[string]any{"X-Api-Key": "${OPENAI_API_KEY}"}}, host: "https://evil.example", key: "${OPENAI_API_KEY}"},
		"the environment is not read by a name of two pieces": {id: "https://evil.example/x", config: map[string]any{"headers": map[string]any{"X-Api-Key": "{{ env.ACME_KEY | dump }}"}}, kind: Denied},
	} {
		t.Run(name, func(t *testing.T) {
			vars := maps.Clone(env)
			maps.Copy(vars, tt.env)
			r := &recorder{}
			c := testConfig(vars)
			c.Transport, c.KeyHosts = r, allowed
			p, _ := open(t, Spec{ID: tt.id, Config: tt.config}, c)
			if strings.Contains(p.ID(), canary) {
				t.Error(p.ID())
			}
			_, err := p.Call(t.Context(), ask("hi"))
			if tt.kind != "" {
				fails(t, err, tt.kind)
				if r.host != "" {
					t.Errorf("a request went to %s", r.host)
				}
				return
			}
			want := tt.key
			if strings.HasPrefix(want, "-") {
				want = canary + want
			}
			if got := strings.TrimPrefix(r.auth, "Bearer "); r.host != tt.host || got != want {
				t.Errorf("%q went to %s, want %q to %s", got, r.host, want, tt.host)
			}
		})
	}
}

// The same over a real network: nothing arrives that is not meant to.
func TestAConfigCannotSendAKeyToAListener(t *testing.T) {
	evil := trap(t)
	env := map[string]string{"OPENAI_API_KEY": canary, "ANTHROPIC_API_KEY": canary}
	c := testConfig(env)
	for _, id := range []string{"openai:m", "openai:responses:m", "anthropic:m", "openrouter:m", "google:m"} {
		p, _ := open(t, Spec{ID: id, Config: map[string]any{"apiBaseUrl": evil + "/v1", "apiKeyEnvar": "OPENAI_API_KEY"}}, c)
		_, err := p.Call(t.Context(), ask("hi"))
		fails(t, err, Denied)
	}
	e, _, err := OpenEmbedder(Spec{ID: "openai:embedding:m", Config: map[string]any{"apiBaseUrl": evil + "/v1", "apiKeyEnvar": "OPENAI_API_KEY"}}, c)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = e.Embed(t.Context(), "m", []string{"x"})
	fails(t, err, Denied)
}

func TestNoRedirectIsFollowed(t *testing.T) {
	evil := trap(t)
	u, err := url.Parse(evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		at := handler(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, u.String()+r.URL.Path, code) })
		c := testConfig(map[string]string{"OPENAI_BASE_URL": at, "OPENAI_API_KEY": canary, "ANTHROPIC_BASE_URL": at, "ANTHROPIC_API_KEY": canary})
		for _, id := range []string{"openai:m", "anthropic:m", at + "/x"} {
			p, _ := open(t, Spec{ID: id}, c)
			_, err := p.Call(t.Context(), ask("hi"))
			if e := failure(t, err, Rejected); e.Status != code || e.Again {
				t.Errorf("%s: %+v", id, e)
			}
		}
	}
}

// Names of this machine, and addresses by which a cloud gives its keys away.
func TestSomeAddressesAreNotDialed(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "[::]", "224.0.0.1", "[::ffff:169.254.169.254]"} {
		p, _ := open(t, Spec{ID: "https://" + host + "/latest/meta-data"}, testConfig(nil))
		_, err := p.Call(t.Context(), ask("hi"))
		if e := failure(t, err, Rejected); e.Sent || e.Again {
			t.Errorf("%s: %+v", host, e)
		}
	}
	for _, id := range []string{"http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://0x7f000001/", "gopher://127.0.0.1/", "unix:///run/x.sock"} {
		if _, _, err := Open(Spec{ID: id}, testConfig(nil)); err == nil {
			t.Errorf("%s is opened", id)
		}
	}
}
