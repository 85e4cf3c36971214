package source

import (
	"errors"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestSubjectsLoseTheirForm(t *testing.T) {
	for subject, want := range map[string]string{
		"fix(customer-support): correct tone (1.3.1 -> 1.3.2)": "correct tone",
		"feat(a/b)!: new format (1.4.0 -> 2.0.0)":              "new format",
		"BREAKING: new format (1.4.0 -> 2.0.0)":                "new format",
		"feat(x): first version (1.0.0)":                       "first version",
		"explain (again) what is covered":                      "explain (again) what is covered",
		"note: keep this":                                      "note: keep this",
		"fix: tone (see the guide)":                            "tone (see the guide)",
	} {
		if got := withoutForm(subject); got != want {
			t.Errorf("%q became %q, want %q", subject, got, want)
		}
	}
}

func TestTrailersAreTheLastParagraph(t *testing.T) {
	got := parseTrailers("fix(a): Prompt: x\n\nVersion: 9.9.9\n\nPrompt: a\nVersion: 1.0.0\nTests: not-run\n")
	if got["Prompt"] != "a" || got["Version"] != "1.0.0" || got["Tests"] != "not-run" || len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"a misspelled key", "environments:\n  - name: production\n    protectd: true\n", "line 3"},
		{"an alias", "environments: &e\n  - name: dev\nprompts: *e\n", "aliases"},
		{"a merge key", "a: &a {name: dev}\nenvironments:\n  - <<: *a\n", "aliases"},
		{"two environments of one name", "environments:\n  - name: dev\n  - name: dev\n", "name of its own"},
		{"a name that is a path", "environments:\n  - name: ../x\n", "name of its own"},
		{"a directory outside", "prompts: ../elsewhere\n", "inside the workspace"},
		{"an absolute directory", "prompts: /etc\n", "inside the workspace"},
		{"an unknown bucketing", "bucketing: crc32\n", "choose"},
		{"a tag", "prompts: !!python/object:os.system x\n", "not valid"},
		{"a file that is too large", strings.Repeat("#", maxConfigBytes+1), "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseConfig([]byte(tt.data))
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConfigDefaultsProtectProduction(t *testing.T) {
	c, err := ParseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := c.Environment("production"); err != nil || !e.Protected {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestClosestForgivesTypos(t *testing.T) {
	known := []string{"customer-support", "data-extraction", "dev", "staging", "production"}
	for typed, want := range map[string]string{
		"custmer-support": "customer-support", "customersupport": "customer-support", "prodution": "production",
		"stagign": "staging", "data_extraction": "data-extraction", "xyz": "", "": "", "de": "dev",
	} {
		if got, _ := Closest(typed, known); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

// A fuzz target for what comes from a repository that somebody else wrote.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("prompts: prompts\nenvironments:\n  - name: dev\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err == nil && (strings.HasPrefix(c.Prompts, "/") || strings.Contains(c.Prompts, "..")) {
			t.Errorf("%q leaves the workspace", c.Prompts)
		}
	})
}

func FuzzParseRegistry(f *testing.F) {
	f.Add([]byte(`{"a": {"name": "A", "deployments": {"dev": {"version": "1.0.0", "history": []}}}}`))
	f.Add([]byte(`{"a": {"deployments": {"dev": null}}}`))
	f.Add([]byte(`{"a": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		reg, err := parseRegistry(data, "registry.json")
		if err != nil {
			return
		}
		for _, id := range reg.IDs() {
			e, err := reg.Entry(id)
			if err != nil {
				continue
			}
			for env := range e.Deployments {
				if track, err := e.Track(env); err == nil {
					if now, ok := track.Current(); ok && now.Rollout != nil {
						now.Rollout.Assign("u42")
					}
				}
			}
			if _, err := reg.Put(id, e); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
		}
	})
}
