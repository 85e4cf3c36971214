package prompt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// Metadata is what .prompt-metadata.json says about a prompt, besides what
// the model is given.
type Metadata struct {
	Name               string              `json:"name"`
	Version            string              `json:"version"`
	Description        string              `json:"description"`
	Created            string              `json:"created"` // RFC 3339, UTC
	Updated            string              `json:"updated"`
	Author             string              `json:"author"`
	Model              string              `json:"model"`
	ContextWindowUsed  *int64              `json:"context_window_used"`
	EstimatedCostPer1K *float64            `json:"estimated_cost_per_1k"`
	PerformanceMetrics *PerformanceMetrics `json:"performance_metrics"`
	ChangeNotes        string              `json:"change_notes"`
	Tags               []string            `json:"tags"`
	PreviousVersion    string              `json:"previous_version"`
	TestStatus         string              `json:"test_status"`

	Maintainer     string              `json:"maintainer,omitempty"`
	PreviousDigest string              `json:"previous_digest,omitempty"` // what previous_version asked of the model
	Includes       map[string]Version  `json:"includes,omitempty"`        // "tone@^1" → the release it was pinned to
	Variables      map[string]Variable `json:"variables,omitempty"`
	Parameters     json.RawMessage     `json:"parameters,omitempty"`
	Tools          json.RawMessage     `json:"tools,omitempty"`
	OutputSchema   json.RawMessage     `json:"output_schema,omitempty"`
	Allow          map[string]string   `json:"allow,omitempty"` // rule → the reason why it may be broken
	Comparison     *Comparison         `json:"comparison,omitempty"`

	// Other are the fields that Incipit does not know, as they stand in the file.
	Other map[string]json.RawMessage `json:"other,omitempty"`
}

// Comparison is how a candidate of the prompt is held against the release that
// runs. What is left out is the workspace's.
type Comparison struct {
	Margin  *float64           `json:"margin,omitempty"`  // how much worse is still good enough, as a share
	Margins map[string]float64 `json:"margins,omitempty"` // of single metrics
	Gate    []string           `json:"gate,omitempty"`    // the metrics that decide
}

// PerformanceMetrics are measured figures; nil means not measured.
type PerformanceMetrics struct {
	Accuracy              *float64 `json:"accuracy"`
	UserSatisfaction      *float64 `json:"user_satisfaction"`
	AverageResponseTimeMS *float64 `json:"average_response_time_ms"`
}

// fields are the known keys and where each is decoded. Decoding key by key
// keeps encoding/json from taking "VERSION" for version.
func (m *Metadata) fields() []field {
	return []field{
		{"name", &m.Name},
		{"version", &m.Version},
		{"description", &m.Description},
		{"created", &m.Created},
		{"updated", &m.Updated},
		{"author", &m.Author},
		{"model", &m.Model},
		{"context_window_used", &m.ContextWindowUsed},
		{"estimated_cost_per_1k", &m.EstimatedCostPer1K},
		{"performance_metrics", &m.PerformanceMetrics},
		{"change_notes", &m.ChangeNotes},
		{"tags", &m.Tags},
		{"previous_version", &m.PreviousVersion},
		{"test_status", &m.TestStatus},
		{"maintainer", &m.Maintainer},
		{"previous_digest", &m.PreviousDigest},
		{"includes", &m.Includes},
		{"variables", &m.Variables},
		{"parameters", &m.Parameters},
		{"tools", &m.Tools},
		{"output_schema", &m.OutputSchema},
		{"allow", &m.Allow},
		{"comparison", &m.Comparison},
	}
}

type field struct {
	key string
	dst any
}

// parseMetadata decodes what it can and reports the rest. problem is called
// with the path of keys to the place.
func parseMetadata(data []byte, syntax func(*strictjson.Error), problem func(code, msg string, path ...string)) (m Metadata, ok bool) {
	ms, err := strictjson.Members(data)
	if bad, ok := errors.AsType[*strictjson.Error](err); ok {
		syntax(bad)
		return m, false
	}
	fields := m.fields()
	for _, member := range ms {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == member.Key })
		if i < 0 {
			m.other(member.Key, data[member.Start:member.End])
			for _, f := range fields {
				if strings.EqualFold(f.key, member.Key) {
					problem("metadata-key", fmt.Sprintf("%q is not a field; keys are case-sensitive: write %q", member.Key, f.key), member.Key)
				}
			}
			continue
		}
		raw := data[member.Start:member.End]
		if member.Key == "variables" {
			m.Variables = parseVariables(raw, problem)
			continue
		}
		if err := json.Unmarshal(raw, fields[i].dst); err != nil {
			problem("metadata-type", member.Key+" "+typeProblem(err), member.Key)
		}
	}
	m.Parameters, m.Tools, m.OutputSchema = dropNull(m.Parameters), dropNull(m.Tools), dropNull(m.OutputSchema)
	return m, true
}

// other keeps a field that is not known, without the white space around its
// parts: what is read again from a database is the same.
func (m *Metadata) other(key string, raw []byte) {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return // what cannot be read was reported
	}
	if m.Other == nil {
		m.Other = make(map[string]json.RawMessage)
	}
	m.Other[key] = b.Bytes()
}

// A MetadataField is a field of the metadata and its value, as JSON.
type MetadataField struct {
	Key   string
	Value json.RawMessage
	Known bool // to Incipit
}

// Fields lists what the metadata says, in the order of the document: the known
// fields first, then the others by name. Fields that say nothing (null, "", an
// empty list or object) are left out.
func (m Metadata) Fields() ([]MetadataField, error) {
	var out []MetadataField
	for _, f := range m.fields() {
		value, err := json.Marshal(f.dst)
		if err != nil {
			return nil, fmt.Errorf("metadata: %s: %w", f.key, err)
		}
		if !slices.Contains([]string{"null", `""`, "[]", "{}"}, string(value)) {
			out = append(out, MetadataField{f.key, value, true})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Other)) {
		out = append(out, MetadataField{key, m.Other[key], false})
	}
	return out, nil
}

// parseVariables decodes the declarations one by one, so that what is wrong is
// reported where it stands.
func parseVariables(raw []byte, problem func(code, msg string, path ...string)) map[string]Variable {
	if string(raw) == "null" {
		return nil
	}
	ms, err := strictjson.Members(raw)
	if err != nil {
		problem("metadata-type", `variables must be an object: {"name": {"type": "string"}}`, "variables")
		return nil
	}
	known := []string{"type", "required", "default", "max_length", "trusted", "description"}
	vs := make(map[string]Variable, len(ms))
	for _, m := range ms {
		var v Variable
		fields, err := strictjson.Members(raw[m.Start:m.End])
		if err != nil {
			problem("metadata-type", "variable "+Clip(m.Key, 64)+` must be an object: {"type": "string"}`, "variables", m.Key)
		}
		for _, f := range fields {
			switch i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, f.Key) }); {
			case i < 0:
				problem("variable-key", fmt.Sprintf("variable %s: %q is not a field; the fields are %s", Clip(m.Key, 64), Clip(f.Key, 40), strings.Join(known, ", ")), "variables", m.Key, f.Key)
			case known[i] != f.Key:
				problem("variable-key", fmt.Sprintf("variable %s: %q is not a field; keys are case-sensitive: write %q", Clip(m.Key, 64), Clip(f.Key, 40), known[i]), "variables", m.Key, f.Key)
			}
		}
		if err == nil {
			if err := json.Unmarshal(raw[m.Start:m.End], &v); err != nil {
				problem("metadata-type", "variable "+Clip(m.Key, 64)+" "+typeProblem(err), "variables", m.Key)
			}
		}
		vs[m.Key] = v
	}
	return vs
}

func dropNull(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func typeProblem(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		want := t.Type.String()
		switch t.Type.Kind().String() {
		case "int64", "int":
			want = "a whole number"
		case "float64":
			want = "a number"
		case "slice":
			want = "a list"
		case "map", "struct":
			want = "an object"
		case "string":
			want = "a string"
		case "bool":
			want = "true or false"
		}
		at := ""
		if t.Field != "" {
			at = " (" + t.Field + ")"
		}
		return fmt.Sprintf("is a %s here%s and must be %s", t.Value, at, want)
	}
	return "cannot be read: " + err.Error()
}

// checkTime reports why s is no RFC 3339 time in UTC.
func checkTime(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("is not an RFC 3339 time such as 2026-01-31T09:00:00Z")
	}
	if _, offset := t.Zone(); offset != 0 {
		return fmt.Errorf("is not in UTC; write %s", t.UTC().Format(time.RFC3339))
	}
	return nil
}
