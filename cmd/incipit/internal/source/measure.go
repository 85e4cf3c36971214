package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A Measurement is how a release fared, as the metadata tells it. What was not
// measured is nil: what the metadata says of it stays.
type Measurement struct {
	UserSatisfaction      *float64 // from 1 to 5
	AverageResponseTimeMS *float64
	EstimatedCostPer1K    *float64 // US dollars for 1,000 tokens
}

// A Measured is what a measurement makes of a prompt's metadata.
type Measured struct {
	File    string        `json:"file"`
	Figures []FigureValue `json:"figures"`
}

// A FigureValue is a number of the metadata, and what was measured in its
// place. Before is nil if it is null or not there.
type FigureValue struct {
	Field  string   `json:"field"`
	Before *float64 `json:"before"`
	After  *float64 `json:"after"` // as Before if it was not measured
}

// Changed reports whether the file says something else afterwards.
func (m *Measured) Changed() bool {
	return slices.ContainsFunc(m.Figures, func(f FigureValue) bool {
		return (f.Before == nil) != (f.After == nil) || f.Before != nil && *f.Before != *f.After
	})
}

// performanceMetrics is the field of the metadata that holds two of the figures.
const performanceMetrics = "performance_metrics"

// Measure writes a measurement into the metadata in the work tree, whole or not
// at all, every other byte as it was. With dryRun it only tells. Nothing is
// committed: the next release takes it in.
func (w *Workspace) Measure(ctx context.Context, id prompt.ID, m Measurement, dryRun bool) (*Measured, error) {
	if _, shared := id.Shared(); shared {
		return nil, registry.Errorf(prompt.ErrInvalid, "%s is a text that prompts include: it has no metadata, and no calls of its own", id)
	}
	dir, err := w.open(w.Files(), id)
	if err != nil {
		return nil, err
	}
	out := &Measured{File: path.Join(dir.dir, prompt.MetadataFile)}
	if dryRun {
		_, err := w.measured(out, m)
		return out, err
	}
	err = w.exclusively(ctx, func(*gitrepo.Repo) error {
		data, err := w.measured(out, m)
		if err != nil || !out.Changed() {
			return err
		}
		return w.writeFile(out.File, data)
	})
	return out, err
}

// measured reads the file, fills in its figures, and returns what it is to hold.
func (w *Workspace) measured(out *Measured, m Measurement) ([]byte, error) {
	data, err := w.readFile(out.File, prompt.MaxMetadataBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no %s", out.File), "incipit validate says what it must hold")
	}
	if err != nil {
		return nil, err
	}
	if data, out.Figures, err = m.in(data); err != nil {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s: %v", out.File, err), "incipit validate shows where")
	}
	return data, nil
}

// in is metadata with m in it, and every other byte as it was.
func (m Measurement) in(data []byte) ([]byte, []FigureValue, error) {
	var figures []FigureValue
	for _, f := range []struct {
		path []string
		v    *float64
	}{
		{[]string{performanceMetrics, "user_satisfaction"}, m.UserSatisfaction},
		{[]string{performanceMetrics, "average_response_time_ms"}, m.AverageResponseTimeMS},
		{[]string{"estimated_cost_per_1k"}, m.EstimatedCostPer1K},
	} {
		before, err := number(data, f.path...)
		figure := FigureValue{Field: f.path[len(f.path)-1], Before: before, After: before}
		if err == nil && f.v != nil && (before == nil || *before != *f.v) {
			figure.After = f.v
			data, err = withNumber(data, *f.v, f.path...)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.path[0], err)
		}
		figures = append(figures, figure)
	}
	return data, figures, nil
}

// number is the number at path in an object, nil if there is none or null.
func number(data []byte, path ...string) (*float64, error) {
	value, err := valueOf(data, path[0])
	if err != nil || value == nil {
		return nil, err
	}
	if len(path) > 1 {
		return number(value, path[1:]...)
	}
	var n float64
	if json.Unmarshal(value, &n) != nil {
		return nil, fmt.Errorf("%s is no number", prompt.Clip(string(value), 40))
	}
	return &n, nil
}

// withNumber is data with n at path, and nothing else changed.
func withNumber(data []byte, n float64, path ...string) ([]byte, error) {
	if len(path) == 1 {
		return strictjson.Append(data, path[0], n)
	}
	inner, err := valueOf(data, path[0])
	if err != nil {
		return nil, err
	}
	members := []strictjson.Member(nil)
	if inner != nil {
		if members, err = strictjson.Members(inner); err != nil {
			return nil, err
		}
	}
	if len(members) == 0 {
		return strictjson.Append(data, path[0], map[string]float64{path[1]: n})
	}
	if inner, err = withNumber(inner, n, path[1:]...); err != nil {
		return nil, err
	}
	return strictjson.Append(data, path[0], json.RawMessage(inner))
}

// valueOf is the value of a key of an object, nil if there is none or null.
func valueOf(data []byte, key string) ([]byte, error) {
	members, err := strictjson.Members(data)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Key == key })
	if i < 0 || string(data[members[i].Start:members[i].End]) == "null" {
		return nil, nil
	}
	return data[members[i].Start:members[i].End], nil
}
