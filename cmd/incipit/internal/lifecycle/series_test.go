package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// over a period from the beginning of the tests' clock.
func seriesOver(to, step time.Duration, by string) registry.SeriesQuery {
	begin := called(0).StartedAt
	return registry.SeriesQuery{Prompt: "support", From: begin, To: begin.Add(to), Step: step, By: by}
}

func TestASeriesHasALineForEachVersionAndAPointForEachStep(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 180 { // three hours; 1.1.0 takes every third call of the last two
			keep(t, log, calllog.SubjectHash{}, called(n, func(c *registry.Call) {
				if n >= 60 && n%3 == 0 {
					c.Version, c.Arm = "1.1.0", registry.CandidateArm
				}
				if n%10 == 0 {
					c.Outcome, c.ErrorClass = registry.Failed, registry.TimeoutError
				}
				if n%4 == 0 {
					c.Environment = "dev"
				}
			}))
		}
		for _, tt := range []struct {
			name string
			may  string
			q    registry.SeriesQuery
			want string
		}{
			{"by hour", "*", seriesOver(3*time.Hour, time.Hour, ""), "dev 1.1.0: 01:00=5 02:00=5; dev 1.0.0: 00:00=15 01:00=10 02:00=10; " +
				"production 1.1.0: 01:00=15 02:00=15; production 1.0.0: 00:00=45 01:00=30 02:00=30"},
			{"where the caller may read", "dev", seriesOver(3*time.Hour, time.Hour, "version"), "dev 1.1.0: 01:00=5 02:00=5; dev 1.0.0: 00:00=15 01:00=10 02:00=10"},
			{"by day", "dev", seriesOver(3*time.Hour, 24*time.Hour, "arm"), "dev 1.1.0 candidate: 00:00=10; dev 1.0.0 stable: 00:00=35"},
			{"by minute, where hours lie in the period", "dev", seriesOver(10*time.Minute, time.Minute, ""), "dev 1.0.0: 00:00=1 00:04=1 00:08=1"},
			{"by five minutes over whole hours", "dev", seriesOver(time.Hour, 5*time.Minute, ""), "dev 1.0.0: 00:00=2 00:05=1 00:10=1 00:15=1 00:20=2 00:25=1 00:30=1 00:35=1 00:40=2 00:45=1 00:50=1 00:55=1"},
		} {
			s, err := r.shared.Series(reader(t, tt.may, "*"), tt.q)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			var lines []string
			for _, l := range s.Lines {
				line := strings.TrimSpace(l.Environment+" "+l.Version+" "+l.Arm) + ":"
				calls, failed := int64(0), int64(0)
				for _, p := range l.Points {
					line += fmt.Sprintf(" %s=%d", p.At.Format("15:04"), p.TotalCalls)
					calls, failed = calls+p.TotalCalls, failed+p.ErrorsByClass["timeout"]
					if p.P95LatencyMS == nil || p.ErrorRate == nil {
						t.Errorf("%s: a point has no figures: %+v", tt.name, p)
					}
				}
				if calls != l.TotalCalls || failed != l.Errors {
					t.Errorf("%s: points of %d calls and %d errors, a line of %d and %d", tt.name, calls, failed, l.TotalCalls, l.Errors)
				}
				lines = append(lines, line)
			}
			if got := strings.Join(lines, "; "); got != tt.want {
				t.Errorf("%s:\n%s, want\n%s", tt.name, got, tt.want)
			}
		}
	})
}

func TestASeriesTellsWhatWasDeployedMeanwhile(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("production", "1.0.0"))
		r.done(deploying("production", "1.1.0", canary, because("calmer")))
		r.done(deploying("production", "1.2.0", of("billing/refunds")))
		now := r.clock.Now()
		marks := func(may, env string, from, to time.Time) string {
			t.Helper()
			s, err := r.shared.Series(reader(t, may, "*"), registry.SeriesQuery{Prompt: "support", Environment: env, From: from, To: to})
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, m := range s.Marks {
				out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s %s %s %s %s", m.Environment, m.Seq, m.Action, m.Version, m.Candidate, m.By, m.Reason)))
			}
			return strings.Join(out, "; ")
		}
		before, after := now.Add(-time.Hour), now.Add(time.Hour)
		const first, second, third = "dev 1 deploy 1.0.0  bob@example.com", "production 1 deploy 1.0.0  bob@example.com", "production 2 deploy 1.0.0 1.1.0 bob@example.com calmer"
		for _, tt := range []struct {
			name, may, env string
			from, to       time.Time
			want           string
		}{
			{"all", "*", "", before, after, first + "; " + second + "; " + third},
			{"of one environment", "*", "production", before, after, second + "; " + third},
			{"that the caller may see", "dev", "", before, after, first},
			{"before", "*", "", before.Add(-time.Hour), before, ""},
			{"later", "*", "", after, after.Add(time.Hour), ""},
		} {
			if got := marks(tt.may, tt.env, tt.from, tt.to); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
	})
}

func TestASeriesThatCannotBeIsRefused(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		for _, tt := range []struct {
			name string
			q    registry.SeriesQuery
			kind error
			says string
		}{
			{"of nothing", registry.SeriesQuery{}, prompt.ErrInvalid, "whose calls?"},
			{"of an unknown prompt", registry.SeriesQuery{Prompt: "supprt"}, registry.ErrNotFound, "supprt"},
			{"by hour", seriesOver(time.Hour, 0, "hour"), prompt.ErrInvalid, `not by "hour"`},
			{"by another step", seriesOver(time.Hour, time.Second, ""), prompt.ErrInvalid, "points lie"},
			{"by too short a step", seriesOver(1000*time.Hour, time.Minute, ""), prompt.ErrInvalid, "are the most"},
			{"backwards", seriesOver(-time.Hour, 0, ""), prompt.ErrInvalid, "the period begins"},
		} {
			if _, err := r.shared.Series(reader(t, "*", "*"), tt.q); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %v about %q", tt.name, err, tt.kind, tt.says)
			}
		}
		if _, err := r.shared.Series(reader(t, "dev", "billing/*"), seriesOver(time.Hour, 0, "")); !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("of a prompt that may not be read: %v", err)
		}
		r.shared.config.Calls = nil
		if _, err := r.shared.Series(reader(t, "*", "*"), seriesOver(time.Hour, 0, "")); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("without a log: %v", err)
		}
	})
}
