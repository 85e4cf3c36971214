package incipit

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
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
	mux.Handle("POST /base/v1/calls", &s.books)
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
	record(c, 700)
	shut(t, c)
	if n := s.books.taken(); n != 700 {
		t.Errorf("%d calls came", n)
	}
	s.books.check(t)

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
	mux.Handle("POST /v1/calls", &s.books)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for i := range 10 {
		s.books.set(func() {
			if s.books.before = nil; i%2 == 1 { // Close gives up
				s.books.before = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
			}
		})
		o := s.options()
		o.Server, o.HTTPClient, o.StartTimeout = srv.URL, nil, 30*time.Second
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		record(c, 30)
		if err := c.Close(t.Context()); (err != nil) != (i%2 == 1) {
			t.Errorf("Close says %v", err)
		}
	}
	eventually(t, "no goroutine of a client is left", func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "incipit.(*follower)") && !strings.Contains(stacks, "incipit.(*deliverer)") && !strings.Contains(stacks, "net/http.(*persistConn)")
	})
}

// A fragile listener has connections that break after a while, wherever a
// request or an answer is at that moment.
type fragile struct {
	net.Listener
	after func() int64 // how many bytes a connection lasts
}

type fragileConn struct {
	net.Conn
	left atomic.Int64
}

func (f fragile) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	broken := &fragileConn{Conn: c}
	broken.left.Store(f.after())
	return broken, nil
}

func (c *fragileConn) spend(n int, err error) (int, error) {
	if c.left.Add(int64(-n)) <= 0 && err == nil {
		_ = c.Close()
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *fragileConn) Read(p []byte) (int, error) { return c.spend(c.Conn.Read(p)) }

func (c *fragileConn) Write(p []byte) (int, error) {
	return c.spend(c.Conn.Write(p[:min(int64(len(p)), max(c.left.Load(), 1))]))
}

func TestConnectionsThatBreakInTheMiddleOfABatch(t *testing.T) {
	s, _ := threeEvents(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/environments/{env}/stream", s.stream)
	mux.Handle("POST /v1/calls", &s.books)
	srv := httptest.NewUnstartedServer(mux)
	lasts := rand.New(rand.NewPCG(7, 7))
	var whole atomic.Bool
	srv.Listener = fragile{srv.Listener, func() int64 {
		if whole.Load() {
			return 1 << 40
		}
		return lasts.Int64N(20_000)
	}}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(srv.Close)
	o := s.options()
	o.Server, o.HTTPClient, o.StartTimeout = srv.URL, nil, 30*time.Second
	tun := defaultTuning()
	tun.backoff, tun.backoffCap, tun.linger, tun.batchCalls = time.Millisecond, 5*time.Millisecond, time.Millisecond, 100
	c, err := open(t.Context(), o, tun)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	const put = 9000
	for range put / 90 {
		for range 90 {
			c.Record(Call{Prompt: "support", ResponseID: fmt.Sprintf("%x%x", rand.Uint64(), rand.Uint64())}) // so that gzip makes little of it
		}
		<-time.After(time.Millisecond)
	}
	eventually(t, "most of the calls are delivered", func() bool { return c.Status().Queued < 1000 })
	whole.Store(true)
	shut(t, c)
	if st := balance(t, c, put); st.Delivered != put || s.books.taken() != put {
		t.Errorf("%d calls were recorded, %d came, and the status says %+v", put, s.books.taken(), st)
	}
	s.books.check(t)
	s.books.set(func() {
		if again := len(s.books.requests) - len(s.books.keys); again < 5 {
			t.Errorf("only %d requests were sent again", again)
		}
		t.Logf("%d calls came once each, as %d batches in %d requests, of which %d were read whole", put, len(s.books.keys), len(s.books.requests), len(s.books.sizes))
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
