package notify

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An Envelope is the body of the format json. Fields may be added, none is
// taken away.
type Envelope struct {
	ID        string              `json:"id"` // of the message, as in the header webhook-id
	Type      registry.NoticeKind `json:"type"`
	Timestamp time.Time           `json:"timestamp"` // when it happened
	Data      Data                `json:"data"`
}

// Data is what a notice says.
type Data struct {
	Notice      string            `json:"notice"` // names what happened, to all webhooks alike
	Environment string            `json:"environment,omitempty"`
	Prompt      prompt.ID         `json:"prompt,omitempty"`
	Version     string            `json:"version,omitempty"`
	By          string            `json:"by,omitempty"`
	Text        string            `json:"text"`
	Detail      map[string]string `json:"detail,omitempty"`
}

// A slackMessage is the body of the format slack. Whatever could format a text,
// fetch what it names or look for mentions in it is turned off.
type slackMessage struct {
	Text        string `json:"text"`
	Markdown    bool   `json:"mrkdwn"`
	LinkNames   bool   `json:"link_names"`
	UnfurlLinks bool   `json:"unfurl_links"`
	UnfurlMedia bool   `json:"unfurl_media"`
}

// Body is a notice in a format.
func Body(f registry.WebhookFormat, id string, n registry.Notice) ([]byte, error) {
	if f == registry.FormatSlack {
		return json.Marshal(slackMessage{Text: Plain(n.Text)})
	}
	return json.Marshal(Envelope{ID: id, Type: n.Kind, Timestamp: n.At.UTC(), Data: Data{
		Notice: n.ID, Environment: n.Environment, Prompt: n.Prompt, Version: n.Version, By: n.By, Text: n.Text, Detail: n.Detail,
	}})
}

// maxText bounds a text in a channel, in characters.
const maxText = 3000

// Plain is a text that stays one in a channel: nothing that somebody wrote into
// a name or a reason mentions people or becomes a link. Slack wants & < >
// escaped, with which its own mentions and links begin; a space of no width
// parts what it and its kin look for in plain text.
func Plain(text string) string {
	const apart = "\u200b"
	text = strings.NewReplacer("://", ":"+apart+"//", "](", "]"+apart+"(", "www.", "www"+apart+".", "WWW.", "WWW"+apart+".").Replace(prompt.Clip(text, maxText))
	var b strings.Builder
	for i, r := range text {
		b.WriteRune(r)
		if r == '@' && (i == 0 || !wordly(text[i-1])) { // and not in a mail address
			b.WriteString(apart)
		}
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(b.String())
}

func wordly(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
