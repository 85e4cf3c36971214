package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ConfigFile marks the root of a workspace.
const ConfigFile = "incipit.yaml"

// Config is what incipit.yaml says.
type Config struct {
	Prompts      string // directory of the prompts, relative to the workspace
	Environments []registry.Environment
	Bucketing    registry.Bucketing
	EvidenceKeys evidence.Keys // that evidence must be signed with; none: what is noted is believed
	Server       string        // the URL of the server that keeps the registry; "" if registry.json does
	Tests        Tests
}

// DefaultConfig stands where there is no incipit.yaml: the environments that
// registry.json knows from the start, production protected.
func DefaultConfig() Config {
	c := Config{
		Prompts:      "prompts",
		Environments: []registry.Environment{{Name: "dev"}, {Name: "staging"}, {Name: "production", Protected: true}},
		Bucketing:    registry.DefaultBucketing,
		Tests:        DefaultTests(),
	}
	c.Tests.CompareWith = "production"
	return c
}

// Environment finds an environment by its name.
func (c Config) Environment(name string) (registry.Environment, error) {
	var known []string
	for _, e := range c.Environments {
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return registry.Environment{}, registry.WithFix(
		fmt.Errorf("environment %q is %w in %s", prompt.Clip(name, 40), registry.ErrNotFound, ConfigFile),
		"%s", suggest(name, known, "environments are "))
}

// configFile is the file's shape. Unknown keys are refused: a misspelled
// "protected" must not leave production open.
type configFile struct {
	Prompts      string           `yaml:"prompts"`
	Environments []environmentRow `yaml:"environments"`
	Bucketing    string           `yaml:"bucketing"`
	Evidence     evidenceRow      `yaml:"evidence"`
	Server       string           `yaml:"server"`
	Tests        testsRow         `yaml:"tests"`
}

type evidenceRow struct {
	Keys []string `yaml:"keys"`
}

const maxConfigBytes = 64 << 10

// IsEnvironmentName reports whether s is up to 32 of a-z, 0-9 and dashes, the
// first no dash.
func IsEnvironmentName(s string) bool {
	return s != "" && len(s) <= 32 && s[0] != '-' &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// ParseConfig reads incipit.yaml. Errors name the file and the line.
func ParseConfig(data []byte) (Config, error) {
	c := DefaultConfig()
	bad := func(format string, args ...any) (Config, error) {
		return c, fmt.Errorf("%s is %w: %s", ConfigFile, prompt.ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(data) > maxConfigBytes {
		return bad("it is larger than %d bytes", maxConfigBytes)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return bad("%s", yamlProblem(err))
	}
	if n := indirection(&doc); n != nil {
		return bad("line %d: aliases, merge keys and tags are not supported; write the value out", n.Line)
	}
	var f configFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return bad("%s", yamlProblem(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return bad("it holds more than one document")
	}
	if f.Prompts != "" {
		if !plainDirectory(f.Prompts) {
			return bad("prompts: %q must be a plain directory inside the workspace, such as prompts", prompt.Visible(f.Prompts))
		}
		c.Prompts = f.Prompts
	}
	if len(f.Environments) > 0 {
		var err error
		if c.Environments, err = environmentsOf(f.Environments, &doc); err != nil {
			return bad("%v", err)
		}
	}
	var err error
	if c.Bucketing, err = registry.ParseBucketing(f.Bucketing); err != nil {
		return bad("bucketing: %v", err)
	}
	if c.EvidenceKeys, err = evidence.ParseKeys(strings.Join(f.Evidence.Keys, "\n")); err != nil {
		return bad("%sevidence: keys: %v", at(&doc, "evidence", "keys"), err)
	}
	if c.Server, err = serverURL(f.Server); err != nil {
		return bad("%sserver: %v", at(&doc, "server"), err)
	}
	if c.Tests, err = f.Tests.tests(c.Environments); err != nil {
		return bad("%stests: %v", at(&doc, "tests"), err)
	}
	return c, nil
}

// yamlProblem is the library's message without its prefix.
func yamlProblem(err error) string {
	s := strings.TrimPrefix(prompt.Visible(err.Error()), "yaml: ")
	lines := strings.Split(strings.TrimPrefix(s, "unmarshal errors:\n  "), "\n")
	for i, line := range lines { // what they say of Go's types is for Go's programmers
		line, _, _ = strings.Cut(line, " in type ")
		lines[i], _, _ = strings.Cut(line, " into ")
	}
	return strings.Join(lines, "\n")
}

// indirection finds a node that says something other than what it shows.
func indirection(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Tag == "!!merge" || n.Style&yaml.TaggedStyle != 0 {
		return n
	}
	for _, c := range n.Content {
		if a := indirection(c); a != nil {
			return a
		}
	}
	return nil
}
