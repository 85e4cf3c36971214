package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An environmentRow is an environment as incipit.yaml has it.
type environmentRow struct {
	Name      string      `yaml:"name"`
	Protected bool        `yaml:"protected"`
	Reason    bool        `yaml:"reason"`
	After     string      `yaml:"after"`
	Require   requireRow  `yaml:"require"`
	Approvals int         `yaml:"approvals"`
	Freeze    []freezeRow `yaml:"freeze"`

	Guard *registry.Guard `yaml:"guard"`
}

// A freezeRow has from and to, or days. Times are strings: YAML would take one
// without a zone for UTC, and the person who wrote it most likely did not.
type freezeRow struct {
	From  string   `yaml:"from"`
	To    string   `yaml:"to"`
	Days  []string `yaml:"days"`
	Start string   `yaml:"start"`
	End   string   `yaml:"end"`
	Zone  string   `yaml:"zone"`
	Why   string   `yaml:"why"`
}

// A requireRow is a list of kinds, or what is wanted of each: [tests] is
// {tests: pass}.
type requireRow []string

// UnmarshalYAML reads either form.
func (r *requireRow) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode((*[]string)(r))
	}
	var wanted map[string]string
	err := n.Decode(&wanted)
	if err == nil {
		*r, err = registry.RequireAll(wanted)
	}
	return err
}

// What one environment may hold.
const (
	maxEnvironments = 50
	maxFreezes      = 50
	maxRequired     = 10
	maxWhy          = 200 // characters
)

// environmentsOf turns rows into environments, and holds them against each
// other. doc tells the lines.
func environmentsOf(rows []environmentRow, doc *yaml.Node) ([]registry.Environment, error) {
	if len(rows) > maxEnvironments {
		return nil, fmt.Errorf("environments: there are %d, at most %d are allowed", len(rows), maxEnvironments)
	}
	var out []registry.Environment
	seen := make(map[string]bool)
	for i, row := range rows {
		if !IsEnvironmentName(row.Name) || seen[row.Name] {
			return nil, fmt.Errorf("%senvironments: %q must be a name of its own: a-z, 0-9 and dashes, at most 32 characters",
				at(doc, "environments", i), prompt.Clip(row.Name, 40))
		}
		seen[row.Name] = true
		e, err := row.environment()
		if err != nil {
			return nil, fmt.Errorf("%senvironments: %s: %w", at(doc, "environments", i), row.Name, err)
		}
		out = append(out, e)
	}
	for i, e := range out {
		if err := checkAfter(out, e); err != nil {
			return nil, fmt.Errorf("%senvironments: %w", at(doc, "environments", i, "after"), err)
		}
	}
	return out, nil
}

func (row environmentRow) environment() (registry.Environment, error) {
	e := registry.Environment{Name: row.Name, Protected: row.Protected, Reason: row.Reason, After: row.After, Require: row.Require, Approvals: row.Approvals, Guard: row.Guard}
	if len(row.Require) > maxRequired || len(row.Freeze) > maxFreezes {
		return e, fmt.Errorf("at most %d kinds of evidence and %d freezes are allowed", maxRequired, maxFreezes)
	}
	for i, kind := range row.Require {
		if !IsEnvironmentName(kind) || slices.Contains(row.Require[:i], kind) {
			return e, fmt.Errorf("require: %q must be a kind of evidence, named once, such as tests", prompt.Clip(kind, 40))
		}
	}
	for _, f := range row.Freeze {
		freeze, err := f.freeze()
		if err != nil {
			return e, err
		}
		e.Freeze = append(e.Freeze, freeze)
	}
	alone := e
	alone.After = "" // checkAfter knows the others, too
	return e, alone.Validate()
}

func (f freezeRow) freeze() (registry.Freeze, error) {
	out := registry.Freeze{Days: f.Days, Start: f.Start, End: f.End, Zone: f.Zone, Why: f.Why}
	if len(f.Days) == 0 && (f.Start != "" || f.End != "" || f.Zone != "") {
		return out, errors.New("freeze: start, end and zone go with days; from and to hold the time and zone themselves")
	}
	if f.Zone == "Local" {
		return out, errors.New("freeze: Local is another zone on each machine; write one such as Europe/Berlin")
	}
	if len([]rune(f.Why)) > maxWhy || prompt.Visible(f.Why) != f.Why {
		return out, fmt.Errorf("freeze: why must be plain text of at most %d characters", maxWhy)
	}
	var err error
	if out.From, err = freezeTime("from", f.From); err == nil {
		out.To, err = freezeTime("to", f.To)
	}
	return out, err
}

func freezeTime(key, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("freeze: %s: %q must be a time with its zone, such as 2026-12-20T18:00:00+01:00 or 2026-12-20T17:00:00Z", key, prompt.Clip(s, 40))
	}
	return t, nil
}

// checkAfter follows what e comes after, to its end.
func checkAfter(all []registry.Environment, e registry.Environment) error {
	way := []string{e.Name}
	for next := e.After; next != ""; {
		if slices.Contains(way, next) {
			return fmt.Errorf("%s comes after itself: %s", next, strings.Join(append(way, next), " after "))
		}
		i := slices.IndexFunc(all, func(o registry.Environment) bool { return o.Name == next })
		if i < 0 {
			names := make([]string, len(all))
			for i, o := range all {
				names[i] = o.Name
			}
			return fmt.Errorf("%s comes after %q, which is no environment here; %s", way[len(way)-1], prompt.Clip(next, 40), suggest(next, names, "environments are "))
		}
		way = append(way, next)
		next = all[i].After
	}
	return nil
}

// serverURL accepts what a key may be sent to: https, or http to this machine.
func serverURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || prompt.Visible(s) != s || len(s) > 1024:
		return "", errors.New("it must be a URL such as https://incipit.example.com")
	case u.User != nil:
		return "", errors.New("leave the name and password out of the URL; this file is read by everyone who has the repository")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("leave out what stands behind ? or #")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", fmt.Errorf("http to %s would show the key to everyone on the way; write https, or use http://127.0.0.1 for a server on this machine", prompt.Clip(u.Hostname(), 60))
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%q is not supported; write https", prompt.Clip(u.Scheme, 20))
	}
	return strings.TrimRight(s, "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// at is "line 7: ", the place of a value in a document, or of the nearest
// thing around it that is there.
func at(doc *yaml.Node, way ...any) string {
	if len(doc.Content) == 0 {
		return ""
	}
	n := doc.Content[0]
	line := n.Line
	for _, step := range way {
		next := child(n, step)
		if next == nil {
			break
		}
		n, line = next, next.Line
	}
	return fmt.Sprintf("line %d: ", line)
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
