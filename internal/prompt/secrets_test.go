package prompt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A forge writes credentials that look right and open nothing. They are made
// while the test runs: none stands in the repository.
type forge struct{ *rand.Rand }

func newForge(seed uint64) forge { return forge{rand.New(rand.NewPCG(seed, 27))} }

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

func (f forge) of(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[f.IntN(len(alphabet))]
	}
	return string(b)
}

func (f forge) base62(n int) string  { return f.of(lower+upper+digits, n) }
func (f forge) base64(n int) string  { return f.of(lower+upper+digits+"+/", n) }
func (f forge) urlSafe(n int) string { return f.of(lower+upper+digits+"_-", n) }
func (f forge) letters(n int) string { return f.of(lower+upper, n) }
func (f forge) hex(n int) string     { return f.of("0123456789abcdef", n) }
func (f forge) digits(n int) string  { return f.of(digits, n) }
func (f forge) awsID(n int) string   { return f.of(upper+"234567", n) }

func (f forge) openAI() string { return "sk-" + "proj-" + f.urlSafe(156) }
func (f forge) github() string { return "gh" + "p_" + f.base62(36) }

func (f forge) pem(kind, headers string) string {
	var b strings.Builder
	b.WriteString("-----BEGIN " + kind + "PRIVATE KEY-----\n" + headers)
	for range 12 {
		b.WriteString("MIIE"[:f.IntN(4)] + f.base64(60) + "\n")
	}
	return b.String() + "-----END " + kind + "PRIVATE KEY-----\n"
}

func (f forge) jwt() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(`{"sub":"`+f.hex(12)+`","exp":1900000000}`) + "." + f.urlSafe(86)
}

// cut writes s in two, from its middle on, with joint between.
func cut(s, joint string) string { return s[:len(s)/2] + joint + s[len(s)/2:] }

// secretTexts are texts with a credential, by what they show.
var secretTexts = []struct {
	name string
	rule string
	text func(f forge) string
}{
	{"an OpenAI key in an export", "openai-api-key", func(f forge) string { return "export OPENAI_API_KEY=sk-" + f.base62(48) + "\n" }},
	{"an OpenAI project key in a sentence", "openai-api-key", func(f forge) string { return "Use the key " + f.openAI() + "." }},
	{"an OpenAI service account key", "openai-api-key", func(f forge) string { return "key: sk-" + "svcacct-" + f.urlSafe(120) }},
	{"an Anthropic key in a header", "anthropic-api-key", func(f forge) string { return "x-api-key: sk-" + "ant-api03-" + f.urlSafe(93) + "AA" }},
	{"an OpenRouter key", "openrouter-api-key", func(f forge) string { return "Bearer sk-" + "or-v1-" + f.hex(64) }},
	{"an AWS key id alone", "aws-access-key-id", func(f forge) string { return "Our account: " + "AK" + "IA" + f.awsID(16) + ", ask Tom." }},
	{"a temporary AWS key id", "aws-access-key-id", func(f forge) string { return "AWS_ACCESS_KEY_ID=" + "AS" + "IA" + f.awsID(16) }},
	{"an AWS secret in a credentials file", "aws-secret-access-key", func(f forge) string { return "[default]\naws_secret_access_key = " + f.base64(40) + "\n" }},
	{"an AWS secret in JSON", "aws-secret-access-key", func(f forge) string { return `{"SecretAccessKey": "` + f.base64(40) + `"}` }},
	{"a GitHub personal token", "github-token", func(f forge) string { return "git clone with " + f.github() }},
	{"a GitHub OAuth token", "github-token", func(f forge) string { return "gh" + "o_" + f.base62(36) }},
	{"a GitHub server token in an escaped string", "github-token", func(f forge) string { return `"line one\ngh` + "s_" + f.base62(36) + `\n"` }},
	{"a GitHub fine-grained token", "github-fine-grained-token", func(f forge) string { return "token=github" + "_pat_" + f.base62(22) + "_" + f.base62(59) }},
	{"a GitLab token", "gitlab-token", func(f forge) string { return "PRIVATE-TOKEN: gl" + "pat-" + f.urlSafe(20) }},
	{"a Slack bot token", "slack-token", func(f forge) string {
		return "xo" + "xb-" + f.digits(12) + "-" + f.digits(13) + "-" + f.base62(24)
	}},
	{"a Slack webhook", "slack-webhook", func(f forge) string {
		return "Post to https://hooks.slack" + ".com/services/T" + f.awsID(8) + "/B" + f.awsID(10) + "/" + f.base62(24)
	}},
	{"a Stripe secret key", "stripe-key", func(f forge) string { return "stripe.api_key = 'sk" + "_live_" + f.base62(24) + "'" }},
	{"a Stripe restricted key", "stripe-key", func(f forge) string { return "rk" + "_live_" + f.base62(99) }},
	{"a Google API key in a URL", "google-api-key", func(f forge) string {
		return "https://maps.example.com/api?key=AI" + "za" + f.urlSafe(35) + "&q=x"
	}},
	{"a Google OAuth client secret", "google-oauth-secret", func(f forge) string { return `"client_secret":"GOC` + "SPX-" + f.urlSafe(28) + `"` }},
	{"an Azure connection string", "azure-storage-key", func(f forge) string {
		return "DefaultEndpointsProtocol=https;AccountName=shop;Account" + "Key=" + f.base64(86) + "==;EndpointSuffix=core.windows.net"
	}},
	{"an npm token in an .npmrc", "npm-token", func(f forge) string { return "//registry.example.org/:_authToken=npm" + "_" + f.base62(36) }},
	{"a PyPI token", "pypi-token", func(f forge) string { return "password = pypi" + "-AgEIcHlwaS5vcmc" + f.urlSafe(150) }},
	{"a SendGrid key", "sendgrid-api-key", func(f forge) string { return "SG" + "." + f.urlSafe(22) + "." + f.urlSafe(43) }},
	{"a Twilio key near its name", "twilio-api-key", func(f forge) string { return "client = twilio.Client('SK" + f.hex(32) + "')" }},
	{"a Hugging Face token, all letters", "huggingface-token", func(f forge) string { return "HF_TOKEN=hf" + "_" + f.letters(34) }},
	{"the token of a Telegram bot", "telegram-bot-token", func(f forge) string { return "bot 7" + f.digits(9) + ":A" + "A" + f.urlSafe(33) }},
	{"the token of a Discord bot", "discord-bot-token", func(f forge) string {
		return "DISCORD_TOKEN=M" + f.base62(25) + "." + f.urlSafe(6) + "." + f.urlSafe(38)
	}},
	{"a Discord webhook", "discord-webhook", func(f forge) string {
		return "https://discord" + ".com/api/webhooks/" + "1" + f.digits(18) + "/" + f.urlSafe(68)
	}},
	{"a DigitalOcean token", "digitalocean-token", func(f forge) string { return "doctl auth init -t dop" + "_v1_" + f.hex(64) }},
	{"an RSA key", "private-key", func(f forge) string { return "Sign with\n" + f.pem("RSA ", "") }},
	{"an OpenSSH key", "private-key", func(f forge) string { return f.pem("OPENSSH ", "") }},
	{"an encrypted key with headers", "private-key", func(f forge) string {
		return f.pem("EC ", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"+strings.ToUpper(f.hex(32))+"\n\n")
	}},
	{"a key in a JSON string", "private-key", func(f forge) string {
		return `{"private_key": "` + strings.ReplaceAll(f.pem("ENCRYPTED ", ""), "\n", `\n`) + `"}`
	}},
	{"a signed token", "jwt", func(f forge) string { return "Cookie: session=" + f.jwt() }},
	{"a URL with a password", "url-password", func(f forge) string { return "postgres://app:" + f.base62(14) + "@db.internal:5432/app" }},
	{"a URL with a weak password and no user", "url-password", func(f forge) string { return "redis://:" + f.of(lower, 7) + f.digits(2) + "@cache:6379/0" }},
	{"a key of ours", "incipit-key", func(f forge) string {
		return "incip" + "it_server_" + f.base62(12) + "_" + f.base62(43) + "_" + f.hex(8)
	}},
	{"a nameless key in configuration", "generic-secret", func(f forge) string { return "weather:\n  api_key: " + f.hex(32) + "\n" }},
	{"a bearer token in a header", "generic-secret", func(f forge) string { return `-H "Authorization: Bearer ` + f.base62(40) + `"` }},
	{"a secret in bold", "generic-secret", func(f forge) string { return "- **Client secret:** `" + f.urlSafe(40) + "`" }},
	{"a password in a sentence", "generic-password", func(f forge) string {
		return "The password is K" + f.of(lower, 5) + f.digits(3) + "!" + f.of(lower, 3) + ", do not tell."
	}},

	{"string literals added up", "openai-api-key", func(f forge) string { return `key = "sk-" + "proj-" + "` + cut(f.urlSafe(120), `" + "`) + `"` }},
	{"string literals added up over lines", "anthropic-api-key", func(f forge) string {
		return "'sk-" + "ant-api03-' +\n    '" + cut(f.urlSafe(93), "' +\n    '") + "'"
	}},
	{"a mark in two literals", "aws-access-key-id", func(f forge) string { return `id = "AK" + "IA` + f.awsID(14) + `7Q"` }},
	{"a line break inside", "github-token", func(f forge) string { return "Use\n" + cut(f.github(), "\n") + "\nfor the clone. Your token." }},
	{"a backslash and a line break inside", "openai-api-key", func(f forge) string { return "KEY=" + cut(f.openAI(), "\\\n    ") + " go run ." }},
	{"spaces between the mark and groups of the key", "stripe-key", func(f forge) string {
		return "It is sk" + "_live_ " + f.base62(8) + " " + f.base62(8) + " " + f.base62(8) + " as dictated."
	}},
	{"a secret of Kubernetes in base64", "openai-api-key-base64", func(f forge) string {
		return "data:\n  key: " + base64.StdEncoding.EncodeToString([]byte(f.openAI())) + "\n"
	}},
	{"an .env file in wrapped base64", "url-password-base64", func(f forge) string {
		s := base64.StdEncoding.EncodeToString([]byte("PORT=8080\nLOG_LEVEL=info\nDATABASE_URL=postgres://app:" + f.base62(12) + "@db/app\nCACHE=memory\n"))
		return "echo '" + s[:76] + "\n" + s[76:] + "' | base64 -d"
	}},
	{"base64 for URLs", "github-token-base64", func(f forge) string {
		return "?state=" + base64.RawURLEncoding.EncodeToString([]byte("??>>"+f.github()))
	}},
}

func TestFindSecretsFinds(t *testing.T) {
	const seeds = 100
	found, tried, foundAll, triedAll := 0, 0, 0, 0
	for _, c := range secretTexts {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				text := c.text(newForge(seed))
				secrets := FindSecrets([]byte(text))
				ok := slices.ContainsFunc(secrets, func(s Secret) bool { return s.Rule == c.rule })
				triedAll++
				if ok {
					foundAll++
				}
				if seed > 0 {
					continue
				}
				tried++
				if !ok {
					t.Errorf("in %q: found %+v, want %s", text, secrets, c.rule)
					continue
				}
				found++
			}
		})
	}
	t.Logf("recall: %d of %d texts (%.0f %%); with %d keys in each, %d of %d (%.2f %%)",
		found, tried, 100*float64(found)/float64(tried), seeds, foundAll, triedAll, 100*float64(foundAll)/float64(triedAll))
	if len(secretTexts) < 40 || foundAll*100 < triedAll*99 {
		t.Errorf("at least 40 texts are needed, and 99 %% of all keys")
	}
}

func TestFindSecretsLeavesPromptsAlone(t *testing.T) {
	prompts := benignPrompts(t)
	alarms := 0
	for name, text := range prompts {
		if secrets := FindSecrets([]byte(text)); len(secrets) > 0 {
			alarms++
			for _, s := range secrets {
				t.Errorf("%s: %s at %d: %q", name, s.Rule, s.Offset, text[s.Offset:min(s.Offset+60, len(text))])
			}
		}
	}
	t.Logf("false positives: %d of %d prompts (%.1f %%)", alarms, len(prompts), 100*float64(alarms)/float64(len(prompts)))
	if len(prompts) < 200 {
		t.Errorf("%d prompts, at least 200 are needed", len(prompts))
	}
}

// benignPrompts reads testdata/secrets/benign.txt, fills in what is random in
// real prompts, and writes each prompt in five forms.
func benignPrompts(tb testing.TB) map[string]string {
	tb.Helper()
	b, err := os.ReadFile("testdata/secrets/benign.txt")
	if err != nil {
		tb.Fatal(err)
	}
	forms := []struct {
		name  string
		write func(string) string
	}{
		{"as it is", func(s string) string { return s }},
		{"on one line", func(s string) string { return strings.ReplaceAll(s, "\n", " ") }},
		{"with CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
		{"quoted", func(s string) string { return "> " + strings.ReplaceAll(s, "\n", "\n> ") }},
		{"as JSON", func(s string) string {
			b, err := json.Marshal([]Message{{System, s}})
			if err != nil {
				tb.Fatal(err)
			}
			return string(b)
		}},
	}
	prompts := map[string]string{}
	blank := regexp.MustCompile(`@[A-Z][A-Z0-9]+@`)
	for _, section := range strings.Split(string(b), "\n-- ")[1:] {
		name, body, _ := strings.Cut(section, " --\n")
		for i, form := range forms {
			f := newForge(uint64(len(prompts)))
			text := blank.ReplaceAllStringFunc(body, func(s string) string { return f.harmless(tb, s) })
			prompts[fmt.Sprintf("%s %s", name, forms[i].name)] = form.write(text)
		}
	}
	return prompts
}

// harmless is what looks random in prompts and is no secret.
func (f forge) harmless(tb testing.TB, what string) string {
	tb.Helper()
	switch what {
	case "@UUID@":
		return f.hex(8) + "-" + f.hex(4) + "-4" + f.hex(3) + "-a" + f.hex(3) + "-" + f.hex(12)
	case "@SHA1@":
		return f.hex(40)
	case "@SHA256@":
		return f.hex(64)
	case "@SHORTSHA@":
		return f.hex(7)
	case "@HEX8@":
		return f.hex(8)
	case "@HEX16@":
		return f.hex(16)
	case "@HEX32@":
		return f.hex(32)
	case "@DIGITS@":
		return f.digits(20)
	case "@SHA256B64@":
		return f.base64(43) + "="
	case "@SHA512B64@":
		return f.base64(86) + "=="
	case "@BASE64@":
		return "/9j/4AAQSkZJRgABAQAAAQABAAD/" + f.base64(800)
	case "@PUBLICKEY@":
		return "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + f.base64(20) + "\n" + f.base64(64) + "\n" + f.base64(64)
	case "@AWSEXAMPLEID@":
		return "AK" + "IAIOSFODNN7EXAMPLE"
	case "@AWSEXAMPLESECRET@":
		return "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
	case "@JWTEXAMPLE@":
		return "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." +
			"eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ." +
			"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
	}
	tb.Fatalf("testdata/secrets/benign.txt: %s is not known", what)
	return ""
}

func TestFindSecretsSaysWhereAndNotWhat(t *testing.T) {
	for _, c := range secretTexts {
		text := c.text(newForge(1))
		for _, s := range FindSecrets([]byte(text)) {
			checkSecret(t, text, s)
		}
	}

	f := newForge(2)
	first, second := f.github(), f.openAI()
	text := "Übung\n1. " + first + "\n2. " + second + "\n1. " + first + "\n"
	var places []string
	for _, s := range FindSecrets([]byte(text)) {
		places = append(places, fmt.Sprint(s.Rule, " ", s.Offset))
	}
	want := []string{
		fmt.Sprint("github-token ", strings.Index(text, first)),
		fmt.Sprint("openai-api-key ", strings.Index(text, second)),
		fmt.Sprint("github-token ", strings.LastIndex(text, first)),
	}
	if !slices.Equal(places, want) {
		t.Errorf("found %q, want %q", places, want)
	}
}

// checkSecret holds what is true of every finding.
func checkSecret(t *testing.T, text string, s Secret) {
	t.Helper()
	if s.Offset < 0 || s.Offset >= len(text) {
		t.Fatalf("offset %d is outside a text of %d bytes", s.Offset, len(text))
	}
	known := func(rule, what string) bool {
		encoded, inBase64 := strings.CutSuffix(s.Rule, "-base64")
		message := strings.TrimSuffix(s.Message, ", encoded in base64")
		return encoded == rule && (len(message) < len(s.Message)) == inBase64 &&
			strings.TrimSuffix(message, ", written in parts") == "this looks like "+what
	}
	if !known("generic-secret", "a key or token") && !known("generic-password", "a password") &&
		!slices.ContainsFunc(secretRules, func(r secretRule) bool { return known(r.name, r.what) }) {
		t.Errorf("%s says more than its rule does: %q", s.Rule, s.Message)
	}
	// No word of a message is as long.
	if secret := text[s.Offset:min(s.Offset+16, len(text))]; len(secret) == 16 && strings.Contains(s.Message, secret) {
		t.Errorf("%s: the message %q repeats the text", s.Rule, s.Message)
	}
}

func TestSecretRulesAreWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, r := range secretRules {
		if names[r.name] {
			t.Errorf("%s stands twice", r.name)
		}
		names[r.name] = true
		if r.pattern().NumSubexp() > 1 {
			t.Errorf("%s has more than one group", r.name)
		}
		tried := false
		for _, c := range secretTexts {
			tried = tried || c.rule == r.name
		}
		if !tried {
			t.Errorf("%s has no test text", r.name)
		}
	}
}

func FuzzFindSecrets(f *testing.F) {
	for _, c := range secretTexts {
		f.Add([]byte(c.text(newForge(3))))
	}
	for _, text := range benignPrompts(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		last := 0
		for _, s := range FindSecrets(text) {
			checkSecret(t, string(text), s)
			if s.Offset < last {
				t.Errorf("%s at %d stands after one at %d", s.Rule, s.Offset, last)
			}
			last = s.Offset
		}
		if !bytes.Equal(before, text) {
			t.Error("the text was changed")
		}
	})
}

// benignText is 2 KB of the prompts without a secret.
func benignText(b *testing.B) []byte {
	b.Helper()
	prompts := benignPrompts(b)
	var text []byte
	for _, name := range []string{"customer-support", "password-policy", "classify-intent", "python-review", "translation"} {
		text = append(text, prompts[name+" as it is"]...)
	}
	return text[:2048]
}

func BenchmarkFindSecrets(b *testing.B) {
	text := benignText(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if FindSecrets(text) != nil {
			b.Fatal("found something")
		}
	}
}

// The longest text, made to meet as many marks as can be.
func BenchmarkFindSecretsHostile(b *testing.B) {
	for _, unit := range []string{"sk-proj-aaaaaaaaaaaaaaaaaaaaaaaa ", "sk-proj-", "eyJ-", "sk-", "glpat-", "password=\"", "token:", "twilio ", ":AA", "://a:", "\"+", "YWJj"} {
		text := bytes.Repeat([]byte(unit), MaxTextBytes/len(unit))
		b.Run(unit, func(b *testing.B) {
			for b.Loop() {
				FindSecrets(text)
			}
		})
	}
}
