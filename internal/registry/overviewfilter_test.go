package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func someOverview() Overview {
	place := func(version, at string, behind int, h Health) OverviewPlace {
		return OverviewPlace{Running: Running{Version: version, DeployedAt: at}, Behind: behind, Health: h}
	}
	rolling := place("1.0.0", "2026-03-01T00:00:00Z", 1, HealthRegressed)
	rolling.Candidate, rolling.Share = "1.1.0", 5000
	return Overview{Environments: []string{"dev", "production"}, Prompts: []OverviewRow{
		{Prompt: "billing/refunds", Version: "1.1.0", Model: "gpt-x", Maintainer: "Billing <billing@example.com>", Places: map[string]OverviewPlace{
			"dev": place("1.1.0", "2026-02-01T00:00:00Z", 0, HealthUnchanged), "production": rolling,
		}},
		{Prompt: "billing/eu/vat", Version: "2.0.0", Maintainer: "billing@example.com", Places: map[string]OverviewPlace{
			"dev": place("1.0.0", "2026-01-01T00:00:00Z", 3, HealthNoData),
		}},
		{Prompt: "welcome", Version: "", Maintainer: "onboarding", Places: map[string]OverviewPlace{}},
	}}
}

func ids(rows []OverviewRow) string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = string(r.Prompt)
	}
	return strings.Join(out, " ")
}

func TestAnOverviewIsFiltered(t *testing.T) {
	for name, tt := range map[string]struct {
		f    OverviewFilter
		want string
	}{
		"nothing is asked for":                 {OverviewFilter{}, "billing/refunds billing/eu/vat welcome"},
		"words in any order and case":          {OverviewFilter{Text: "FUNDS bill"}, "billing/refunds"},
		"a model":                              {OverviewFilter{Text: "gpt"}, "billing/refunds"},
		"a maintainer's word":                  {OverviewFilter{Text: "onboarding"}, "welcome"},
		"a folder holds those below it":        {OverviewFilter{Folder: "billing"}, "billing/refunds billing/eu/vat"},
		"a folder is no prefix of a name":      {OverviewFilter{Folder: "bill"}, ""},
		"a folder in a folder":                 {OverviewFilter{Folder: "billing/eu"}, "billing/eu/vat"},
		"where it runs":                        {OverviewFilter{Environment: "production"}, "billing/refunds"},
		"where nothing runs":                   {OverviewFilter{Environment: "qa"}, ""},
		"a health":                             {OverviewFilter{Health: HealthNoData}, "billing/eu/vat"},
		"a health in an environment":           {OverviewFilter{Health: HealthRegressed, Environment: "dev"}, ""},
		"what needs attention":                 {OverviewFilter{Health: NeedsAttention}, "billing/refunds"},
		"behind":                               {OverviewFilter{Behind: true}, "billing/refunds billing/eu/vat"},
		"behind in an environment":             {OverviewFilter{Behind: true, Environment: "dev"}, "billing/eu/vat"},
		"an open rollout":                      {OverviewFilter{Open: true}, "billing/refunds"},
		"one place stands as all of it asks":   {OverviewFilter{Open: true, Health: HealthUnchanged}, ""},
		"a maintainer":                         {OverviewFilter{Maintainer: "onboarding"}, "welcome"},
		"mine, by address or name and address": {OverviewFilter{Mine: "Billing@example.com"}, "billing/refunds billing/eu/vat"},
		"nobody's are not mine":                {OverviewFilter{Mine: "example.com"}, ""},
	} {
		if got := ids(tt.f.Choose(someOverview())); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	rows := OverviewFilter{Environment: "production"}.Choose(someOverview())
	if len(rows[0].Places) != 1 {
		t.Errorf("an environment leaves its own place alone: %v", rows[0].Places)
	}
}

func TestAnOverviewIsSorted(t *testing.T) {
	for by, want := range map[OverviewOrder]string{
		ByPrompt:    "billing/eu/vat billing/refunds welcome",
		ByAttention: "billing/refunds billing/eu/vat welcome",
		ByChange:    "billing/refunds billing/eu/vat welcome",
		ByDrift:     "billing/eu/vat billing/refunds welcome",
	} {
		rows := OverviewFilter{}.Choose(someOverview())
		slices.Reverse(rows)
		if by.Sort(rows); ids(rows) != want {
			t.Errorf("%q: %s, want %s", by, ids(rows), want)
		}
	}
}

func TestFoldersAndMaintainersAreCounted(t *testing.T) {
	o := someOverview()
	if got := o.Folders(); !slices.Equal(got, []FolderCount{{"billing", 2}, {"billing/eu", 1}}) {
		t.Errorf("folders: %v", got)
	}
	if got := o.Maintainers(); !slices.Equal(got, []string{"Billing <billing@example.com>", "billing@example.com", "onboarding"}) {
		t.Errorf("maintainers: %v", got)
	}
}

// Whatever a filter asks for besides, it lets through no more rows; and sorting
// loses none.
func TestAFilterThatAsksForMoreLetsThroughNoMore(t *testing.T) {
	always(t, func(d dice) string {
		f := OverviewFilter{
			Text:        pick(d, "", "bill", "eu", "gpt x"),
			Folder:      pick(d, "", "billing", "billing/eu"),
			Environment: pick(d, "", "dev", "production"),
		}
		more := f
		more.Behind, more.Open = pick(d, false, true), pick(d, false, true)
		more.Health = pick(d, append(Healths(), "", NeedsAttention)...)
		wide := make(map[prompt.ID]bool)
		for _, r := range f.Choose(someOverview()) {
			wide[r.Prompt] = true
		}
		narrow := more.Choose(someOverview())
		n := len(narrow)
		order := pick(d, OverviewOrders()...)
		order.Sort(narrow)
		for _, r := range narrow {
			if !wide[r.Prompt] {
				return fmt.Sprintf("%+v finds %s, %+v does not", more, r.Prompt, f)
			}
		}
		if len(narrow) != n {
			return fmt.Sprintf("sorting by %q lost a row of %+v", order, more)
		}
		return ""
	})
}
