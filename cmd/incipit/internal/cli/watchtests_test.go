package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAWatchSeesWhatPeopleEditAndNotWhatItsRunWrites(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("prompts/a/system-prompt.txt", "one")
	for _, tt := range []struct {
		name, cwd, file string
		flags           testFlags
		seen            bool
	}{
		{"a prompt is seen", ".", "prompts/a/system-prompt.txt", testFlags{}, true},
		{"also from the directory in which it lies", "prompts", "prompts/a/system-prompt.txt", testFlags{}, true},
		{"a report is not seen", ".", "out.json", testFlags{outputs: []string{"out.json"}}, false},
		{"a directory of reports is not seen", ".", "out/report.md", testFlags{dir: "out"}, false},
		{"a file that is no report is seen", ".", "other.json", testFlags{outputs: []string{"out.json"}}, true},
		{"recorded answers are not seen", ".", "tests/cassettes/a.json", testFlags{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(filepath.Join(dir, tt.cwd))
			own, err := tt.flags.written()
			if err != nil {
				t.Fatal(err)
			}
			before, err := fingerprint(dir, own)
			if err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(dir, tt.file), "two, "+tt.name)
			after, err := fingerprint(dir, own)
			if err != nil {
				t.Fatal(err)
			}
			if seen := after != before; seen != tt.seen {
				t.Errorf("seen: %v", seen)
			}
		})
	}
}
