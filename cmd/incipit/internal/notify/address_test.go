package notify

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestNoAddressIsReachedThatIsNotPublic(t *testing.T) {
	var touched atomic.Int32
	at := receiver(t, func(http.ResponseWriter, *http.Request) { touched.Add(1) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s := sender(t, func(c *Config) { c.Allow, c.Timeout = []string{"named.example.com"}, 5*time.Second })
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[::7f00:1]", "0x7f000001", "2130706433", "017700000001", "127.1", "localhost", "localhost.",
		"169.254.169.254", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fd00::1]", "[fd00:ec2::254]", "[fc00::1]", "0.0.0.0", "0.1.2.3", "[::]",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "198.18.0.1", "192.0.0.1", "192.0.2.1", "203.0.113.7", "198.51.100.1",
		"224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2001::1]", "[2001:db8::1]", "[100::1]",
	} {
		r := s.Send(t.Context(), message("https://"+host+":"+port+"/"))
		if r.Err == nil || r.Status != 0 || !r.Refused && !strings.Contains(r.Err.Error(), "lookup") { // a number that is no name here either
			t.Errorf("%s: %+v", host, r)
		}
		if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && s.allow.check(a, false) == nil {
			t.Errorf("%s may be reached", host)
		}
	}
	if n := touched.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	for _, host := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"} {
		if err := s.allow.check(netip.MustParseAddr(host), false); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, raw := range []string{
		"gopher://hooks.example.com/", "file:///etc/passwd", "unix:///run/x.sock", "http://hooks.example.com/", "//hooks.example.com/", "https:hooks", "https://", "javascript:alert(1)",
		"https://user@hooks.example.com/", "https://hooks.example.com/" + strings.Repeat("x", 2000), "http://127.0.0.1/",
	} {
		if _, err := s.CheckURL(raw); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%.80s: %v", raw, err)
		}
		if r := s.Send(t.Context(), message(raw)); !r.Refused {
			t.Errorf("%.80s: %+v", raw, r)
		}
	}
	for _, raw := range []string{"https://hooks.example.com/x?y=z", "https://1.1.1.1:8443/", "http://NAMED.example.com./", "https://[2606:4700::1111]/"} {
		if _, err := s.CheckURL(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestTheOperatorAllowsNetworksAndHosts(t *testing.T) {
	s := sender(t, func(c *Config) { c.Allow = []string{"10.1.0.0/16", "::1", "Hooks.Internal."} })
	for at, want := range map[string]bool{"10.1.2.3": true, "10.2.0.1": false, "::1": true, "127.0.0.1": false, "::ffff:10.1.2.3": true} {
		if err := s.allow.check(netip.MustParseAddr(at), false); (err == nil) != want {
			t.Errorf("%s: %v", at, err)
		}
	}
	// A host that is named may be near, and never where a cloud gives its keys.
	for at, want := range map[string]bool{"127.0.0.1": true, "192.168.0.1": true, "fd00::1": true, "100.64.0.1": true, "169.254.169.254": false, "fd00:ec2::254": false, "0.0.0.0": false, "224.0.0.1": false} {
		if err := s.allow.check(netip.MustParseAddr(at), true); (err == nil) != want {
			t.Errorf("a named host at %s: %v", at, err)
		}
	}
	for _, raw := range []string{"http://hooks.internal/", "http://10.1.2.3:8080/", "http://[::1]/"} {
		if _, err := s.CheckURL(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, bad := range []string{"", "10.1.0.0/33", "https://x", "a b", "x/y", "host:80", "*"} {
		if _, err := New(Config{Allow: []string{bad}, Now: time.Now}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// names is a server of names, which answers each question for an IPv4 address
// with the next of its answers, and the last one from then on.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for asked := 0; ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12
			for end < n && buf[end] != 0 {
				end += int(buf[end]) + 1
			}
			question := buf[12 : end+5]
			reply := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
				reply[7] = 1
				a := netip.MustParseAddr(answers[min(asked, len(answers)-1)]).As4()
				asked++
				reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), a[:]...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name may stand for something else each time it is asked: what counts is
// what is dialed.
func TestANameThatChangesItsAddressReachesNothing(t *testing.T) {
	var touched atomic.Int32
	at := receiver(t, func(http.ResponseWriter, *http.Request) { touched.Add(1) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	resolver := names(t, "10.9.8.7", "169.254.169.254", "127.0.0.1")
	s := sender(t, func(c *Config) { c.Allow, c.Resolver = []string{"10.200.0.0/16"}, resolver })
	for _, want := range []string{"10.9.8.7", "169.254.169.254", "127.0.0.1", "127.0.0.1"} {
		r := s.Send(t.Context(), message("https://rebind.example.com:"+port+"/"))
		if !r.Refused || !strings.Contains(r.Err.Error(), want) {
			t.Errorf("%s: %+v", want, r)
		}
	}
	if n := touched.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	// The same name, where the operator allows it by its name.
	s = sender(t, func(c *Config) { c.Allow, c.Resolver = []string{"rebind.example.com"}, resolver })
	if r := s.Send(t.Context(), message("http://rebind.example.com:"+port+"/")); r.Err != nil || touched.Load() != 1 {
		t.Errorf("%+v", r)
	}
}

func TestARedirectToAPrivateAddressIsNotFollowed(t *testing.T) {
	var touched atomic.Int32
	inside := receiver(t, func(http.ResponseWriter, *http.Request) { touched.Add(1) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		at := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, code) })
		if r := sender(t, nil).Send(t.Context(), message(at)); r.Err == nil || r.Status != code {
			t.Errorf("%d: %+v", code, r)
		}
	}
	if n := touched.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
