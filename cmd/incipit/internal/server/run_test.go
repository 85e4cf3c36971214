package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A server that is stopped under load finishes what it has begun, sends its
// streams away, and breaks no answer off.
func TestAServerThatStopsUnderLoadBreaksNothingOff(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	for range 50 {
		r.listen("dev", r.admin)
	}
	var wg sync.WaitGroup
	var good, broken atomic.Int64
	var stopping atomic.Bool
	for range 8 {
		wg.Go(func() {
			for {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/environments/dev/resolve", strings.NewReader(resolveBody))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+r.admin)
				req.Header.Set("Content-Type", "application/json")
				resp, err := r.client.Do(req)
				if err != nil {
					if !stopping.Load() {
						t.Error(err)
					}
					return // nobody listens any more
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !strings.HasSuffix(string(body), "}\n") {
					broken.Add(1)
				}
				good.Add(1)
			}
		})
	}
	until(t, func() bool { return good.Load() > 200 })
	stopping.Store(true)
	start := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if took := time.Since(start); took > 10*time.Second || broken.Load() > 0 {
		t.Errorf("it took %s, and broke off %d of %d answers", took, broken.Load(), good.Load())
	}
}

// A backup that is restored has a higher generation, and perhaps a lower
// revision: streams are given everything anew.
func TestARestoredBackupReplacesWhatStreamsHave(t *testing.T) {
	var restored atomic.Int64
	r := prepared(t, storetest.SQLite(t), nil, func(s *Server) {
		from := s.hub.source
		s.hub.source = source{
			Revisions: func(ctx context.Context) (int64, map[string]int64, error) {
				g, revisions, err := from.Revisions(ctx)
				return g + restored.Load(), revisions, err
			},
			Patches: func(ctx context.Context, env string, after int64, limit int) ([]registry.Patch, error) {
				ps, err := from.Patches(ctx, env, after, limit)
				for i := range ps {
					ps[i].Generation += restored.Load()
				}
				return ps, err
			},
			Snapshot: func(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error) {
				snap, err := from.Snapshot(ctx, env, ids...)
				if err == nil {
					snap.Generation += restored.Load()
				}
				return snap, err
			},
		}
	})
	r.deploy("dev", "support", "1.0.0")
	l := r.listen("dev", r.admin)
	l.want("snapshot", "1.1")
	restored.Store(1)
	l.want("snapshot", "2.1")
	r.deploy("dev", "support", "1.1.0")
	l.want("patch", "2.2")
	r.listen("dev", r.admin, "Last-Event-ID", "1.2").want("snapshot", "2.2")
}

// Views for callers of other rights are made at once, and never mixed up.
func TestViewsThatAreMadeAtOnceAreNotMixedUp(t *testing.T) {
	w := newWorld()
	for i := range 20 {
		for _, team := range []string{"a", "b", "c"} {
			w.change(t, prompt.ID(fmt.Sprintf("%s/p%d", team, i)), "text of "+team)
		}
	}
	h := newHub(w.source(), quiet())
	if err := h.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := h.feeds["dev"]
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			own := string("abc"[worker%3])
			for i := range 2000 {
				if i%100 == 0 {
					h.poke(t.Context(), "dev")
				}
				v := f.now.Load().view(registry.Patterns{own + "/*"})
				for _, other := range []string{"a", "b", "c"} {
					if strings.Contains(string(v.json), "text of "+other) != (other == own) {
						t.Errorf("%s sees %s", own, other)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestWhoGuessesKeysIsToldToWait(t *testing.T) {
	r := sqlite(t, nil)
	r.send("GET", "/v1/me", r.admin, "")
	var last got
	for range 40 {
		last = r.send("GET", "/v1/me", r.admin[:len(r.admin)-9]+"_00000000", "")
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" || last.problem(t).Code != "unavailable" {
		t.Errorf("%d %v %s", last.status, last.header, last.body)
	}
	if g := r.send("GET", "/v1/me", r.admin, ""); g.status != http.StatusOK {
		t.Errorf("a good key from the same address: %d", g.status)
	}
}

func TestConnectionsBeyondTheCapWaitAndAreServedLater(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.MaxConnections = 3 })
	r.client.Transport.(*http.Transport).DisableKeepAlives = true
	addr := strings.TrimPrefix(r.url, "http://")
	var idle []net.Conn
	for range 3 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	done := make(chan int, 1)
	go func() { done <- r.send("GET", "/healthz", "", "").status }()
	select {
	case status := <-done:
		t.Errorf("a fourth connection was served at once: %d", status)
	case <-time.After(100 * time.Millisecond):
	}
	for _, c := range idle {
		_ = c.Close()
	}
	if status := <-done; status != http.StatusOK {
		t.Errorf("when there was room: %d", status)
	}
}

func TestOverTLSTheServerSpeaksHTTP2AndStreams(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := sqlite(t, func(c *Config) { c.CertFile, c.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem") })
	r.url = strings.Replace(r.url, "http://", "https://", 1)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(files["cert.pem"])
	tr := r.client.Transport.(*http.Transport)
	tr.TLSClientConfig, tr.ForceAttemptHTTP2 = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, true
	r.deploy("dev", "support", "1.0.0")
	if h := r.send("GET", "/healthz", "", "").header; h.Get("Strict-Transport-Security") == "" {
		t.Errorf("%v", h)
	}
	l := r.listen("dev", r.admin)
	l.want("snapshot", "1.1")
	r.deploy("dev", "support", "1.1.0")
	l.want("patch", "1.2")
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	l.want("goaway", "")
}
