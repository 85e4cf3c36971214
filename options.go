package incipit

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Options say where prompts come from. One of Server, Dir, Bundle and
// Overrides is needed; every other field may stay empty.
type Options struct {
	Server      string // the server's address, such as https://incipit.example.com
	Key         string // an API key of it that may resolve, and record
	Environment string // whose releases are served; with Dir, "" serves the files as they are
	Dir         string // instead of Server: a working tree that holds prompts/; it is read again when it changes

	Bundle   []byte // what incipit bundle wrote for Environment, by go:embed: served where nothing better is at hand
	CacheDir string // where the last good snapshot is kept; "" is the user's cache directory, "-" is nowhere

	StartTimeout time.Duration // how long New may wait for the server; 0 is 2 s
	HTTPClient   *http.Client  // its transport is used; the zero one knows the proxy of the environment
	Logger       *slog.Logger  // nil is slog.Default

	// Redact lets Call.Input, Call.Output and the values of variables leave the
	// program: what it returns is sent, up to 16 KiB of each. nil sends none of
	// them. It runs in the background, one call at a time; a text that it panics
	// over is not sent.
	Redact func(text string) string

	// OnChange is called after what is served has changed, and when something
	// is wrong, from one goroutine, one call at a time. It should return soon.
	OnChange func(Change)

	// Overrides are answered for their ids, messages as they stand, whatever
	// the subject and the values. They are meant for tests.
	Overrides map[string]Prompt
}

// tuning is what a test sets and nobody else needs to.
type tuning struct {
	clock      clock
	silence    time.Duration // after which a connection is dead; the server is heard every 15 s
	eventLimit time.Duration // in which an event must be complete
	pollEvery  time.Duration // where no stream comes through
	polls      int           // until the stream is tried again
	backoff    time.Duration // the first pause is up to this long, each further one up to twice as long
	backoffCap time.Duration
	refusedCap time.Duration // the longest pause after the key was refused
	steady     time.Duration // a connection that lasted this long starts the pauses anew
	saveEvery  time.Duration // the copy on disk is written at most this often
	renewSaved time.Duration // … and at least this often while the server is heard
	rereadDir  time.Duration
	maxEvent   int // bytes of an event, and of a snapshot

	maxCalls   int           // recorded ones that wait
	maxQueue   int           // bytes of them
	linger     time.Duration // how long the first call of a batch waits for more
	batchCalls int
	batchBytes int           // as JSON
	batchAge   time.Duration // after which a batch that nobody takes is dropped; the server knows for 7 days what it has counted
	sendLimit  time.Duration // for a batch, and for feedback, with the answer
	flushLimit time.Duration // of Close with a context that has no deadline

	seen func(*view) // told of every view that came from the server
}

func defaultTuning() tuning {
	return tuning{
		clock:      machineClock(),
		silence:    45 * time.Second,
		eventLimit: 5 * time.Minute,
		pollEvery:  15 * time.Second,
		polls:      20,
		backoff:    500 * time.Millisecond,
		backoffCap: 30 * time.Second,
		refusedCap: 5 * time.Minute,
		steady:     30 * time.Second,
		saveEvery:  time.Second,
		renewSaved: 10 * time.Minute,
		rereadDir:  time.Second,
		maxEvent:   64 << 20,
		maxCalls:   10_000,
		maxQueue:   16 << 20,
		linger:     time.Second,
		batchCalls: 500,
		batchBytes: 1 << 20,
		batchAge:   24 * time.Hour,
		sendLimit:  30 * time.Second,
		flushLimit: 30 * time.Second,
	}
}

// check fills in what was left empty, and reports what cannot work.
func (o *Options) check() error {
	invalid := func(format string, args ...any) error { return registry.Errorf(ErrInvalid, format, args...) }
	if o.StartTimeout <= 0 {
		o.StartTimeout = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Server != "" && o.Dir != "":
		return invalid("Options has a Server and a Dir: choose one")
	case o.Server == "" && o.Dir == "" && o.Bundle == nil && o.Overrides == nil:
		return invalid("Options says nothing of where prompts come from: set Server, Dir or Bundle")
	case o.Server != "" && o.Environment == "":
		return invalid("Options has a Server and no Environment: set it to a name such as production")
	case len(o.Environment) > 256:
		return invalid("Options.Environment is longer than 256 bytes")
	}
	return nil
}

// address reads Options.Server.
func (o *Options) address() (*url.URL, error) {
	invalid := func(why string) (*url.URL, error) {
		return nil, registry.Errorf(ErrInvalid, "Options.Server %s; write something like https://incipit.example.com", why)
	}
	u, err := url.Parse(o.Server)
	switch {
	case err != nil:
		return invalid("is no address") // err would repeat a password in it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return invalid("must start with https:// or http://, and a host")
	case u.User != nil:
		return invalid("holds a user or a password: the key belongs in Options.Key")
	case u.RawQuery != "" || u.Fragment != "":
		return invalid("must not have a query or a fragment")
	}
	ip := net.ParseIP(u.Hostname())
	if local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); u.Scheme == "http" && o.Key != "" && !local {
		o.Logger.Warn("incipit: the key is sent without encryption; use https", "server", prompt.Clip(u.Host, 100))
	}
	return u, nil
}
