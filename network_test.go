package incipit

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eventually waits for what must come to pass, and fails where it does not.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to pass: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// overTLS serves s over a real network, with HTTP/2 and TLS.
func overTLS(t *testing.T, s *fakeServer) (srv *httptest.Server, protocol *atomic.Value, keys *sync.Map) {
	t.Helper()
	protocol, keys = new(atomic.Value), new(sync.Map)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /base/v1/environments/{env}/stream", s.stream)
	mux.HandleFunc("GET /base/v1/environments/{env}/snapshot", s.snapshot)
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		keys.Store(r.Header.Get("Authorization"), true)
		mux.ServeHTTP(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, protocol, keys
}

func TestOverARealNetworkWithTLS(t *testing.T) {
	s, later := threeEvents(t)
	srv, protocol, keys := overTLS(t, s)
	o := s.options()
	o.Server, o.HTTPClient, o.StartTimeout = srv.URL+"/base/", srv.Client(), 30*time.Second
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	later()
	eventually(t, "the newest state is served", func() bool { return c.Status().Revision == 3 })
	if p := protocol.Load(); p != "HTTP/2.0" {
		t.Errorf("the protocol was %v", p)
	}
	if _, ok := keys.Load("Bearer " + o.Key); !ok {
		t.Error("the key was not sent")
	}
	shut(t, c)

	stranger := bundled(t, s.entries)
	stranger.Server, stranger.Environment, stranger.CacheDir, stranger.StartTimeout = o.Server, "production", "-", time.Millisecond
	c = connect(t, stranger) // it does not know the certificate's authority
	eventually(t, "the status names the certificate", func() bool {
		err := c.Status().Err
		return err != nil && strings.Contains(err.Error(), "certificate")
	})
	if p := ask(t, c, "support"); p.Source != "bundle" {
		t.Errorf("the source is %s", p.Source)
	}
}

func TestCloseLeavesNoGoroutineAndNoConnection(t *testing.T) {
	s, _ := threeEvents(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/environments/{env}/stream", s.stream)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for range 10 {
		o := s.options()
		o.Server, o.HTTPClient, o.StartTimeout = srv.URL, nil, 30*time.Second
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		shut(t, c)
	}
	eventually(t, "no goroutine of a client is left", func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "incipit.(*follower)") && !strings.Contains(stacks, "net/http.(*persistConn)")
	})
}

// A freezer passes bytes on until it is told to freeze: then the connections
// that it has stay open, and nothing comes through them any more.
type freezer struct {
	net.Listener
	to     string
	mu     sync.Mutex
	frozen []chan struct{}
}

func (f *freezer) run() {
	for {
		near, err := f.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", f.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		stop := make(chan struct{})
		f.mu.Lock()
		f.frozen = append(f.frozen, stop)
		f.mu.Unlock()
		pass := func(dst, src net.Conn) {
			buf := make([]byte, 32<<10)
			for {
				n, err := src.Read(buf)
				if err != nil {
					return
				}
				select {
				case <-stop: // it is read, and thrown away
					continue
				default:
				}
				if _, err := dst.Write(buf[:n]); err != nil {
					return
				}
			}
		}
		for _, way := range [][2]net.Conn{{far, near}, {near, far}} {
			go func() {
				pass(way[0], way[1])
				_ = near.Close()
				_ = far.Close()
			}()
		}
	}
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, stop := range f.frozen {
		close(stop)
	}
	f.frozen = nil
}

func TestAFrozenHTTP2ConnectionIsNotUsedAgain(t *testing.T) {
	s, _ := threeEvents(t)
	srv, _, _ := overTLS(t, s)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{Listener: l, to: srv.Listener.Addr().String()}
	go f.run()
	defer l.Close()
	o := s.options()
	o.Server, o.HTTPClient, o.StartTimeout = "https://"+l.Addr().String()+"/base", srv.Client(), 30*time.Second
	tun := defaultTuning()
	tun.silence = 300 * time.Millisecond
	c, err := open(t.Context(), o, tun)
	if err != nil {
		t.Fatal(err)
	}
	f.freeze()
	s.deploy("support", runs(t, "1.0.1", text))
	eventually(t, "a new connection brings the deploy", func() bool { return c.Status().Revision == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}
