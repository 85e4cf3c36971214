package sqlstore_test

import (
	"slices"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestPastEventsAreThoseThatAreAskedFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		for i, e := range []registry.Event{
			{Actor: "Ada@example.com", Source: "cli", Action: "key.create"},
			{Actor: "guard", Source: "guard", Action: "rollback", Environment: "production", Prompt: "billing/refunds"},
			{Actor: "100%", Source: "api", Action: "key_create", Environment: "dev", Prompt: "billing"},
			{Actor: "grace@example.com", Source: "ui", Action: "deploy", Environment: "dev", Prompt: "support", Reason: "' OR 1=1 --"},
		} {
			if err := s.AddEvent(ctx, e); err != nil {
				t.Fatal(i, err)
			}
		}
		all, err := s.PastEvents(ctx, registry.EventFilter{}, 0, 10)
		if err != nil || len(all) != 4 || all[0].Reason != "' OR 1=1 --" || all[0].Hash == "" {
			t.Fatalf("%+v, %v", all, err)
		}
		second, fourth := all[2].At, all[0].At
		for name, tt := range map[string]struct {
			filter registry.EventFilter
			before int64
			limit  int
			want   []int64
		}{
			"all, the newest first":       {limit: 10, want: []int64{4, 3, 2, 1}},
			"so many":                     {limit: 2, want: []int64{4, 3}},
			"and those before":            {before: 3, limit: 10, want: []int64{2, 1}},
			"a part of a name, any case":  {registry.EventFilter{Actor: "ADA@"}, 0, 10, []int64{1}},
			"a sign of the database":      {registry.EventFilter{Actor: "0%"}, 0, 10, []int64{3}},
			"one that fits nobody":        {registry.EventFilter{Actor: "a_a"}, 0, 10, nil},
			"an action":                   {registry.EventFilter{Action: "deploy"}, 0, 10, []int64{4}},
			"actions that begin so":       {registry.EventFilter{Action: "key.*"}, 0, 10, []int64{1}},
			"any action":                  {registry.EventFilter{Action: "*"}, 0, 10, []int64{4, 3, 2, 1}},
			"a prompt":                    {registry.EventFilter{Prompt: "billing"}, 0, 10, []int64{3}},
			"prompts that begin so":       {registry.EventFilter{Prompt: "billing*"}, 0, 10, []int64{3, 2}},
			"an environment and a source": {registry.EventFilter{Environment: "dev", Source: "ui"}, 0, 10, []int64{4}},
			"from a time on":              {registry.EventFilter{From: second}, 0, 10, []int64{4, 3, 2}},
			"to a time":                   {registry.EventFilter{From: second, To: fourth}, 0, 10, []int64{3, 2}},
			"what could be SQL":           {registry.EventFilter{Actor: "' OR 1=1 --", Prompt: "') --"}, 0, 10, nil},
		} {
			got, err := s.PastEvents(ctx, tt.filter, tt.before, tt.limit)
			var seqs []int64
			for _, e := range got {
				seqs = append(seqs, e.Seq)
			}
			if err != nil || !slices.Equal(seqs, tt.want) {
				t.Errorf("%s: %v, %v; want %v", name, seqs, err, tt.want)
			}
		}
	})
}
