package ui

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAMarkedTextIsTheTextAndMarksTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("abAB İß→"))).Draw(t, "text")
		words := rapid.SliceOfN(rapid.StringMatching(`[abß]{1,3}`), 0, 3).Draw(t, "words")
		whole := ""
		for _, p := range highlighted(text, words) {
			if whole += p.Text; p.Text == "" {
				t.Fatal("an empty part")
			}
			if p.Found && !strings.ContainsAny(p.Text, "abABß") {
				t.Fatalf("%q is marked", p.Text)
			}
		}
		if whole != text {
			t.Fatalf("%q became %q", text, whole)
		}
	})
	if got := fmt.Sprint(highlighted("Refund or refunds", []string{"refund", "fund"})); got != "[{Refund true} { or  false} {refund true} {s false}]" {
		t.Error(got)
	}
}

func TestActionsAreCalledByTheirVerbs(t *testing.T) {
	o := registry.Overview{Environments: []string{"dev", "production"}, Prompts: []registry.OverviewRow{
		{Prompt: "billing/refunds", Version: "1.1.0", Places: map[string]registry.OverviewPlace{"production": {Running: registry.Running{Version: "1.0.0", Seq: 2}, Behind: 1}}},
		{Prompt: "refunds", Version: "1.0.0"},
		{Prompt: "draft"},
	}}
	all := registry.Caller{Name: "ada@example.com", Grants: []registry.Grant{{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}}}}
	for words, want := range map[string]string{
		"roll back refunds":           "Roll back billing/refunds in production…",
		"rollback":                    "Roll back billing/refunds in production…",
		"deploy refunds dev":          "Deploy refunds@1.0.0 to dev…, Deploy billing/refunds@1.1.0 to dev…",
		"deploy billing/refunds prod": "Deploy billing/refunds@1.1.0 to production…",
		"deploy refunds to staging":   "",
		"edit draft":                  "Edit draft",
		"deploy draft":                "",
		"refunds":                     "",
		"in to":                       "",
		"stats billing":               "Statistics of billing/refunds",
	} {
		var got []string
		for _, a := range namedActions(o, all, strings.Fields(words)) {
			got = append(got, a.Text)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", words, strings.Join(got, ", "), want)
		}
	}
}

func TestEveryHealthHasASignAndAMeaning(t *testing.T) {
	for _, h := range registry.Healths() {
		if healthMeans(h) == "" || h.NeedsAttention() != (healthKind(h) == "bad" || healthKind(h) == "warn") {
			t.Errorf("%s: %q, %s", h, healthMeans(h), healthKind(h))
		}
	}
}
