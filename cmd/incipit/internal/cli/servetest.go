package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/ci"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	maxDraftCases  = 500
	maxDraftOutput = 2000 // bytes of an output that is shown
)

// A draftTester runs the suites of a server's repository on drafts. What a
// suite may do is what incipit test lets it without --allow: no program, no
// Python, no request to an address of its own.
type draftTester struct {
	env     *env
	remote  *source.Remote
	live    bool    // ask providers, with the server's keys
	maxCost float64 // US dollars of a run
}

// test is lifecycle.SharedConfig.TestDraft.
func (d *draftTester) test(ctx context.Context, q registry.DraftTest) (out registry.DraftReport, err error) {
	out = registry.DraftReport{Live: d.live, Cases: []registry.DraftCase{}, Found: []prompt.Finding{}}
	w, err := d.remote.Edited(ctx, q.Prompt, q.Files)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	flags := testFlags{mode: string(provider.Replay), share: 0.05, concurrency: 4, timeout: "60s", repeats: 1, maxCost: d.maxCost}
	if d.live {
		flags.mode = string(provider.Live)
	}
	t, err := newTester(d.env, &flags, w.Config.Tests, "", recordedIn(w.Files(), w.Config.Tests.Cassettes))
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	t.runner.Before, t.closed = nil, d.live // nobody reads what it would say before
	g := t.gate(w, w.Now())
	g.Untested = true
	has, err := g.HasSuite(q.Prompt)
	if err != nil {
		return out, err
	}
	if !has {
		out.Nothing, out.Fix = string(q.Prompt)+" has no suite", "add "+w.SuiteFiles(q.Prompt)[0]+" to the repository: docs/testing.md says how"
		return out, nil
	}
	prompts, err := g.Prompts(ctx, []ci.Selected{{ID: q.Prompt}})
	if isNotFound(err) {
		out.Nothing, out.Fix = "there is no text yet", "write the system message"
		return out, nil
	}
	if err != nil {
		return out, err
	}
	d.tell(&out, prompts[0])
	return out, nil
}

// shutTo refuses, of a closed tester, a provider that leads elsewhere than to
// its own host, or takes a key that is not its own: a branch names it, and the
// request would be the server's.
func (t *tester) shutTo(id string, config map[string]any) error {
	if !t.closed {
		return nil
	}
	why := ""
	for _, scheme := range []string{"http:", "https:", "exec:", "file:", "python:"} {
		if strings.HasPrefix(id, scheme) {
			why = scheme
		}
	}
	for _, key := range []string{"url", "apiBaseUrl", "base_url", "baseURL", "apiHost", "apiKeyEnvar", "apiKey", "api_key", "authToken", "headers"} {
		if _, ok := config[key]; ok {
			why = key
		}
	}
	if why == "" {
		return nil
	}
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a provider with %s is not asked by a server: the repository says where the request goes", why), "propose the draft, and let CI test it")
}

func (d *draftTester) tell(out *registry.DraftReport, p report.Prompt) {
	out.Found = append(out.Found, p.Findings...)
	if p.Run == nil {
		out.Nothing, out.Fix = strings.Join(p.Untested, "; "), "correct what was found, then run the tests again"
		return
	}
	out.Suite, out.Passed, out.Failed, out.Errors, out.Cost = p.Run.Suite, p.Run.Passed, p.Run.Failed, p.Run.Errors, p.Run.Total.Cost
	for _, c := range p.Run.Cases[:min(len(p.Run.Cases), maxDraftCases)] {
		out.Cases = append(out.Cases, registry.DraftCase{
			Number: c.Number, Description: prompt.Clip(c.Description, 300), Outcome: string(c.Outcome), Reason: prompt.Clip(reasonOf(c), 600),
			Output: prompt.Clip(c.Output, maxDraftOutput), Cost: c.Cost,
		})
	}
}

// reasonOf says why a case did not pass; "" for one that did.
func reasonOf(c report.Case) string {
	switch {
	case c.Outcome == report.Pass:
		return ""
	case c.Failure != nil && c.Failure.Kind == string(provider.Missing):
		return "changed text has no recorded answers; start the server with --test-live, or propose it and let CI test it"
	case c.Failure != nil:
		return strings.TrimSuffix(c.Failure.Text+"; "+c.Failure.Fix, "; ")
	}
	i := slices.IndexFunc(c.Grades, func(g report.Grade) bool { return g.Outcome != report.Pass })
	if i < 0 {
		return "its score is too low"
	}
	return c.Grades[i].Type + ": " + c.Grades[i].Reason
}
