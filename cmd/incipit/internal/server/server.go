// Package server is the control plane over HTTP: every route, who may use it,
// and the streams by which a change reaches the applications.
//
// A handler reads, calls the service and writes; no rule about change stands
// here. What runs is held in memory (see hub), so that snapshot, stream and
// resolve go on while the database is away.
package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/otlp"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/server/ui"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/webhook"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config is what a Server needs. Service, Now and Random are required, and
// Verifier unless Dev is set.
type Config struct {
	Service  *lifecycle.Shared
	Verifier *auth.Verifier
	SignIn   *auth.SignIn // nil: there are no sessions, only keys

	Dev     bool     // whoever asks may do everything; CheckListen keeps it on the loopback
	Hosts   []string // names by which the server is asked, beside localhost and addresses
	Version string   // of the program, for the OpenAPI document

	CertFile, KeyFile string // TLS, where both are given

	WebhookSecrets map[webhook.Kind][]byte

	PollInterval  time.Duration // between two looks for changes by others; 250 ms if 0
	ProbeInterval time.Duration // between two write probes; 5 s if 0
	StopTimeout   time.Duration // for requests under way when Run is to stop; 10 s if 0

	MaxConnections int // at once; more wait to be accepted. 10,000 if 0
	MaxStreams     int // at once; more are told to come back. 5,000 if 0

	MaxRecording      int   // requests with calls at once; more are told to come back. 256 if 0
	MaxRecordingBytes int64 // that they take together. 32 MiB if 0

	// Recorders is how many of them are worked on at once. If it is 0, one less
	// than there are processors: that one is for those who resolve and follow.
	Recorders int

	CallsTimeout time.Duration // for the body of a request with calls. 10 s if 0
	RefusalPause time.Duration // before one that has no room is told so. 200 ms if 0

	Figures  *CallFigures    // what the service observes of calls; none of them if nil
	Webhooks *WebhookFigures // and of telling webhooks

	Exporter *otlp.Exporter       // is told of each request; nil: nobody is
	Registry *prometheus.Registry // where the figures are kept; one of its own if nil

	Log    *slog.Logger // nothing if nil
	Now    func() time.Time
	Random io.Reader
}

// A Server answers requests. Methods may be called at once.
type Server struct {
	config    Config
	service   *lifecycle.Shared
	log       *slog.Logger
	mux       *http.ServeMux
	hub       *hub
	newsroom  *newsroom
	pages     *ui.UI
	streams   *streams
	metrics   *metrics
	admission *admission
	origin    *http.CrossOriginProtection
	openAPI   []byte
	spec      *huma.OpenAPI // what the document says; a test holds answers against it
	routes    []route

	loaded   atomic.Bool // what runs has been read once
	probed   atomic.Pointer[probe]
	recorded atomic.Pointer[outcome] // of the last batch of calls; nil before the first
	toFetch  chan struct{}           // a webhook asks for a fetch; room for one
}

// New makes a server. It refuses if a route has no policy.
func New(c Config) (*Server, error) {
	c.PollInterval = cmp.Or(c.PollInterval, 250*time.Millisecond)
	c.ProbeInterval = cmp.Or(c.ProbeInterval, 5*time.Second)
	c.StopTimeout = cmp.Or(c.StopTimeout, 10*time.Second)
	c.MaxConnections = cmp.Or(c.MaxConnections, 10_000)
	c.MaxStreams = cmp.Or(c.MaxStreams, 5_000)
	c.MaxRecording = cmp.Or(c.MaxRecording, 256)
	c.Recorders = cmp.Or(c.Recorders, max(1, runtime.GOMAXPROCS(0)-1))
	c.CallsTimeout = cmp.Or(c.CallsTimeout, 10*time.Second)
	c.RefusalPause = cmp.Or(c.RefusalPause, 200*time.Millisecond)
	c.MaxRecordingBytes = cmp.Or(c.MaxRecordingBytes, 32<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Service == nil || c.Now == nil || c.Random == nil {
		return nil, errors.New("server: Config.Service, Now and Random must be set")
	}
	if c.Verifier == nil && !c.Dev {
		return nil, errors.New("server: nobody could sign in: Config.Verifier is missing")
	}
	if c.Figures == nil {
		c.Figures = NewCallFigures(c.Now)
	}
	if c.Webhooks == nil {
		c.Webhooks = NewWebhookFigures()
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	s := &Server{config: c, service: c.Service, log: c.Log, streams: newStreams(), origin: http.NewCrossOriginProtection(), toFetch: make(chan struct{}, 1)}
	s.hub = newHub(source{c.Service.Revisions, c.Service.Patches, c.Service.Snapshot}, c.Log)
	s.admission = newAdmission(load{c.MaxRecording, c.MaxRecordingBytes}, c.Recorders)
	s.newsroom = newNewsroom(newsSource{c.Service.LastEvent, c.Service.Events, c.Service.Rollouts, c.Service.LastDraftChange, c.Service.DraftChanges}, c.Log)
	s.metrics = newMetrics(s)
	var err error
	if s.pages, err = ui.New(ui.Config{
		Service: c.Service, Now: c.Now, Random: c.Random, Version: c.Version, Dev: c.Dev,
		Keys: c.SignIn.TakesKeys(), Issuer: c.SignIn.HasIssuer(),
	}); err != nil {
		return nil, err
	}
	return s, s.mount(append(s.everyRoute(), s.everyPage()...))
}

// Handler is the server as a handler. Without Run beside it, it sees the
// changes that it makes itself, and no others once it has loaded an environment.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Run answers on ln until ctx is done: then it sends the streams away, waits
// for the requests under way, and returns nil. It closes ln.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	h := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ln = limited(ln, s.config.MaxConnections)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		if s.config.CertFile != "" {
			err = h.ServeTLS(ln, s.config.CertFile, s.config.KeyFile)
		} else {
			err = h.Serve(ln)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	g.Go(func() error {
		<-ctx.Done()
		return s.stop(h)
	})
	g.Go(func() error { s.hub.follow(ctx, s.config.PollInterval, s.looked); return nil })
	g.Go(func() error { s.newsroom.follow(ctx); return nil })
	g.Go(func() error { s.recheck(ctx); return nil })
	g.Go(func() error { s.probeAgain(ctx); return nil })
	g.Go(func() error { s.fetchWhenAsked(ctx); return nil })
	g.Go(func() error { s.noteKeys(ctx); return nil })
	return g.Wait()
}

// stop sends the streams away and waits for what is under way.
func (s *Server) stop(h *http.Server) error {
	s.newsroom.close()
	s.streams.goaway()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopTimeout)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off at the stop", "error", err)
		return h.Close()
	}
	return nil
}

// looked is told how each look for changes went.
func (s *Server) looked(err error) {
	if err != nil {
		s.log.Warn("what runs cannot be read; what was read before is served", "error", err)
		return
	}
	s.loaded.Store(true)
}

// dev is who asks where everybody may do everything.
func dev() registry.Caller {
	return registry.Caller{Name: "dev", Kind: "dev", Person: true, Grants: []registry.Grant{
		{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}},
	}}
}
