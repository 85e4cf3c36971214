package lifecycle

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// in is a query for the hours from the beginning of the tests' clock.
func in(from, to time.Duration, edit ...func(*registry.StatsQuery)) registry.StatsQuery {
	begin := called(0).StartedAt
	q := registry.StatsQuery{Prompt: "support", From: begin.Add(from), To: begin.Add(to)}
	for _, e := range edit {
		e(&q)
	}
	return q
}

func grouping(what string) func(*registry.StatsQuery) {
	return func(q *registry.StatsQuery) { q.By = what }
}

func TestStatsHaveTheFiguresOfTheLesson(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 100 { // latencies of 10 ms to 1 s
			c := called(n)
			c.InputTokens, c.OutputTokens = registry.Some[int64](100), registry.Some[int64](10)
			c.Cost = registry.Some[registry.NanoUSD](2_000_000)
			if n%10 == 0 {
				c.Outcome, c.ErrorClass = registry.Failed, registry.ErrorClasses()[n/10%3]
			}
			if n%2 == 0 {
				c.Satisfaction = registry.Some(float64(n%5) + 1)
			}
			keep(t, log, calllog.SubjectHash{}, c)
		}
		s, err := r.shared.Stats(reader(t, "*", "*"), in(0, 100*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name      string
			got       *float64
			want, off float64
		}{
			{"avg_latency_ms", s.AvgLatencyMS, 505, 1e-9},
			{"p95_latency_ms", s.P95LatencyMS, 950, 950 * .011},
			{"avg_satisfaction", s.AvgSatisfaction, 3, 1e-9},
			{"error_rate", s.ErrorRate, 0.1, 1e-12},
			{"cost_usd", s.CostUSD, 0.2, 1e-12},
		} {
			if tt.got == nil || math.Abs(*tt.got-tt.want) > tt.off {
				t.Errorf("%s is %s, want %v", tt.name, jsonOf(t, tt.got), tt.want)
			}
		}
		if s.TotalCalls != 100 || s.TotalTokens == nil || *s.TotalTokens != 11_000 || s.Errors != 10 || s.Ratings != 50 {
			t.Error(jsonOf(t, s))
		}
		if s.ErrorsByClass["provider"] != 4 || s.ErrorsByClass["prompt"] != 3 || s.ErrorsByClass["timeout"] != 3 {
			t.Error(s.ErrorsByClass)
		}
	})
}

func TestAnEmptyWindowHasNoCallsAndNulls(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		s, err := r.shared.Stats(reader(t, "*", "*"), registry.StatsQuery{Prompt: "support", By: "version"})
		if err != nil {
			t.Fatal(err)
		}
		got := jsonOf(t, s)
		for _, name := range []string{"avg_latency_ms", "p95_latency_ms", "avg_satisfaction", "error_rate", "total_tokens", "cost_usd"} {
			if !strings.Contains(got, `"`+name+`":null`) {
				t.Errorf("%s is not null: %s", name, got)
			}
		}
		if !strings.Contains(got, `"total_calls":0`) || strings.Contains(got, `"groups"`) {
			t.Error(got)
		}
		if span := s.To.Sub(s.From); span < statsSpan || span > statsSpan+time.Minute {
			t.Errorf("without a period it is %s", span)
		}
	})
}

func TestThePeriodOfStatsIsWholeMinutes(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 10 {
			keep(t, log, calllog.SubjectHash{}, called(n))
		}
		for _, tt := range []struct {
			from, to time.Duration
			want     int64
		}{
			{0, 10 * time.Minute, 10},
			{time.Minute, 2 * time.Minute, 1},
			{time.Minute + 59*time.Second, 2 * time.Minute, 1},
			{time.Minute, 2*time.Minute + time.Nanosecond, 2},
			{10 * time.Minute, time.Hour, 0},
			{-time.Hour, 0, 0},
		} {
			s, err := r.shared.Stats(reader(t, "*", "*"), in(tt.from, tt.to))
			if err != nil || s.TotalCalls != tt.want || s.From.Second() != 0 || s.To.Second() != 0 {
				t.Errorf("from %s to %s: %d calls, want %d; %s to %s, %v", tt.from, tt.to, s.TotalCalls, tt.want, s.From, s.To, err)
			}
		}
	})
}

func TestGroupsOfStatsAddUpToTheWhole(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 180 {
			keep(t, log, calllog.SubjectHash{}, called(n, func(c *registry.Call) {
				c.Version = fmt.Sprintf("1.%d.0", n%3)
				c.Arm = []string{registry.StableArm, registry.CandidateArm}[n%2]
				if n%4 == 0 {
					c.Environment = "dev"
				}
			}))
		}
		for by, want := range map[string]string{
			"version": "dev 1.2.0, dev 1.1.0, dev 1.0.0, production 1.2.0, production 1.1.0, production 1.0.0",
			"arm": "dev 1.2.0 stable, dev 1.1.0 stable, dev 1.0.0 stable, production 1.2.0 candidate, production 1.2.0 stable, " +
				"production 1.1.0 candidate, production 1.1.0 stable, production 1.0.0 candidate, production 1.0.0 stable",
			"hour": "dev 00:00, production 00:00, dev 01:00, production 01:00, dev 02:00, production 02:00",
		} {
			s, err := r.shared.Stats(reader(t, "*", "*"), in(0, 3*time.Hour, grouping(by)))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			var calls int64
			for _, g := range s.Groups {
				name := strings.Join(strings.Fields(g.Environment+" "+g.Version+" "+g.Arm), " ")
				if g.Hour != nil {
					name += g.Hour.Format(" 15:04")
				}
				names = append(names, name)
				calls += g.TotalCalls
			}
			if got := strings.Join(names, ", "); got != want || calls != 180 || s.TotalCalls != 180 {
				t.Errorf("by %s: %d of %d calls in\n%s, want\n%s", by, calls, s.TotalCalls, got, want)
			}
		}
		one, err := r.shared.Stats(reader(t, "*", "*"), in(0, 3*time.Hour, func(q *registry.StatsQuery) {
			q.Environment, q.Version, q.Arm = "production", "1.1.0", registry.CandidateArm
		}))
		if err != nil || one.TotalCalls != 30 {
			t.Errorf("%d calls of one series: %v", one.TotalCalls, err)
		}
	})
}

func TestStatsCountOnlyWhatTheCallerMayRead(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 10 {
			keep(t, log, calllog.SubjectHash{}, called(n, func(c *registry.Call) {
				if n < 3 {
					c.Environment = "dev"
				}
			}))
		}
		inEnv := func(env string) func(*registry.StatsQuery) {
			return func(q *registry.StatsQuery) { q.Environment = env }
		}
		for _, tt := range []struct {
			name string
			may  [2]string // read: environments and prompts
			q    registry.StatsQuery
			want int64
			err  error
			says string
		}{
			{"all environments", [2]string{"*", "*"}, in(0, time.Hour), 10, nil, ""},
			{"one of them", [2]string{"dev", "*"}, in(0, time.Hour, grouping("version")), 3, nil, ""},
			{"that one by name", [2]string{"dev", "support"}, in(0, time.Hour, inEnv("dev")), 3, nil, ""},
			{"another one by name", [2]string{"dev", "*"}, in(0, time.Hour, inEnv("production")), 0, registry.ErrForbidden, "may not read support in production"},
			{"another prompt", [2]string{"*", "billing/*"}, in(0, time.Hour), 0, registry.ErrForbidden, "may not read support"},
			{"nobody", [2]string{}, in(0, time.Hour), 0, registry.ErrForbidden, "whoever has no key"},
			{"an unknown prompt", [2]string{"*", "*"}, in(0, time.Hour, func(q *registry.StatsQuery) { q.Prompt = "supprt" }), 0, registry.ErrNotFound, "supprt"},
			{"an unknown environment", [2]string{"*", "*"}, in(0, time.Hour, inEnv("qa")), 0, registry.ErrNotFound, `"qa"`},
			{"an unknown version", [2]string{"*", "*"}, in(0, time.Hour, func(q *registry.StatsQuery) { q.Version = "9.9.9" }), 0, registry.ErrNotFound, "9.9.9"},
			{"no version", [2]string{"*", "*"}, in(0, time.Hour, func(q *registry.StatsQuery) { q.Version = "new" }), 0, prompt.ErrInvalid, "new"},
			{"unknown parts", [2]string{"*", "*"}, in(0, time.Hour, grouping("week")), 0, prompt.ErrInvalid, `not by "week"`},
			{"no prompt", [2]string{"*", "*"}, registry.StatsQuery{}, 0, prompt.ErrInvalid, "Name a prompt"},
			{"a period that ends before it begins", [2]string{"*", "*"}, in(time.Hour, 0), 0, prompt.ErrInvalid, "begins at"},
		} {
			s, err := r.shared.Stats(reader(t, tt.may[0], tt.may[1]), tt.q)
			if !errors.Is(err, tt.err) || s.TotalCalls != tt.want || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %d calls, want %d; %v, want %v about %q", tt.name, s.TotalCalls, tt.want, err, tt.err, tt.says)
			}
			for _, g := range s.Groups {
				if g.Environment != "dev" {
					t.Errorf("%s: a group of %s", tt.name, g.Environment)
				}
			}
		}
	})
}
