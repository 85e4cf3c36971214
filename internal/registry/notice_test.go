package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestANoticeSaysInOneSentenceWhatWasDone(t *testing.T) {
	v := func(s string) prompt.Version {
		parsed, err := prompt.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	rollout := NewRollout(Canary, DefaultBucketing, "s", Arm{Version: v("1.0.0")}, Arm{Version: v("1.1.0")}, []Share{5_000, 25_000})
	at := func(share Share) *Rollout { r := rollout.WithShare(share); return &r }
	stable := Track{{Seq: 1, Action: Deploy, Version: v("1.0.0")}}
	open := slices.Concat(stable, Track{{Seq: 2, Action: Deploy, Version: v("1.0.0"), Rollout: at(5_000)}})
	later := slices.Concat(stable, Track{{Seq: 2, Action: Deploy, Version: v("1.1.0")}})
	tests := []struct {
		name   string
		before Track
		d      Deployment
		want   string
		about  string // the version
	}{
		{"the first", nil, Deployment{Action: Deploy, Version: v("1.0.0"), By: "ada"}, "production: support 1.0.0, deployed by ada", "1.0.0"},
		{"at once", stable, Deployment{Action: Deploy, Version: v("1.1.0"), By: "ada", Reason: "warmer"}, "production: support 1.0.0 -> 1.1.0, deployed by ada: warmer", "1.1.0"},
		{"a canary", stable, Deployment{Action: Deploy, Version: v("1.0.0"), Rollout: at(5_000), By: "ada"}, "production: support 1.0.0 -> 1.1.0, canary at 5 %, started by ada", "1.1.0"},
		{"a step", open, Deployment{Action: Shift, Version: v("1.0.0"), Rollout: at(25_000), By: "guard"}, "production: support 1.0.0 -> 1.1.0, canary at 25 % by guard", "1.1.0"},
		{"its end", open, Deployment{Action: Promote, Version: v("1.1.0"), By: "guard"}, "production: support 1.0.0 -> 1.1.0, promoted by guard", "1.1.0"},
		{"its end by the guard", open, Deployment{Action: Rollback, Version: v("1.0.0"), By: "guard", Reason: "errors are worse"}, "production: support 1.1.0 -> 1.0.0, rolled back by guard: errors are worse", "1.0.0"},
		{"a rollback", later, Deployment{Action: Rollback, Version: v("1.0.0")}, "production: support 1.1.0 -> 1.0.0, rolled back", "1.0.0"},
		{"the end", later, Deployment{Action: Retire, Version: v("1.1.0"), By: "ada"}, "production: support 1.1.0, retired by ada", "1.1.0"},
	}
	for _, tt := range tests {
		tt.d.Revision, tt.d.At = 17, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		n := NoticeOf("production", "support", tt.before, tt.d)
		if n.Text != tt.want || n.Version != tt.about || n.ID != "production/17" || n.Detail["revision"] != "17" {
			t.Errorf("%s: %+v", tt.name, n)
		}
		if err := n.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, long := range []string{strings.Repeat("ä", 5000), strings.Repeat("\u202e", 2000), strings.Repeat("😀", 1500)} {
		n := NoticeOf("production", "support", nil, Deployment{Action: Deploy, Version: v("1.0.0"), By: long, Reason: long, Revision: 1})
		if err := n.Validate(); err != nil || !utf8.ValidString(n.Text) {
			t.Errorf("long texts: %v", err)
		}
	}
}

func TestANoticeThatNobodyCouldBeToldIsRefused(t *testing.T) {
	good := Notice{ID: "a", Kind: NoticeHeld, Text: "production: support is held"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Notice){
		"no id": func(n *Notice) { n.ID = "" }, "no text": func(n *Notice) { n.Text = "" }, "no kind": func(n *Notice) { n.Kind = "" },
		"another kind": func(n *Notice) { n.Kind = "deployment.*" }, "too long": func(n *Notice) { n.Text = strings.Repeat("x", 4001) },
	} {
		n := good
		if edit(&n); !errors.Is(n.Validate(), prompt.ErrInvalid) {
			t.Errorf("%s is fine", name)
		}
	}
}

func TestAWebhookIsToldWhatItWants(t *testing.T) {
	every := Webhook{Format: FormatJSON, Kinds: Patterns{"*"}, Environments: Patterns{"*"}, Prompts: Patterns{"*"}}
	some := Webhook{Format: FormatSlack, Kinds: Patterns{"deployment.*", "rollout.asks"}, Environments: Patterns{"production"}, Prompts: Patterns{"billing/*"}}
	paused := every
	paused.PausedAt = time.Unix(1, 0)
	deploy := Notice{Kind: NoticeDeploy, Environment: "production", Prompt: "billing/refunds"}
	ask, ended, changed, elsewhere := deploy, deploy, Notice{Kind: NoticeReleaseChanged, Prompt: "billing/refunds"}, deploy
	ask.Kind, ended.Kind, elsewhere.Environment = NoticeAsks, NoticeEnded, "staging"
	tests := []struct {
		name string
		w    Webhook
		n    Notice
		want bool
	}{
		{"everything", every, deploy, true},
		{"what has no environment", every, changed, true},
		{"nothing while it is paused", paused, deploy, false},
		{"a kind by its prefix", some, deploy, true},
		{"a kind by its name", some, ask, true},
		{"another kind", some, ended, false},
		{"another environment", some, elsewhere, false},
		{"no environment where some are chosen", some, changed, false},
	}
	for _, tt := range tests {
		if got := tt.w.Wants(tt.n); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	for name, edit := range map[string]func(*Webhook){
		"no kinds": func(w *Webhook) { w.Kinds = nil }, "an empty pattern": func(w *Webhook) { w.Prompts = Patterns{""} },
		"a star in the middle": func(w *Webhook) { w.Environments = Patterns{"a*b"} }, "a kind that there is not": func(w *Webhook) { w.Kinds = Patterns{"deploy*d"} },
		"a kind that nothing has": func(w *Webhook) { w.Kinds = Patterns{"release.made"} }, "another format": func(w *Webhook) { w.Format = "xml" },
	} {
		w := every
		if edit(&w); !errors.Is(w.Validate(), prompt.ErrInvalid) {
			t.Errorf("%s is fine", name)
		}
	}
	for _, w := range []Webhook{every, some} {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
	}
}
