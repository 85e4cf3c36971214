package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The documentation is held against the code here: what it names must exist,
// and what a user can meet must be documented.

const projectRoot = "../.."

// readAll reads the files below the root of the project whose names end in
// suffix, by their paths from there.
func readAll(t *testing.T, dir, suffix string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(filepath.Join(projectRoot, dir), func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".bin" || d.Name() == "results"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, suffix):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(projectRoot, name)
		files[filepath.ToSlash(short)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("there is no file %s/*%s", dir, suffix)
	}
	return files
}

// goCode is the program's own code below dir, without its tests.
func goCode(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := readAll(t, dir, ".go")
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, "_test.go") })
	return files
}

func all(expr, text string) []string {
	var out []string
	for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// findingCodes collects the codes of findings and problems from the places
// that make them.
func findingCodes(t *testing.T) []string {
	t.Helper()
	var codes []string
	for name, text := range goCode(t, "internal/prompt") {
		codes = append(codes, all(`\b(?:p\.[a-z]+|problem)\([^"\n]*"([a-z-]+)"`, text)...)
		if strings.HasSuffix(name, "/invisible.go") { // the rule of a character is the code
			codes = append(codes, all(`\brule[A-Z]\w+: +"([a-z-]+)",`, text)...)
		}
	}
	for name, text := range goCode(t, "cmd/incipit/internal/source") {
		if strings.HasSuffix(name, "/doctor.go") {
			continue // its names are those of checks
		}
		codes = append(codes, all(`\b(?:report|fail)\([^"\n]*"([a-z-]+)",`, text)...)
		codes = append(codes, all(`\b[cC]ode(?:: +|\b[^"\n]* = )"([a-z-]+)"`, text)...)
		codes = append(codes, all(`\breturn nil, "([a-z-]+)", `, text)...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func TestEveryFindingIsDocumentedAndEveryDocumentedOneExists(t *testing.T) {
	doc := readAll(t, "docs", "findings.md")["docs/findings.md"]
	sections := all(`(?m)^## (\S+)$`, doc)
	codes := findingCodes(t)
	if len(codes) < 40 {
		t.Errorf("only %d codes were found in the code: the expressions of this test are outdated", len(codes))
	}
	for _, c := range codes {
		if !slices.Contains(sections, c) {
			t.Errorf("docs/findings.md has no section ## %s", c)
		}
	}
	for _, s := range sections {
		if !slices.Contains(codes, s) {
			t.Errorf("docs/findings.md has a section ## %s, and no finding has this code", s)
		}
	}
	if !slices.IsSorted(sections) {
		t.Error("the sections of docs/findings.md are not in the order of the alphabet")
	}
	for _, section := range strings.Split(doc, "\n## ")[1:] {
		if code, text, _ := strings.Cut(section, "\n"); !strings.Contains(text, "\nFix: ") {
			t.Errorf("docs/findings.md: %s has no line that begins with Fix:", code)
		}
	}
}

func TestEveryRuleForSecretsIsDocumented(t *testing.T) {
	doc := readAll(t, "docs", "findings.md")["docs/findings.md"]
	code := goCode(t, "internal/prompt")
	rules := all(`(?m)^\t\tname: "([a-z-]+)"`, code["internal/prompt/secretrules.go"])
	rules = append(rules, all(`f\.add\(start, end, "([a-z-]+)"`, code["internal/prompt/secretassign.go"])...)
	if len(rules) < 20 {
		t.Errorf("only %d rules were found", len(rules))
	}
	for _, r := range rules {
		if !strings.Contains(doc, "`"+r+"`") {
			t.Errorf("docs/findings.md does not name the rule %s", r)
		}
	}
}

func TestEveryExitStatusIsDocumented(t *testing.T) {
	doc := readAll(t, "docs", "exit-status.md")["docs/exit-status.md"]
	statuses := all(`(?m)^\t[A-Z]\w+ += (\d+)`, goCode(t, "cmd/incipit/internal/api")["cmd/incipit/internal/api/errors.go"])
	if rows := all(`(?m)^\| (\d+) \|`, doc); !slices.Equal(rows, statuses) {
		t.Errorf("docs/exit-status.md has rows for %v, the code has %v", rows, statuses)
	}
}

// anchor is the name that a heading of Markdown can be linked by.
func anchor(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(heading))
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	docs := readAll(t, ".", ".md")
	for name, text := range docs {
		for _, link := range all(`\]\(([^)\s]+)\)`, withoutCode(text)) {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			file, fragment, _ := strings.Cut(link, "#")
			target := name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join(projectRoot, target)); err != nil {
				t.Errorf("%s: %s leads nowhere", name, link)
				continue
			}
			headings := all(`(?m)^#+ (.*)$`, docs[target])
			if fragment != "" && !slices.ContainsFunc(headings, func(h string) bool { return anchor(h) == fragment }) {
				t.Errorf("%s: %s: there is no such heading", name, link)
			}
		}
	}
}

func withoutCode(text string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`").ReplaceAllString(text, "")
}

// codeIn is the text between backquotes, in blocks and in lines.
func codeIn(text string) string {
	return strings.Join(regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`").FindAllString(text, -1), "\n")
}

// ask runs the program in this process.
func ask(args ...string) (string, int) {
	var out, talk bytes.Buffer
	status := cli.Main(args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk}, nil, time.Now)
	return out.String(), status
}

// commandsBelow are the names that may follow args, as completion tells them.
func commandsBelow(args ...string) []string {
	out, _ := ask(append(append([]string{"__complete"}, args...), "")...)
	return all(`(?m)^([a-z][a-z-]*)\t`, out)
}

func TestEveryCommandAndFlagInTheDocsExists(t *testing.T) {
	below := make(map[string][]string) // command line → the commands that may follow
	commands := func(words ...string) []string {
		key := strings.Join(words, " ")
		if _, known := below[key]; !known {
			below[key] = commandsBelow(words...)
		}
		return below[key]
	}
	if len(commands()) < 20 || len(commands("registry")) == 0 || len(commands("admin", "key")) == 0 {
		t.Fatalf("completion names %d commands, %d below registry, and %d below admin key", len(commands()), len(commands("registry")), len(commands("admin", "key")))
	}
	parents := []string{"registry", "admin", "admin key", "audit", "calls", "hooks", "metrics", "guard", "rollout"}
	// A command line, and not the end of a path or the middle of a sentence.
	line := regexp.MustCompile("(?m)(?:^|[$|;&`(] ?|^ +)(?:[A-Z_]+=\\S+ )*incipit ([a-z][a-z-]*)([^`|;&\n]*)")
	helps := make(map[string]string)
	for name, text := range readAll(t, ".", ".md") {
		for _, m := range line.FindAllStringSubmatch(strings.ReplaceAll(codeIn(text), "\\\n", " "), -1) {
			words, rest := []string{m[1]}, strings.Fields(m[2])
			if !slices.Contains(commands(), m[1]) {
				t.Errorf("%s: there is no command incipit %s", name, m[1])
				continue
			}
			for len(rest) > 0 && slices.Contains(commands(words...), rest[0]) {
				words, rest = append(words, rest[0]), rest[1:]
			}
			key := strings.Join(words, " ")
			if slices.Contains(parents, key) && key != "audit" && len(rest) > 0 && rest[0][0] != '-' {
				t.Errorf("%s: there is no command incipit %s %s", name, key, rest[0])
				continue
			}
			if helps[key] == "" {
				helps[key], _ = ask(append([]string{"help"}, words...)...)
			}
			for _, flag := range all(`(?:^| )(--[a-z][a-z-]*)`, strings.Join(rest, " ")) {
				if !regexp.MustCompile(regexp.QuoteMeta(flag) + `[ \[]`).MatchString(helps[key]) {
					t.Errorf("%s: incipit %s has no flag %s", name, key, flag)
				}
			}
		}
	}
}

func TestEveryCommandIsInTheReadme(t *testing.T) {
	readme := codeIn(readAll(t, ".", "README.md")["README.md"])
	for _, c := range commandsBelow() {
		if !regexp.MustCompile(`\bincipit ` + c + `\b`).MatchString(readme) {
			t.Errorf("README.md does not show incipit %s", c)
		}
	}
}

// TestEveryNameOfTheCodeInTheDocsExists holds `source.Release` and `change.go`
// against the code, so that a walk through the house does not go astray.
func TestEveryNameOfTheCodeInTheDocsExists(t *testing.T) {
	code := goCode(t, ".")
	rooms := make(map[string][]string) // package → its files
	for name := range code {
		dir := filepath.Base(filepath.Dir(name))
		if dir == "." {
			dir = "incipit"
		}
		rooms[dir] = append(rooms[dir], name)
	}
	for doc, text := range readAll(t, "docs", ".md") {
		for _, span := range all("`([^`\n]+)`", text) {
			if regexp.MustCompile(`^[\w./-]+\.go$`).MatchString(span) {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(code)), func(f string) bool { return strings.HasSuffix("/"+f, "/"+span) }) && !strings.HasSuffix(span, "_test.go") {
					t.Errorf("%s: there is no file %s", doc, span)
				}
			}
			m := regexp.MustCompile(`^([a-z]+)\.(?:[A-Z]\w*\.)?(\w+)$`).FindStringSubmatch(span)
			if m == nil || len(rooms[m[1]]) == 0 || slices.Contains([]string{"go", "json", "yaml", "lock"}, m[2]) {
				continue
			}
			// What the code itself says in quotes is a word of its own, such as the type of a notice.
			if slices.ContainsFunc(slices.Collect(maps.Values(code)), func(text string) bool { return strings.Contains(text, `"`+span+`"`) }) {
				continue
			}
			declared := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |var |const |\t)` + m[2] + `\b`)
			if !slices.ContainsFunc(rooms[m[1]], func(f string) bool { return declared.MatchString(code[f]) }) {
				t.Errorf("%s: there is no %s in %s", doc, m[2], m[1])
			}
		}
	}
}

// TestEveryRouteIsDocumented holds the table of docs/http-api.md against the
// recorded OpenAPI document, which a test of server holds against the routes.
func TestEveryRouteIsDocumented(t *testing.T) {
	const recorded = "cmd/incipit/internal/server/testdata/openapi.json"
	var doc struct {
		Paths map[string]map[string]struct {
			Operation string `json:"operationId"`
		}
	}
	if err := json.Unmarshal([]byte(readAll(t, filepath.Dir(recorded), ".json")[recorded]), &doc); err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			want = append(want, "| "+strings.ToUpper(method)+" | `"+path+"` | `"+op.Operation+"` |")
		}
	}
	slices.Sort(want)
	page := readAll(t, "docs", "http-api.md")["docs/http-api.md"]
	got := all("(?m)^(\\| [A-Z]+ \\| `[^`]+` \\| `[^`]+` \\|)", page)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/http-api.md does not have the routes that there are (-want +got):\n%s", diff)
	}
	var operations []string
	for _, row := range want {
		operations = append(operations, all("`([a-z-]+)` \\|$", row)...)
	}
	server := readAll(t, "docs", "server.md")["docs/server.md"]
	grants := server[strings.Index(server, "## Keys and grants"):strings.Index(server, "## People")]
	for _, p := range registry.Permissions() {
		row := all("(?m)^\\| `"+string(p)+"` \\| ([^|]*) \\|", grants)
		if len(row) != 1 {
			t.Errorf("docs/server.md has %d rows for the permission %s", len(row), p)
			continue
		}
		for _, op := range all("`([a-z-]+)`", row[0]) {
			if !slices.Contains(operations, op) {
				t.Errorf("docs/server.md: %s opens %s, which is no route", p, op)
			}
		}
	}
}

// TestEverySettingOfAServerIsDocumented holds docs/server.md against what serve
// takes and measures.
func TestEverySettingOfAServerIsDocumented(t *testing.T) {
	doc := readAll(t, "docs", "server.md")["docs/server.md"]
	help, _ := ask("help", "serve")
	own, _, _ := strings.Cut(help, "Global Flags:")
	names := all(`(?m)^ +(?:-\w, )?(--[a-z][a-z-]*)`, own)
	if len(names) < 15 {
		t.Errorf("only %d flags were found", len(names))
	}
	cliCode := goCode(t, "cmd/incipit/internal/cli")
	for _, text := range cliCode {
		names = append(names, all(`getenv\("(INCIPIT_[A-Z_]+)"`, text)...)
	}
	serverCode := goCode(t, "cmd/incipit/internal/server")
	metrics := serverCode["cmd/incipit/internal/server/metrics.go"] + serverCode["cmd/incipit/internal/server/metrics_calls.go"]
	measured := all(`"(incipit_[a-z_]+[a-z])"`, metrics)
	for _, m := range all(`gauge\("([a-z_]+)"`, metrics) {
		measured = append(measured, "incipit_"+m)
	}
	if len(measured) < 12 {
		t.Errorf("only %d metrics were found", len(measured))
	}
	for _, name := range append(names, measured...) {
		if name != "--help" && !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/server.md does not name %s", name)
		}
	}
}
