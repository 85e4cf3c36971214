package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// browsed is a page as a browser gets it.
func (r *rig) browsed(path, key string) (status int, body string) {
	r.Helper()
	g := r.send("GET", path, key, "", "Accept", "text/html")
	return g.status, string(g.body)
}

// indexes adds a release.
func (r *rig) indexes(rel sqlstore.IndexedRelease) {
	r.Helper()
	digest, err := rel.Draft.Prompt.Digest()
	if err != nil {
		r.Fatal(err)
	}
	rel.Digest = digest
	if _, problems, err := r.db.AddReleases(r.Context(), []sqlstore.IndexedRelease{rel}); err != nil || len(problems) > 0 {
		r.Fatal(err, problems)
	}
}

func TestThePagesOfAPrompt(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.1.0")
	r.deploy("production", "support", "1.0.0")
	r.deploy("dev", "billing/refunds", "1.0.0")
	dev := r.key([]registry.Permission{registry.MayRead}, "dev", "*")
	tests := []struct {
		name, path, key string
		status          int
		has, hasNot     []string
	}{
		{"the newest release is shown", "/prompts/support", r.admin, 200, []string{"Release 1.3.0", "You answer for support, 3.", `<span class="variable" title="the variable name">{{name}}</span>`, "Roll back…", "/environments/production/prompts/support/rollback?return=%2fprompts%2fsupport"}, nil},
		{"any release can be", "/prompts/support?version=1.1.0", r.admin, 200, []string{"Release 1.1.0", "You answer for support, 1.", "1.3.0 is newer"}, nil},
		{"an id with a slash", "/prompts/billing%2Frefunds", r.admin, 200, []string{"You answer for billing/refunds", "/prompts/billing%2Frefunds/diff"}, nil},
		{"who reads dev alone sees nothing of production", "/prompts/support", dev, 200, []string{"place-dev", "1.1.0"}, []string{"place-production", "Roll back…", "Deploy 1"}},
		{"a prompt that is not there", "/prompts/nothing", r.admin, 404, []string{"not found"}, nil},
		{"a version that is not there", "/prompts/support?version=9.0.0", r.admin, 404, []string{"releases of support are"}, nil},
		{"a version that is none", "/prompts/support?version=new", r.admin, 400, nil, nil},
		{"an id that is none", "/prompts/UP", r.admin, 400, nil, nil},

		{"the releases say how each differs", "/prompts/support/releases", r.admin, 200, []string{"system message reworded", "runs in production", "with 1.2.0", "/prompts/support/diff?from=production&amp;to=1.3.0", "c0ffee3"}, nil},
		{"older ones have a page of their own", "/prompts/support/releases?before=1.1.0", r.admin, 200, []string{"1.0.0", "first"}, []string{`id="release-1.1.0"`}},
		{"before the first there is none", "/prompts/support/releases?before=1.0.0", r.admin, 200, []string{"No older releases"}, nil},
		{"a release that is none", "/prompts/support/releases?before=x", r.admin, 400, nil, nil},

		{"the newest is compared with the one before", "/prompts/support/diff", r.admin, 200, []string{"support: 1.2.0 → 1.3.0", "<del>2</del>", "<ins>3</ins>", "system message reworded"}, nil},
		{"environments are compared", "/prompts/support/diff?from=production&to=dev", r.admin, 200, []string{"production → dev", "<del>0</del>", "<ins>1</ins>"}, nil},
		{"inline there is one column", "/prompts/support/diff?from=1.0.0&to=1.1.0&view=inline", r.admin, 200, []string{`class="compared inline"`, "Side by side", "<del>0</del><ins>1</ins>"}, nil},
		{"a release with itself", "/prompts/support/diff?from=1.0.0&to=1.0.0", r.admin, 200, []string{"No difference", "The same digest", "No field differs"}, []string{"<ins>", "<del>"}},
		{"what may not be read is not compared", "/prompts/support/diff?from=production&to=1.1.0", dev, 403, nil, []string{"You answer"}},
		{"nor offered", "/prompts/support/diff", dev, 200, []string{`value="dev"`}, []string{`value="production"`}},
		{"a side that is none", "/prompts/support/diff?from=nowhere&to=1.1.0", r.admin, 404, []string{"neither a version nor an environment"}, nil},
		{"an arm that does not run", "/prompts/support/diff?from=dev:candidate&to=1.1.0", r.admin, 404, []string{"has no arm"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := r.browsed(tt.path, tt.key)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, text := range tt.has {
				if !strings.Contains(body, text) {
					t.Errorf("the page does not hold %q", text)
				}
			}
			for _, text := range tt.hasNot {
				if strings.Contains(body, text) {
					t.Errorf("the page holds %q", text)
				}
			}
		})
	}
}

func TestTheHistoryOfAPromptSaysByWhichWayEachChangeCame(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.1.0")
	r.deploy("production", "support", "1.0.0")
	const api = `test key <span class="tag">api</span>`
	if _, body := r.browsed("/prompts/support", r.admin); strings.Count(body, api) != 2 {
		t.Errorf("%d of 2 changes are said to come by the API", strings.Count(body, api))
	}
	reader := r.key([]registry.Permission{registry.MayRead}, "*", "*")
	if status, body := r.browsed("/prompts/support", reader); status != 200 || strings.Contains(body, `<span class="tag">api</span>`) || !strings.Contains(body, "test key") {
		t.Errorf("%d: who may not read the audit log is told of it, or nothing", status)
	}
}

// What others wrote is text on each of the pages, wherever it is kept.
func TestTextOfOthersIsTextOnThePagesOfAPrompt(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`
	r := sqlite(t, nil)
	rel := released(t, "support", prompt.Version{Major: 2}, "Answer. "+evil+" a\u200bb")
	rel.Author, rel.Notes, rel.Commit = evil, evil, evil
	rel.Draft.Prompt.Model = evil
	rel.Draft.Prompt.Tools = json.RawMessage(`[{"name": "x", "description": ` + quoted(evil) + `}]`)
	rel.Draft.Prompt.Variables["name"] = prompt.Variable{Description: evil, Default: evil}
	rel.Draft.Metadata.Description, rel.Draft.Metadata.ChangeNotes, rel.Draft.Metadata.TestStatus = evil, evil, evil
	rel.Draft.Metadata.Other = map[string]json.RawMessage{evil: json.RawMessage(quoted(evil))}
	r.indexes(rel)
	r.send("POST", "/v1/environments/dev/prompts/support/deploy", r.admin, `{"version": "2.0.0", "reason": `+quoted(evil)+`}`)
	if _, err := r.service.FileEvidenceOf(r.asRoot(), "2.0.0", registry.Evidence{Prompt: "support", Kind: "review", Note: evil}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/prompts/support", "/prompts/support/releases", "/prompts/support/diff", "/prompts/support/diff?view=inline&marks=1&ws=1", "/prompts/support/diff?from=2.0.0&to=1.0.0&unseen=0"} {
		status, body := r.browsed(path, r.admin)
		if status != 200 || !strings.Contains(body, "&lt;script&gt;alert(1)") {
			t.Errorf("%s: %d, and it does not show the text", path, status)
		}
		for _, bad := range []string{"<script>alert", "<img src=x"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
	if _, body := r.browsed("/prompts/support/diff", r.admin); strings.Contains(body, "\u200b") || !strings.Contains(body, `<span class="unseen" title="U&#43;200B ZERO WIDTH SPACE">U&#43;200B</span>`) {
		t.Error("the comparison does not show a character that one does not see")
	}
	if _, body := r.browsed("/prompts/support/diff?unseen=0", r.admin); strings.Contains(body, "ZERO WIDTH SPACE") {
		t.Error("the comparison shows it although it was not to")
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can be
	}
	return string(b)
}

func TestALongTextIsComparedWhole(t *testing.T) {
	r := sqlite(t, nil)
	a, b := longTexts()
	r.indexes(released(t, "support", prompt.Version{Major: 2}, a))
	r.indexes(released(t, "support", prompt.Version{Major: 2, Minor: 1}, b))
	status, body := r.browsed("/prompts/support/diff", r.admin)
	if status != http.StatusOK || !strings.Contains(body, "unchanged lines") {
		t.Errorf("%d: %.300s", status, body)
	}
	if !strings.Contains(body, "moved: ↪") {
		t.Error("what moved is not seen")
	}
}

// longTexts are two of 50,000 characters: one line in twenty differs, and ten
// lines moved.
func longTexts() (a, b string) {
	var lines []string
	for i, n := 0, 0; n < 49_000; i++ {
		lines = append(lines, fmt.Sprintf("Rule %d: answer question %d in %d sentences, politely, and never promise a refund.", i, i*7, i%5))
		n += len(lines[i]) + 1
	}
	a = strings.Join(lines, "\n")
	for i := 10; i < len(lines); i += 20 {
		lines[i] = fmt.Sprintf("Rule %d: say that you do not know.", i)
	}
	return a, strings.Join(append(append(lines[:20:20], lines[30:]...), lines[20:30]...), "\n")
}

// BenchmarkThePageOfALongComparison is a page of two texts of 50,000
// characters, beside one of two short ones.
func BenchmarkThePageOfALongComparison(b *testing.B) {
	r := sqlite(b, nil)
	x, y := longTexts()
	r.indexes(released(b, "support", prompt.Version{Major: 2}, x))
	r.indexes(released(b, "support", prompt.Version{Major: 2, Minor: 1}, y))
	for name, path := range map[string]string{
		"long": "/prompts/support/diff", "long inline": "/prompts/support/diff?view=inline", "short": "/prompts/support/diff?from=1.0.0&to=1.1.0",
		"the prompt": "/prompts/support",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				status, body := r.browsed(path, r.admin)
				if status != 200 {
					b.Fatal(status)
				}
				b.ReportMetric(float64(len(body)), "bytes/page")
			}
		})
	}
}
