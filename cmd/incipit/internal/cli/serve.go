package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/otlp"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/server"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/webhook"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

type serveFlags struct {
	storeFlags
	repo, branch, within string
	listen               string
	hosts                []string
	url                  string
	commitURL            string // of a commit's page
	cert, key            string
	insecure, dev        bool
	mirror               bool
	every                time.Duration
	issuer, client       string
	logJSON              bool
	allow                []string // where webhooks may be
	testLive             bool     // tests of drafts may ask providers
	testMaxCost          float64  // US dollars of one run
	evidenceKeys         string   // file of the keys that evidence must be signed with

	keepCalls, keepRollups    string // ages
	keepContent, keepSubjects bool
}

func serveCommand(e *env) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [--repo DIR|URL] [--data DIR | --database URL] [--listen ADDRESS]",
		Short: "Serve the registry to many people and applications",
		Long: "serve is the control plane: it indexes the releases of a Git repository, keeps what\n" +
			"runs where in a database, and streams every change to the applications.\n\n" +
			"Without --repo it serves the repository that you are in. Without --data or\n" +
			"--database it keeps its data in .incipit there. Secrets come by environment:\n" +
			"INCIPIT_DATABASE, INCIPIT_GIT_TOKEN (https), INCIPIT_WEBHOOK_SECRET,\n" +
			"INCIPIT_OIDC_SECRET, INCIPIT_SEAL_KEY (the same on every replica).",
		Example: examples("incipit serve --dev", "incipit serve --repo https://git.example.com/prompts.git --data /var/lib/incipit"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), e, &f) },
	}
	f.add(cmd, e)
	fl := cmd.Flags()
	fl.StringVar(&f.repo, "repo", e.getenv("INCIPIT_REPO"), "the Git repository, as `DIR or URL` (https or ssh)")
	fl.StringVar(&f.branch, "branch", "", "the `BRANCH` that incipit.yaml is read from and the mirror is pushed to")
	fl.StringVar(&f.within, "within", "", "the `DIR`ectory in the repository that holds incipit.yaml")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:7878", "the `ADDRESS` to answer on")
	fl.StringSliceVar(&f.hosts, "host", nil, "`NAMES` by which the server is asked, beside localhost")
	fl.StringVar(&f.url, "url", "", "the `URL` by which people reach the server, for signing in")
	fl.StringVar(&f.cert, "tls-cert", "", "the certificate `FILE`, for https")
	fl.StringVar(&f.key, "tls-key", "", "the key `FILE`, for https")
	fl.BoolVar(&f.insecure, "insecure-listen", false, "let others reach the server without TLS")
	fl.BoolVar(&f.dev, "dev", false, "ask for no key, on the loopback alone")
	fl.StringVar(&f.commitURL, "commit-url", "", "the `URL` of a commit's page, with {commit} in it; known for GitHub, GitLab, Gitea and Forgejo")
	fl.BoolVar(&f.mirror, "mirror", false, "commit and push registry.json after each change")
	fl.DurationVar(&f.every, "sync", time.Minute, "read Git every `TIME`")
	fl.StringVar(&f.issuer, "oidc-issuer", "", "the `URL` of the identity provider by which people sign in")
	fl.StringVar(&f.client, "oidc-client", "", "the `ID` of this server at the identity provider")
	fl.BoolVar(&f.logJSON, "log-json", false, "log in JSON")
	fl.StringSliceVar(&f.allow, "webhook-allow", nil, "let webhooks be at these `HOSTS or CIDRS`, although they are not public, and by http")
	fl.StringVar(&f.keepCalls, "keep-calls", cmp.Or(e.getenv("INCIPIT_KEEP_CALLS"), "30d"), "forget calls after `TIME`, 8d or more")
	fl.StringVar(&f.keepRollups, "keep-rollups", cmp.Or(e.getenv("INCIPIT_KEEP_ROLLUPS"), "400d"), "forget statistics after `TIME`")
	fl.BoolVar(&f.keepContent, "keep-content", e.getenv("INCIPIT_KEEP_CONTENT") == "true", "keep what calls say of their inputs and outputs")
	fl.BoolVar(&f.keepSubjects, "keep-subjects", e.getenv("INCIPIT_KEEP_SUBJECTS") == "true", "keep the subjects of calls as they are sent, and not as a hash alone")
	fl.StringVar(&f.evidenceKeys, "evidence-keys", e.getenv("INCIPIT_EVIDENCE_KEYS"), "believe evidence of tests that a key in this `FILE` signed, and no other")
	fl.BoolVar(&f.testLive, "test-live", false, "let test runs of drafts ask providers, with the server's keys; else recorded answers alone")
	fl.Float64Var(&f.testMaxCost, "test-max-cost", 0.50, "with --test-live, stop a run before the call that could pass this many `DOLLARS`")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.MarkFlagsRequiredTogether("oidc-issuer", "oidc-client")
	return cmd
}

func runServe(ctx context.Context, e *env, f *serveFlags) (err error) {
	if err := server.CheckListen(f.listen, f.cert != "", f.dev, f.insecure); err != nil {
		return err
	}
	if !(f.testMaxCost > 0 && f.testMaxCost <= 1000) {
		return registry.Errorf(prompt.ErrInvalid, "--test-max-cost must be US dollars, above 0 and at most 1000")
	}
	var keys evidence.Keys
	if f.evidenceKeys != "" {
		if keys, err = trustedKeys(f.evidenceKeys); err != nil {
			return err
		}
	}
	// What suits a command of milliseconds does not suit a server.
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
	processors := runtime.GOMAXPROCS(0)
	if e.getenv("GOMAXPROCS") == "" {
		// Go lets a busy goroutine run for 10 ms, the kernel a busy thread for less:
		// with threads to spare, nobody who resolves waits for those who record.
		runtime.GOMAXPROCS(processors + 2)
	}
	log := e.logger(f.logJSON)

	if err := f.where(ctx, e); err != nil {
		return err
	}
	store, done, err := e.openStore(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	kept, err := f.keep(e, log)
	if err != nil {
		return err
	}
	calls, err := calllog.Open(ctx, kept)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, calls.Close()) }()
	figures, registered := server.NewCallFigures(e.now), prometheus.NewRegistry()
	exporter, err := otlp.Start(otlp.Config{Getenv: e.getenv, Gather: registered, Version: programVersion(), Log: log})
	if err != nil {
		return err
	}
	defer flush(ctx, exporter, log)
	remote, err := f.remote(e, log)
	if err != nil {
		return err
	}
	sender, err := notify.New(notify.Config{Allow: f.allow, Version: programVersion(), Now: e.now})
	if err != nil {
		return err
	}
	told := server.NewWebhookFigures()
	svc := lifecycle.NewShared(lifecycle.SharedConfig{
		Store: store, Remote: remote, SyncEvery: f.every, Mirror: f.mirror, Now: e.now, Random: rand.Reader, Log: log,
		Calls: calls, KeepContent: f.keepContent, KeepSubjects: f.keepSubjects, KeepCalls: kept.KeepCalls, Observe: figures.Observe,
		Notify: sender, Told: told.Observe, Keys: keys, TestDraft: (&draftTester{e, remote, f.testLive, f.testMaxCost}).test,
	})
	if envs, err := store.Environments(ctx); err == nil && len(envs) == 0 { // the first start: there is nothing to serve before
		if _, err := svc.Sync(ctx); err != nil {
			if _, gone := os.Stat(f.repo); filepath.IsAbs(f.repo) && gone != nil {
				return err // a wrong path, and not an outage
			}
			log.Warn("Git could not be read; it is tried again", "error", err)
		}
	}
	srv, err := newServer(e, f, svc, server.Config{Figures: figures, Webhooks: told, Registry: registered, Exporter: exporter, Recorders: max(1, processors-1), Log: log})
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "cannot listen on %s: %v", f.listen, err), "stop what listens there, or choose another address with --listen")
	}
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	log.Info("listening", "address", scheme+"://"+ln.Addr().String(), "database", store.Name(), "dev", f.dev, "version", programVersion())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return svc.Run(ctx) })
	g.Go(func() error { return srv.Run(ctx, ln) })
	err = g.Wait()
	log.Info("stopped")
	return err
}

// where finds the repository and the data directory that were not named.
func (f *serveFlags) where(ctx context.Context, e *env) error {
	if f.repo == "" {
		ws, err := e.workspace(ctx)
		if errors.Is(err, source.ErrNoWorkspace) {
			return registry.WithFix(err, "add --repo with the prompts' repository, or run this inside of it")
		}
		if err != nil {
			return err
		}
		repo, err := ws.Git(ctx)
		if err != nil {
			return err
		}
		f.repo, f.within = repo.Top, strings.TrimSuffix(repo.Prefix, "/")
	}
	if dir, err := os.Stat(f.repo); err == nil && dir.IsDir() {
		if f.repo, err = filepath.Abs(f.repo); err != nil {
			return err
		}
	}
	if f.data != "" || f.database != "" || e.getenv("INCIPIT_DATABASE") != "" {
		return nil
	}
	if e.ws == nil {
		return registry.WithFix(errors.New("where should the server keep its data?"), "add --data DIR, or --database URL")
	}
	f.data = filepath.Join(e.ws.Dir, ".incipit")
	if err := os.MkdirAll(f.data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.data, ".gitignore"), []byte("*\n"), 0o644)
}

// openStore opens the database; a data directory is kept from other servers
// until done is called.
func (e *env) openStore(ctx context.Context, f *serveFlags) (store *sqlstore.Store, done func() error, err error) {
	c, err := f.config(e)
	if err != nil {
		return nil, nil, err
	}
	c.Mirror = f.mirror
	var lock io.Closer
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			return nil, nil, err
		}
		if lock, err = sqlstore.LockDir(c.Dir); err != nil {
			return nil, nil, err
		}
	}
	free := func() error {
		if lock == nil {
			return nil
		}
		return lock.Close()
	}
	if store, err = sqlstore.Open(ctx, c); err != nil {
		return nil, nil, errors.Join(err, free())
	}
	return store, func() error { return errors.Join(store.Close(), free()) }, nil
}

// remote is the repository, whose bare clone lies beside the data, or for
// PostgreSQL in the user's cache.
func (f *serveFlags) remote(e *env, log *slog.Logger) (*source.Remote, error) {
	dir := f.data
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, registry.WithFix(err, "set HOME or XDG_CACHE_HOME, where the server keeps its clone")
		}
		dir = filepath.Join(cache, "incipit", strings.NewReplacer(":", "-", "/", "-").Replace(f.listen))
	}
	return source.NewRemote(source.RemoteConfig{
		URL: f.repo, Dir: filepath.Join(dir, "repo.git"), Branch: f.branch, Within: f.within, CommitURL: f.commitURL,
		Token: func() (string, error) { return e.getenv("INCIPIT_GIT_TOKEN"), nil },
		Now:   e.now, Notify: func(s string) { log.Info(s) },
	})
}

func newServer(e *env, f *serveFlags, svc *lifecycle.Shared, c server.Config) (*server.Server, error) {
	log := c.Log
	verifier := auth.NewVerifier(auth.VerifierConfig{Find: svc.FindKey, Version: svc.KeysVersion, Person: svc.GrantsOf, Now: e.now, Log: log})
	c.Service, c.Verifier, c.Dev, c.Hosts, c.Version = svc, verifier, f.dev, f.hosts, programVersion()
	c.CertFile, c.KeyFile, c.WebhookSecrets = f.cert, f.key, make(map[webhook.Kind][]byte)
	c.Now, c.Random = e.now, rand.Reader
	if secret := e.getenv("INCIPIT_WEBHOOK_SECRET"); secret != "" {
		for _, k := range []webhook.Kind{webhook.GitHub, webhook.GitLab, webhook.Gitea} {
			c.WebhookSecrets[k] = []byte(secret)
		}
	}
	if seal := e.getenv("INCIPIT_SEAL_KEY"); seal != "" && len(seal) < 32 {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "INCIPIT_SEAL_KEY is too short: it needs 32 characters"), "make one with: openssl rand -hex 32, the same for every replica")
	}
	address := f.url
	if address == "" {
		address = "http://" + f.listen
	}
	if f.issuer != "" && f.url == "" {
		return nil, registry.WithFix(errors.New("people cannot be sent back after signing in"), "add --url with the address by which they reach this server")
	}
	if f.url != "" || loopbackListen(f.listen) {
		var err error
		if c.SignIn, err = auth.NewSignIn(auth.SignInConfig{
			URL: address, Issuer: f.issuer, ClientID: f.client, ClientSecret: auth.Conceal(e.getenv("INCIPIT_OIDC_SECRET")),
			SealKey: auth.Conceal(e.getenv("INCIPIT_SEAL_KEY")), Verifier: verifier, Now: e.now, Random: rand.Reader, Log: log,
			NewSession: svc.NewSession, Person: svc.GrantsOf, EndSession: svc.EndSession, Fail: server.Fail, Arrive: server.Arrive,
		}); err != nil {
			return nil, err
		}
	}
	return server.New(c)
}

func loopbackListen(address string) bool {
	return server.CheckListen(address, false, false, false) == nil
}

// logger writes to standard error, for people or for programs.
func (e *env) logger(asJSON bool) *slog.Logger {
	if asJSON {
		return slog.New(slog.NewJSONHandler(e.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(e.stderr, nil))
}
