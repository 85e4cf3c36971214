package source

import (
	"strings"
	"testing"
	"time"
)

func TestTestsHaveDefaultsAndCompareWithTheLastEnvironment(t *testing.T) {
	c, err := ParseConfig([]byte("environments: [{name: dev}, {name: live}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Tests.CompareWith != "live" || c.Tests.Directory != "tests" || c.Tests.Cassettes != "tests/cassettes" || c.Tests.Margin != 0.10 {
		t.Errorf("got %+v", c.Tests)
	}
	c, err = ParseConfig([]byte(`
environments: [{name: dev}, {name: live}]
tests:
  compare_with: ""
  max_cost: 0
  max_age: 7d
  alpha: 0.01
  margin: 0
  providers: {m: "openai:chat:m"}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := c.Tests
	if got.CompareWith != "" || got.MaxCost == nil || *got.MaxCost != 0 || got.MaxAge != 7*24*time.Hour || got.Alpha != 0.01 || got.Margin != 0 || got.Providers["m"] != "openai:chat:m" {
		t.Errorf("got %+v", got)
	}
}

func TestTestsThatCannotBeMeantAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"directory: ../tests":   "plain directory",
		"directory: .git/hooks": "plain directory",
		"cassettes: /tmp/x":     "plain directory",
		"compare_with: nowhere": "no environment",
		"max_cost: -1":          "US dollars",
		"max_cost: .nan":        "US dollars",
		"max_age: soon":         "max_age",
		"alpha: 0":              "share",
		"alpha: .nan":           "share",
		"margin: 1":             "share",
		"allow: [exec]":         "allow", // a pull request may not allow it to itself
		"key_hosts: {A: [b]}":   "key_hosts",
	} {
		_, err := ParseConfig([]byte("tests:\n  " + text + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), ConfigFile) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
