package prompt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// usage is where the variables of a prompt's texts stand.
type usage struct {
	used   map[string]bool
	places []place
}

type place struct {
	variable, role string
	in             source
	offset         int
}

func (u *usage) note(variable, role string, t source, offset int) {
	u.used[variable] = true
	u.places = append(u.places, place{variable, role, t, offset})
}

// metadata reads the metadata and holds it to the rules that concern it alone.
func (p *parser) metadata(files Files) Metadata {
	if files.Metadata == nil {
		p.broken = true
		p.report(MetadataFile, 0, 0, "missing-file", "a prompt needs "+MetadataFile, "incipit new makes one to start from")
		return Metadata{}
	}
	m, ok := parseMetadata(files.Metadata,
		func(e *strictjson.Error) { p.syntax(MetadataFile, files.Metadata, e) },
		func(code, msg string, path ...string) { p.key(code, msg, "", path...) })
	if !ok {
		p.broken = true
		return m
	}
	for _, f := range []field{{"name", m.Name}, {"version", m.Version}, {"model", m.Model}, {"description", m.Description}} {
		if f.dst == "" && !p.reported("metadata-type", f.key) {
			p.key("metadata-missing", f.key+" is missing or empty", "", f.key)
		}
	}
	for _, f := range []field{{"version", m.Version}, {"previous_version", m.PreviousVersion}} {
		if s, _ := f.dst.(string); s != "" {
			if _, err := ParseVersion(s); err != nil {
				p.key("version", err.Error(), "", f.key)
			}
		}
	}
	for _, f := range []field{{"created", m.Created}, {"updated", m.Updated}} {
		if s, _ := f.dst.(string); s != "" {
			if err := checkTime(s); err != nil {
				p.key("metadata-time", fmt.Sprintf("%s %q %s", f.key, Clip(s, 40), err), "", f.key)
			}
		}
	}
	p.shapes(m)
	return m
}

// reported tells whether a key already has a finding, by its message.
func (p *parser) reported(code, key string) bool {
	return slices.ContainsFunc(p.findings, func(f Finding) bool {
		return f.Code == code && strings.HasPrefix(f.Message, key+" ")
	})
}

// shapes checks the fields whose inside matters to a model.
func (p *parser) shapes(m Metadata) {
	var object map[string]any
	if m.Parameters != nil && json.Unmarshal(m.Parameters, &object) != nil {
		p.key("metadata-type", "parameters must be an object", `write {"temperature": 0.2}`, "parameters")
	}
	if m.OutputSchema != nil && json.Unmarshal(m.OutputSchema, &object) != nil {
		p.key("metadata-type", "output_schema must be a JSON Schema object", `write {"type": "object", "properties": {…}}`, "output_schema")
	}
	var list []map[string]any
	if m.Tools != nil && json.Unmarshal(m.Tools, &list) != nil {
		p.key("metadata-type", "tools must be a list of objects", "", "tools")
	}
	for _, key := range []string{"parameters", "output_schema", "tools"} {
		raw := map[string]json.RawMessage{"parameters": m.Parameters, "output_schema": m.OutputSchema, "tools": m.Tools}[key]
		if raw == nil {
			continue
		}
		if _, err := strictjson.Canonical(raw); err != nil {
			p.key("metadata-number", key+": "+err.Error(), "", key)
		}
	}
	p.comparison(m.Comparison)
	for _, rule := range slices.Sorted(maps.Keys(m.Allow)) {
		if strings.TrimSpace(m.Allow[rule]) == "" {
			p.key("allow", "an exception needs its reason: allow."+rule, "", "allow", rule)
		}
	}
}

// comparison checks that each margin is a share.
func (p *parser) comparison(c *Comparison) {
	if c == nil {
		return
	}
	margins := maps.Clone(c.Margins)
	if c.Margin != nil {
		if margins == nil {
			margins = make(map[string]float64)
		}
		margins[""] = *c.Margin
	}
	for _, metric := range slices.Sorted(maps.Keys(margins)) {
		if m := margins[metric]; m >= 0 && m < 1 {
			continue
		}
		if metric == "" {
			p.key("metadata-number", "comparison.margin: it must be a share such as 0.05", "", "comparison", "margin")
		} else {
			p.key("metadata-number", fmt.Sprintf("comparison.margins.%s: it must be a share such as 0.05", Clip(metric, 40)), "", "comparison", "margins", metric)
		}
	}
}

// contract holds the declared variables against the ones the texts use.
func (p *parser) contract(m Metadata, use usage) {
	for _, name := range slices.Sorted(maps.Keys(m.Variables)) {
		p.variable(name, m.Variables[name])
		if !use.used[name] {
			p.key("variable-unused", fmt.Sprintf("variable %s is declared and stands in no message", name), "use {{"+name+"}} or delete the declaration", "variables", name)
		}
	}
	for _, pl := range use.places {
		v, ok := m.Variables[pl.variable]
		switch {
		case !ok:
			p.in(pl.in, pl.offset, "variable-undeclared", fmt.Sprintf("{{%s}} is not declared", pl.variable),
				fmt.Sprintf(`add "variables": {%q: {"type": "string"}} to %s`, pl.variable, MetadataFile))
		case pl.role == System && !v.Trusted:
			p.in(pl.in, pl.offset, "untrusted-in-system", fmt.Sprintf("{{%s}} stands in the system message and is not trusted: whoever writes its value could instruct the model", pl.variable),
				fmt.Sprintf(`move it to %s, or declare "trusted": true if only your own program writes it`, UserFile))
		}
	}
}

func (p *parser) variable(name string, v Variable) {
	at := []string{"variables", name}
	if !isVariableName(name) {
		p.key("variable-name", fmt.Sprintf("%q is not a variable name", Clip(name, 64)), "use letters, digits and _, at most 64, and no digit first", at...)
	}
	switch v.Kind() {
	case "string", "integer", "number", "boolean":
	default:
		p.key("variable-type", fmt.Sprintf("variable %s has the type %q", name, Clip(v.Type, 40)), "types are string, integer, number and boolean", at...)
		return
	}
	if v.MaxLength < 0 {
		p.key("variable-type", fmt.Sprintf("variable %s: max_length is negative", name), "", at...)
	}
	switch {
	case v.Default != nil:
		if _, err := v.format(v.Default); err != nil {
			p.key("variable-default", fmt.Sprintf("variable %s: its default does not fit: %v", name, err), "", at...)
		}
		if v.Required != nil && *v.Required {
			p.key("variable-default", fmt.Sprintf("variable %s is required, so its default is never used", name), `delete "required" or "default"`, at...)
		}
	case !v.IsRequired():
		p.key("variable-default", fmt.Sprintf("variable %s is optional and has no default", name), `add "default": ""`, at...)
	}
}
