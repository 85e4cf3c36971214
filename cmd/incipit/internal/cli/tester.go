package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sandbox"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A tester is what asking models takes: built once for a run, and closed at its
// end.
type tester struct {
	e         *env
	flags     *testFlags
	tests     source.Tests
	providers provider.Config
	around    provider.Around
	sandbox   *sandbox.Sandbox
	written   *os.Root       // where answers are recorded; nil if they are not
	webhooks  *notify.Sender // nil: assertions may post nothing

	before func([]suite.Question)
	closed bool // no provider may be an address that a file of the workspace names

	mu     sync.Mutex
	models map[string]bool // that were asked for
	runner *suite.Runner
}

// newTester puts together what the flags and the workspace ask for. dir is what
// suites are read from, recorded what cassettes are read from; nil: nothing is
// recorded.
func newTester(e *env, f *testFlags, tests source.Tests, dir string, recorded fs.FS) (*tester, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	limit, err := time.ParseDuration(f.timeout)
	if err != nil || limit <= 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "--timeout %q is no time such as 90s or 5m", prompt.Clip(f.timeout, 40))
	}
	t := &tester{e: e, flags: f, tests: tests, models: make(map[string]bool)}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if t.sandbox, err = sandbox.New(sandbox.Config{Exe: exe, Env: t.allowed()}); err != nil {
		return nil, err
	}
	t.providers = provider.Config{
		Getenv: e.getenv, Now: e.now, KeyHosts: keyHosts(e.getenv("INCIPIT_KEY_HOSTS")),
		AllowExec: f.allows("exec"), Dir: dir, Proxy: http.ProxyFromEnvironment, Transform: t.transform,
	}
	if f.allows("webhook") {
		if t.webhooks, err = notify.New(notify.Config{Now: e.now, Version: programVersion()}); err != nil {
			return nil, err
		}
	}
	t.around = provider.Around{
		Budget: t.budget(), Prices: provider.DefaultPrices().With(pricesOf(tests)), Now: e.now, Limits: provider.NewLimits(limitsOf(tests)), Retry: provider.Retry{Random: rand.Reader},
	}
	if t.around.Cassettes, err = t.cassettes(dir, recorded); err != nil {
		return nil, errors.Join(err, t.close())
	}
	if f.asks() {
		t.before = t.announce
	}
	t.runner = &suite.Runner{
		Checker: t.checker, Render: t.sandbox, Scripts: suite.JavaScript{Sandbox: t.sandbox}, Open: t.open,
		Workers: f.concurrency, Timeout: limit, Before: t.before,
	}
	return t, nil
}

func (t *tester) close() error {
	err := t.sandbox.Close()
	if t.written != nil {
		err = errors.Join(err, t.written.Close())
	}
	return err
}

func (f *testFlags) allows(what string) bool { return slices.Contains(f.allow, what) }

// allowed are the variables of the environment that suites may read.
func (t *tester) allowed() map[string]string {
	out := make(map[string]string)
	for _, name := range t.flags.env {
		out[name] = t.e.getenv(name)
	}
	return out
}

// keyHosts reads INCIPIT_KEY_HOSTS: NAME=HOST[,HOST…], separated by blanks. They
// are the hosts that may be sent a key beside its own.
func keyHosts(s string) map[string][]string {
	out := make(map[string][]string)
	for entry := range strings.FieldsSeq(s) {
		name, hosts, _ := strings.Cut(entry, "=")
		out[name] = append(out[name], strings.FieldsFunc(hosts, func(c rune) bool { return c == ',' })...)
	}
	return out
}

// budget is the smaller of what the command line and the workspace allow.
func (t *tester) budget() *provider.Budget {
	limit := t.flags.maxCost
	if t.tests.MaxCost != nil && (limit == 0 || *t.tests.MaxCost < limit) {
		limit = *t.tests.MaxCost
	}
	return provider.NewBudget(provider.BudgetConfig{MaxCost: limit})
}

func (t *tester) cassettes(dir string, recorded fs.FS) (*provider.Cassettes, error) {
	c := provider.CassetteConfig{
		Mode: provider.Mode(t.flags.mode), Read: recorded, Anew: t.flags.fresh, Share: t.flags.share, MaxAge: t.tests.MaxAge, Now: t.e.now, Hide: t.providers.Hider(),
	}
	if c.Mode == provider.Record {
		var err error
		if t.written, err = cassetteRoot(dir, t.tests.Cassettes); err != nil {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "answers cannot be recorded in %s: %v", prompt.Clip(t.tests.Cassettes, 80), err), "make it a directory of the workspace, and no link to another place")
		}
		c.Write = t.written
	}
	if c.Mode == provider.Sample {
		salt := make([]byte, 8)
		if _, err := rand.Read(salt); err != nil {
			return nil, err
		}
		c.Salt = hex.EncodeToString(salt)
	}
	return provider.NewCassettes(c)
}

// cassetteRoot opens a directory of the workspace and makes it where it is
// missing. It follows no link out of the workspace: those come with a pull
// request.
func cassetteRoot(dir, cassettes string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.FromSlash(cassettes)
	if err := root.MkdirAll(name, 0o755); err != nil {
		return nil, err
	}
	return root.OpenRoot(name)
}

// transform evaluates what a provider's config makes of an answer.
func (t *tester) transform(ctx context.Context, code string, vars map[string]any) (any, error) {
	return suite.JavaScript{Sandbox: t.sandbox}.Eval(ctx, code, "", vars)
}

// open makes the provider that a suite names, with all that stands around it.
func (t *tester) open(spec suite.ProviderSpec) (provider.Provider, string, error) {
	if err := t.shutTo(spec.ID, spec.Config); err != nil {
		return nil, "", err
	}
	p, model, err := provider.Open(provider.Spec{ID: spec.ID, Label: spec.Label, Config: spec.Config}, t.providers)
	if err != nil {
		return nil, "", invalidProvider(err)
	}
	t.mu.Lock()
	t.models[model] = true
	t.mu.Unlock()
	return t.around.Wrap(p), model, nil
}

// invalidProvider makes of a provider that cannot be used an error of the
// person who named it.
func invalidProvider(err error) error {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s", e.Error()), "%s", e.Fix)
	}
	return err
}

// ask finds who answers for a model of the workspace.
func (t *tester) ask(model string) (suite.ProviderSpec, error) {
	if id, ok := t.tests.Providers[model]; ok {
		return suite.ProviderSpec{ID: id, Label: model}, nil
	}
	id, err := provider.ForModel(model)
	if err != nil {
		return suite.ProviderSpec{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s", err.Error()),
			"say who answers in %s: tests: {providers: {%q: \"openai:chat:…\"}}", source.ConfigFile, prompt.Clip(model, 60))
	}
	return suite.ProviderSpec{ID: id, Label: model}, nil
}

// checker judges the answers to a suite.
func (t *tester) checker(s *suite.Suite) *assertion.Checker {
	c := &assertion.Checker{
		Render: t.sandbox, Scripts: suite.JavaScript{Sandbox: t.sandbox}, Pattern: suite.CompilePattern, YAML: suite.DecodeYAML,
		Sources: s.Sources, Judge: t.judge, Embedder: t.embedder,
	}
	if t.flags.allows("python") {
		c.Python = suite.Python{Config: sandbox.PythonConfig{Consent: true, Path: t.e.getenv("PATH")}}
	}
	if t.webhooks != nil {
		c.Webhook = t.webhooks.Transport()
	}
	return c
}

// judge opens the provider that judges: what an assertion names, else the
// workspace's.
func (t *tester) judge(_ context.Context, spec any) (provider.Provider, string, error) {
	s, err := specOf(spec, t.tests.Judge, "judge")
	if err != nil {
		return nil, "", err
	}
	return t.open(suite.ProviderSpec{ID: s.ID, Config: s.Config})
}

func (t *tester) embedder(_ context.Context, spec any) (provider.Embedder, string, error) {
	s, err := specOf(spec, t.tests.Embeddings, "embeddings")
	if err != nil {
		return nil, "", err
	}
	if err := t.shutTo(s.ID, s.Config); err != nil {
		return nil, "", err
	}
	e, model, err := provider.OpenEmbedder(s, t.providers)
	if err != nil {
		return nil, "", err
	}
	return t.around.WrapEmbedder(e), model, nil
}

// specOf reads a provider as an assertion names one: an id, or a mapping with
// id and config.
func specOf(spec any, fallback, key string) (provider.Spec, error) {
	switch spec := spec.(type) {
	case nil:
		if fallback == "" {
			return provider.Spec{}, registry.WithFix(errors.New("nobody is named who judges this"), "name one in %s: tests: {%s: \"openai:…\"}; or in the assertion: provider: openai:…", source.ConfigFile, key)
		}
		return provider.Spec{ID: fallback}, nil
	case string:
		return provider.Spec{ID: spec}, nil
	case map[string]any:
		id, _ := spec["id"].(string)
		config, _ := spec["config"].(map[string]any)
		return provider.Spec{ID: id, Config: config}, nil
	}
	return provider.Spec{}, fmt.Errorf("%T names no provider", spec)
}

// load reads a suite of the workspace, strictly.
func (t *tester) load(files fs.FS, file string) (*suite.Suite, error) {
	return suite.Load(files, file, t.loading(true))
}

func (t *tester) loading(strict bool) suite.LoadOptions {
	allowed := t.allowed()
	return suite.LoadOptions{
		Strict: strict, Exec: t.flags.allows("exec"),
		Getenv:    func(name string) (string, bool) { v, ok := allowed[name]; return v, ok },
		KnownType: func(name string) bool { return slices.Contains(assertion.Types(), name) },
		Validate:  t.checker(&suite.Suite{}).Validate,
	}
}

// notices says what of the recorded answers and the models a person should
// know, and what a sample found.
func (t *tester) notices() (hash string, out []string) {
	hash, _, stale := t.around.Cassettes.Used()
	if n := len(stale); n > 0 {
		out = append(out, fmt.Sprintf("%s older than %s, the oldest from %s: record them again with --mode record --fresh", words.Count(n, "recorded answer"), registry.Duration(t.tests.MaxAge), words.Minute(stale[0].RecordedAt)))
	}
	differ := 0
	samples := t.around.Cassettes.Samples()
	for _, s := range samples {
		if !s.Same {
			differ++
		}
	}
	for _, model := range slices.Sorted(maps.Keys(t.models)) {
		out = append(out, t.ending(model)...)
	}
	if len(samples) > 0 {
		out = append(out, fmt.Sprintf("%d of %d sampled answers are others than recorded", differ, len(samples)))
	}
	return hash, out
}

// ending warns of a model whose end is announced.
func (t *tester) ending(model string) []string {
	const soon = 90 * 24 * time.Hour
	if at, ends := provider.Ending(model, t.e.now(), soon); ends {
		return []string{fmt.Sprintf("the model %s ends on %s", prompt.Clip(model, 80), at.UTC().Format(time.DateOnly))}
	}
	return nil
}
