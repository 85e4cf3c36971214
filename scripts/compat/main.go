// Command compat has promptfoo run the configs of
// cmd/incipit/testdata/promptfoo and writes down its verdicts beside each, as
// verdicts.json. CI holds ours against them without node; this runs where
// somebody has promptfoo, when a config or promptfoo's version changes.
//
//	PROMPTFOO=node_modules/.bin/promptfoo go run ./scripts/compat [NAME…]
//
// What changed is then in git diff.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

const (
	configs = "cmd/incipit/testdata/promptfoo"
	config  = "promptfooconfig.yaml"
)

// A verdict is what one test of one prompt by one provider came to.
type verdict struct {
	Test    int                `json:"test"`   // from 0, in promptfoo's order
	Prompt  int                `json:"prompt"` // the column: a prompt of a provider
	Outcome string             `json:"outcome"`
	Score   float64            `json:"score"`
	Output  json.RawMessage    `json:"output,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// A result is promptfoo's, as far as it matters here.
type result struct {
	TestIdx, PromptIdx int
	Success            bool
	Score              float64
	FailureReason      int // 0 none, 1 an assertion, 2 an error
	NamedScores        map[string]float64
	Response           struct{ Output json.RawMessage }
}

func main() {
	promptfoo := os.Getenv("PROMPTFOO")
	if err := record(promptfoo, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func record(promptfoo string, names []string) error {
	if promptfoo == "" {
		return errors.New("PROMPTFOO names no command. Install promptfoo from npm, and say where it is")
	}
	promptfoo, err := filepath.Abs(promptfoo)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		found, err := filepath.Glob(filepath.Join(configs, "*", config))
		if err != nil {
			return err
		}
		for _, f := range found {
			names = append(names, filepath.Base(filepath.Dir(f)))
		}
	}
	tmp, err := os.MkdirTemp("", "compat-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for _, name := range names {
		if err := recordOne(promptfoo, name, tmp); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// recordOne runs one config and writes its verdicts. promptfoo's own exit
// status says only that a case failed, which many are meant to.
func recordOne(promptfoo, name, tmp string) error {
	dir, out := filepath.Join(configs, name), filepath.Join(tmp, name+".json")
	cmd := exec.Command(promptfoo, "eval", "-c", config, "--no-cache", "--no-write", "--no-table", "--no-progress-bar", "-o", out) //nolint:gosec // the maintainer's own promptfoo
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PROMPTFOO_DISABLE_TELEMETRY=1", "PROMPTFOO_DISABLE_UPDATE=1", "PROMPTFOO_CONFIG_DIR="+tmp)
	said, ran := cmd.CombinedOutput()
	data, err := os.ReadFile(out)
	if err != nil {
		return fmt.Errorf("promptfoo wrote no results (%w): %s", ran, said)
	}
	verdicts, err := distill(data)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%-12s %d verdicts\n", name, len(verdicts))
	return write(filepath.Join(dir, "verdicts.json"), verdicts)
}

func distill(data []byte) ([]verdict, error) {
	var doc struct{ Results struct{ Results []result } }
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	verdicts := make([]verdict, 0, len(doc.Results.Results))
	for _, r := range doc.Results.Results {
		v := verdict{Test: r.TestIdx, Prompt: r.PromptIdx, Outcome: "fail", Score: r.Score, Output: r.Response.Output, Metrics: r.NamedScores}
		if r.Success {
			v.Outcome = "pass"
		}
		if r.FailureReason == 2 {
			v.Outcome = "error"
		}
		if len(v.Metrics) == 0 {
			v.Metrics = nil
		}
		verdicts = append(verdicts, v)
	}
	slices.SortFunc(verdicts, func(a, b verdict) int {
		if a.Test != b.Test {
			return a.Test - b.Test
		}
		return a.Prompt - b.Prompt
	})
	return verdicts, nil
}

// write puts each verdict in a line of its own, for git diff.
func write(name string, verdicts []verdict) error {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, v := range verdicts {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(line)
		if i < len(verdicts)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	return os.WriteFile(name, b.Bytes(), 0o600)
}
