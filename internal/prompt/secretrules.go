package prompt

import (
	"bytes"
	"regexp"
	"sync"
)

// A secretRule describes one kind of credential.
type secretRule struct {
	name    string
	what    string                       // in a message, with its article
	marks   []string                     // without one of these there is none: looking for them is cheap
	pattern func() *regexp.Regexp        // matches at a mark; group 1, if any, is the credential
	follows func(before []byte) bool     // what precedes the mark; nil: the mark begins the credential, and a word
	real    func(credential []byte) bool // beyond the pattern; nil: random
	inParts bool                         // also found when spaces, line breaks or " + " split it
}

// secretWindow is how far behind a mark a pattern looks, in bytes. Patterns are
// bounded too: a text made of marks must not take long.
const secretWindow = 512

// secretRules are tried in order; of two that match one place, the first is
// reported. Their expressions are compiled when a mark is met, so that a
// program that looks for no secrets does not pay for them.
var secretRules = []secretRule{
	{
		name: "private-key", what: "a private key", marks: []string{"-----BEGIN"},
		pattern: atMark(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]|["'+,])*(?:[A-Za-z-]+: [^\n]*\s+)*([A-Za-z0-9+/]{40})`),
		follows: anything,
	},
	{
		name: "incipit-key", what: "a key of Incipit", marks: []string{"incipit_"}, inParts: true,
		pattern: atMark(`incipit_[a-z]{1,16}_[A-Za-z0-9]{1,64}_([A-Za-z0-9_-]{30,64})`),
	},
	{
		name: "anthropic-api-key", what: "an Anthropic API key", marks: []string{"sk-ant-"}, inParts: true,
		pattern: atMark(`sk-ant-(?:[a-z]+[0-9]*-)?([A-Za-z0-9_-]{24,64})`),
	},
	{
		name: "openrouter-api-key", what: "an OpenRouter API key", marks: []string{"sk-or-"}, inParts: true,
		pattern: atMark(`sk-or-v1-[0-9a-f]{40,64}`),
	},
	{
		name: "openai-api-key", what: "an OpenAI API key", marks: []string{"sk-"}, inParts: true,
		pattern: atMark(`sk-(?:(?:proj|svcacct|admin)-|None-)?([A-Za-z0-9_-]{20,64})`),
	},
	{
		name: "aws-access-key-id", what: "an AWS access key id", marks: []string{"AKIA", "ASIA", "ABIA", "ACCA"}, inParts: true,
		pattern: atMark(`A[KSBC][IC]A([A-Z2-7]{16})`),
		real:    func(c []byte) bool { return entropy(c) >= 3 },
	},
	{
		name: "aws-secret-access-key", what: "an AWS secret access key",
		marks:   []string{"ecret_access_key", "ecretAccessKey", "ECRET_ACCESS_KEY", "ecret access key"},
		pattern: atMark(`(?i:ecret[_ ]?access[_ ]?key)["'\x60*]*\s*(?:[:=]|=>|is)[\s"'\x60*]*([A-Za-z0-9/+]{40})`),
		follows: anything,
	},
	{
		name: "github-token", what: "a GitHub token", marks: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, inParts: true,
		pattern: atMark(`gh[pousr]_[A-Za-z0-9]{36,64}`),
	},
	{
		name: "github-fine-grained-token", what: "a GitHub token", marks: []string{"github_pat_"}, inParts: true,
		pattern: atMark(`github_pat_[A-Za-z0-9_]{40,64}`),
	},
	{
		name: "gitlab-token", what: "a GitLab token", marks: []string{"glpat-"}, inParts: true,
		pattern: atMark(`glpat-[A-Za-z0-9_-]{20,64}`),
	},
	{
		name: "slack-token", what: "a Slack token", marks: []string{"xox", "xapp-"}, inParts: true,
		pattern: atMark(`(?:xox[abeoprs]|xapp)-(?:[0-9A-Z]{1,20}-){0,4}([A-Za-z0-9]{20,64})`),
	},
	{
		name: "slack-webhook", what: "the URL of a Slack webhook", marks: []string{"hooks.slack.com/"}, inParts: true,
		pattern: atMark(`hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,16}/[A-Z0-9]{8,16}/([A-Za-z0-9]{20,64})`),
	},
	{
		name: "stripe-key", what: "a Stripe key", marks: []string{"sk_live_", "rk_live_", "whsec_"}, inParts: true,
		pattern: atMark(`(?:[sr]k_live|whsec)_[A-Za-z0-9]{20,64}`),
	},
	{
		name: "google-api-key", what: "a Google API key", marks: []string{"AIza"}, inParts: true,
		pattern: atMark(`AIza[A-Za-z0-9_-]{35}`),
	},
	{
		name: "google-oauth-secret", what: "a Google OAuth client secret", marks: []string{"GOCSPX-"}, inParts: true,
		pattern: atMark(`GOCSPX-[A-Za-z0-9_-]{28}`),
	},
	{
		name: "azure-storage-key", what: "an Azure storage key", marks: []string{"AccountKey="}, inParts: true,
		pattern: atMark(`AccountKey=([A-Za-z0-9+/]{86}==)`),
		follows: anything,
	},
	{
		name: "npm-token", what: "an npm token", marks: []string{"npm_"}, inParts: true,
		pattern: atMark(`npm_[A-Za-z0-9]{36}`),
	},
	{
		name: "pypi-token", what: "a PyPI token", marks: []string{"pypi-"}, inParts: true,
		pattern: atMark(`pypi-AgE[A-Za-z0-9_-]{50,64}`),
	},
	{
		name: "sendgrid-api-key", what: "a SendGrid API key", marks: []string{"SG."}, inParts: true,
		pattern: atMark(`SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}`),
	},
	{
		name: "twilio-api-key", what: "a Twilio API key", marks: []string{"wilio", "WILIO"},
		pattern: atMark(`(?is:wilio.{0,80}?)\b(SK[0-9a-f]{32})\b`),
		follows: anything,
	},
	{
		name: "huggingface-token", what: "a Hugging Face token", marks: []string{"hf_"}, inParts: true,
		pattern: atMark(`hf_[A-Za-z0-9]{34}`),
	},
	{
		name: "telegram-bot-token", what: "the token of a Telegram bot", marks: []string{":AA"},
		pattern: atMark(`:(AA[A-Za-z0-9_-]{33})`),
		follows: eightDigits,
	},
	{
		name: "discord-bot-token", what: "the token of a Discord bot", marks: []string{"iscord", "ISCORD"},
		pattern: atMark(`(?is:iscord.{0,80}?)\b([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})`),
		follows: anything,
	},
	{
		name: "discord-webhook", what: "the URL of a Discord webhook", marks: []string{"/api/webhooks/"}, inParts: true,
		pattern: atMark(`/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,64})`),
		follows: anything,
	},
	{
		name: "digitalocean-token", what: "a DigitalOcean token", marks: []string{"dop_v1_", "doo_v1_", "dor_v1_"}, inParts: true,
		pattern: atMark(`do[opr]_v1_[a-f0-9]{64}`),
	},
	{
		name: "jwt", what: "a signed token (JWT)", marks: []string{"eyJ"}, inParts: true,
		pattern: atMark(`eyJ[A-Za-z0-9_-]{12,400}\.eyJ[A-Za-z0-9_-]{12,64}`),
		follows: tokenStart,
		real: func(c []byte) bool { // the payload every manual shows: sub 1234567890
			return random(c) && !bytes.Contains(c, []byte(".eyJzdWIiOiIxMjM0NTY3ODkw"))
		},
	},
	{
		name: "url-password", what: "a URL with a password", marks: []string{"://"},
		pattern: atMark(`://[^\s/?#:@"'\x60]{0,64}:([^\s/?#@"'\x60\[\]]{3,128})@[A-Za-z0-9\[{$%<]`),
		follows: anything,
		real:    func(c []byte) bool { return !defaultPassword(c) },
	},
}

func atMark(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A` + expr) })
}
