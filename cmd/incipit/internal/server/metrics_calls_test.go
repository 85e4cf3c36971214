package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func seriesIn(t *testing.T, f *CallFigures) map[string]int {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(f.collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int)
	for _, fam := range families {
		out[fam.GetName()] = len(fam.GetMetric())
	}
	return out
}

func observed(id string, i int) registry.Call {
	return registry.Call{
		Prompt: prompt.ID(id), Version: "1.0.0", Environment: "dev", Arm: "stable", Outcome: registry.OK, Latency: time.Second,
		InputTokens: registry.Some(int64(1)), OutputTokens: registry.Some(int64(1)), Cost: registry.Some(registry.NanoUSD(1)), Tags: map[string]string{"user": fmt.Sprint(i)},
	}
}

// Whatever calls say, the number of series has a bound, and none is lost.
func TestSeriesStayBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f := NewCallFigures(func() time.Time { return now })
	for i := range 100_000 {
		f.Observe(observed("support", i)) // 100,000 values of a tag
	}
	if n := seriesIn(t, f); n["incipit_calls_total"] != 1 || n["incipit_call_latency_seconds"] != 1 || n["incipit_call_tokens_total"] != 2 {
		t.Errorf("100,000 values of a tag make %v", n)
	}
	for i := range 5000 {
		f.Observe(observed(fmt.Sprintf("p%d", i), i))
	}
	if n := seriesIn(t, f); n["incipit_calls_total"] != maxSeries+1 || n["incipit_call_latency_seconds"] != maxSeries+1 || n["incipit_call_tokens_total"] != 2*(maxSeries+1) {
		t.Errorf("5,000 prompts make %v", n)
	}
	total := func(text string) (sum float64) {
		for _, v := range regexp.MustCompile(`(?m)^incipit_calls_total\{[^}]*\} ([0-9e+.]+)$`).FindAllStringSubmatch(text, -1) {
			var n float64
			if _, err := fmt.Sscan(v[1], &n); err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	m := newMetricsOf(t, f)
	if got := total(m); got != 105_000 || !strings.Contains(m, `prompt="__other__"`) {
		t.Errorf("%v calls are counted", got)
	}
	// What was silent for a day gives its place to what is new.
	now = now.Add(seriesIdle + time.Minute)
	f.Observe(observed("new", 0))
	if m := newMetricsOf(t, f); !strings.Contains(m, `prompt="new"`) || strings.Contains(m, `prompt="p1"`) {
		t.Error("a version of today has no place beside those of yesterday")
	}
}

func newMetricsOf(t *testing.T, f *CallFigures) string {
	t.Helper()
	r := sqlite(t, func(c *Config) { c.Figures = f })
	return string(r.send("GET", "/metrics", r.admin, "").body)
}

// The dashboard asks for nothing that a server does not tell.
func TestTheDashboardShowsWhatAServerMeasures(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	r.record(r.admin, aCall(sent{"input_tokens": 1, "output_tokens": 2, "cached_tokens": 1, "cost_usd": 0.1, "satisfaction": 5}),
		aCall(sent{"outcome": "error", "error_class": "provider"}), aCall(sent{"outcome": "cancelled"}), aCall(sent{"version": "0.0.9"}))
	r.listen("dev", r.admin).next()
	until(t, func() bool { return r.send("GET", "/readyz", "", "").status == 200 })
	labels := map[string][]string{"incipit_sync_age_seconds": {""}} // by metric; that one needs a Git
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? [^ ]+$`).FindAllSubmatch(r.send("GET", "/metrics", r.admin, "").body, -1) {
		for _, l := range regexp.MustCompile(`([a-z_]+)="`).FindAllSubmatch(m[2], -1) {
			labels[string(m[1])] = append(labels[string(m[1])], string(l[1]))
		}
		labels[string(m[1])] = append(labels[string(m[1])], "")
	}
	data, err := os.ReadFile(filepath.FromSlash("../../../../docs/grafana/incipit.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Type, Definition string }
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&board); err != nil {
		t.Fatal(err)
	}
	var exprs []string
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	for _, v := range board.Templating.List {
		if m := regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`).FindStringSubmatch(v.Definition); v.Type == "query" && m != nil {
			exprs = append(exprs, "sum by ("+m[2]+") ("+m[1]+")")
		} else if v.Type == "query" {
			t.Errorf("%q", v.Definition)
		}
	}
	if len(exprs) < 15 {
		t.Errorf("only %d expressions", len(exprs))
	}
	name := regexp.MustCompile(`\b(?:incipit|process|go)_[a-z_]+\b`)
	label := regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	by := regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	for _, expr := range exprs {
		names := name.FindAllString(expr, -1)
		var known []string
		for _, n := range names {
			if labels[n] == nil {
				t.Errorf("%s: no server tells %s", expr, n)
			}
			known = append(known, labels[n]...)
		}
		var asked []string
		for _, m := range label.FindAllStringSubmatch(expr, -1) {
			asked = append(asked, m[1])
		}
		for _, m := range by.FindAllStringSubmatch(expr, -1) {
			asked = append(asked, strings.Split(m[1], ", ")...)
		}
		for _, l := range asked {
			if len(names) == 0 || !slices.Contains(known, l) && l != "instance" && l != "job" {
				t.Errorf("%s: there is no label %s", expr, l)
			}
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	f := NewCallFigures(time.Now)
	calls := make([]registry.Call, 100)
	for i := range calls {
		calls[i] = observed(fmt.Sprintf("p%d", i%20), rand.Int())
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Observe(calls[i%100])
	}
}
