package source

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAMeasurementChangesItsNumbersAlone(t *testing.T) {
	all := Measurement{UserSatisfaction: new(4.32), AverageResponseTimeMS: new(1240.0), EstimatedCostPer1K: new(0.003214)}
	tests := []struct {
		name   string
		m      Measurement
		before string
		after  string
	}{
		{
			"numbers are replaced where they stand", all,
			"{\n\t\"z\": [1, 2.50, 1e2],\n\t\"estimated_cost_per_1k\": 0.0030,\n\t\"performance_metrics\": { \"average_response_time_ms\": null,  \"accuracy\": 0.940, \"user_satisfaction\":4 },\n\t\"a\": \"last\"\n}\n",
			"{\n\t\"z\": [1, 2.50, 1e2],\n\t\"estimated_cost_per_1k\": 0.003214,\n\t\"performance_metrics\": { \"average_response_time_ms\": 1240,  \"accuracy\": 0.940, \"user_satisfaction\":4.32 },\n\t\"a\": \"last\"\n}\n",
		},
		{
			"what is missing comes last, indented like its neighbors", all,
			"{\n  \"name\": \"x\",\n  \"performance_metrics\": {\n    \"accuracy\": 0.9\n  }\n}\n",
			"{\n  \"name\": \"x\",\n  \"performance_metrics\": {\n    \"accuracy\": 0.9,\n    \"user_satisfaction\": 4.32,\n    \"average_response_time_ms\": 1240\n  },\n  \"estimated_cost_per_1k\": 0.003214\n}\n",
		},
		{
			"null becomes an object", all,
			"{\n  \"performance_metrics\": null,\n  \"name\": \"x\"\n}\n",
			"{\n  \"performance_metrics\": {\n    \"user_satisfaction\": 4.32,\n    \"average_response_time_ms\": 1240\n  },\n  \"name\": \"x\",\n  \"estimated_cost_per_1k\": 0.003214\n}\n",
		},
		{
			"so does an empty object",
			Measurement{AverageResponseTimeMS: new(7.0)},
			"{\n  \"performance_metrics\": {}\n}\n",
			"{\n  \"performance_metrics\": {\n    \"average_response_time_ms\": 7\n  }\n}\n",
		},
		{
			"what was not measured stays",
			Measurement{AverageResponseTimeMS: new(7.0)},
			"{\"estimated_cost_per_1k\": 0.0030, \"performance_metrics\": {\"user_satisfaction\": 4.10, \"average_response_time_ms\": 6}}",
			"{\"estimated_cost_per_1k\": 0.0030, \"performance_metrics\": {\"user_satisfaction\": 4.10, \"average_response_time_ms\": 7}}",
		},
		{
			"the same number keeps its layout",
			Measurement{UserSatisfaction: new(4.1), EstimatedCostPer1K: new(0.003)},
			"{\"estimated_cost_per_1k\": 0.0030, \"performance_metrics\": {\"user_satisfaction\": 4.10}}",
			"{\"estimated_cost_per_1k\": 0.0030, \"performance_metrics\": {\"user_satisfaction\": 4.10}}",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after, figures, err := tt.m.in([]byte(tt.before))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.after, string(after)); d != "" {
				t.Error(d)
			}
			if changed := (&Measured{Figures: figures}).Changed(); changed != (tt.before != tt.after) {
				t.Errorf("changed is %v", changed)
			}
			again, figures, err := tt.m.in(after)
			if err != nil || string(again) != string(after) || (&Measured{Figures: figures}).Changed() {
				t.Errorf("a second time: %s, %v", again, err)
			}
		})
	}
}

func TestMetadataThatCannotTakeNumbersIsRefused(t *testing.T) {
	m := Measurement{UserSatisfaction: new(4.0), EstimatedCostPer1K: new(1.0)}
	for name, before := range map[string]string{
		"no object":                `[]`,
		"no JSON":                  `{"name": }`,
		"a key twice":              `{"estimated_cost_per_1k": 1, "estimated_cost_per_1k": 2}`,
		"a list of metrics":        `{"performance_metrics": [1]}`,
		"a satisfaction in words":  `{"performance_metrics": {"user_satisfaction": "good"}}`,
		"a cost in words":          `{"estimated_cost_per_1k": "cheap"}`,
		"an object where a number": `{"estimated_cost_per_1k": {}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if after, _, err := m.in([]byte(before)); err == nil {
				t.Errorf("it became %s", after)
			}
		})
	}
}

// All other members keep their bytes, whatever they are.
func TestAMeasurementKeepsWhatItDoesNotKnow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		metadata := rapid.MapOfN(rapid.StringMatching(`[a-z_]{1,12}`), rapid.OneOf(rapid.Just(any(nil)), rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "text") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.Float64Range(-1e9, 1e9).Draw(t, "number") })), 0, 6).Draw(t, "metadata")
		if rapid.Bool().Draw(t, "has metrics") {
			metadata[performanceMetrics] = map[string]any{"accuracy": rapid.Float64Range(0, 1).Draw(t, "accuracy"), "of": []any{1.0, "x"}}
		}
		data, err := json.MarshalIndent(metadata, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		number := func(name string) *float64 { return rapid.Ptr(rapid.Float64Range(0, 1e6), true).Draw(t, name) }
		m := Measurement{number("satisfaction"), number("latency"), number("cost")}
		after, _, err := m.in(data)
		if err != nil {
			t.Fatal(err)
		}
		want := maps.Clone(metadata)
		metrics := make(map[string]any)
		if old, ok := metadata[performanceMetrics].(map[string]any); ok {
			maps.Copy(metrics, old)
		}
		for key, v := range map[string]*float64{"user_satisfaction": m.UserSatisfaction, "average_response_time_ms": m.AverageResponseTimeMS} {
			if v != nil {
				metrics[key] = *v
			}
		}
		if len(metrics) > 0 {
			want[performanceMetrics] = metrics
		}
		if m.EstimatedCostPer1K != nil {
			want["estimated_cost_per_1k"] = *m.EstimatedCostPer1K
		}
		var got map[string]any
		if err := json.Unmarshal(after, &got); err != nil {
			t.Fatalf("%s: %v", after, err)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(a) })); d != "" {
			t.Fatalf("%s\nbecame %s\n%s", data, after, d)
		}
	})
}

func TestMeasureWritesTheFileOrNothing(t *testing.T) {
	dir := t.TempDir()
	git(t, ".", "init", "--quiet", dir)
	at := filepath.Join(dir, "prompts", "greeting")
	name := filepath.Join(at, prompt.MetadataFile)
	const before = "{\n  \"name\": \"Greeting\",\n  \"version\": \"1.0.0\"\n}\n"
	for _, err := range []error{
		os.MkdirAll(at, 0o755),
		os.WriteFile(filepath.Join(at, prompt.SystemFile), []byte(strings.Repeat("Greet. ", 10)), 0o644),
		os.WriteFile(name, []byte(before), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := Open(context.Background(), dir, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})

	m := Measurement{AverageResponseTimeMS: new(12.5)}
	planned, err := w.Measure(t.Context(), "greeting", m, true)
	if data, _ := os.ReadFile(name); err != nil || string(data) != before {
		t.Fatalf("--dry-run: %v; the file is %s", err, data)
	}
	done, err := w.Measure(t.Context(), "greeting", m, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(planned, done); d != "" || done.File != "prompts/greeting/"+prompt.MetadataFile {
		t.Errorf("%s: %s", done.File, d)
	}
	data, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(data), `"average_response_time_ms": 12.5`) {
		t.Errorf("the file is %s: %v", data, err)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v: %v", fi.Mode(), err)
	}
	entries, err := os.ReadDir(at)
	if err != nil || len(entries) != 2 {
		t.Errorf("beside it: %v, %v", entries, err)
	}

	if _, err := w.Measure(t.Context(), "greting", m, false); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an unknown prompt: %v", err)
	}
	if _, err := w.Measure(t.Context(), "_shared/tone", m, false); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("an included text: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Measure(t.Context(), "greeting", m, false); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no metadata: %v", err)
	}
}
