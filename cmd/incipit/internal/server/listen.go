package server

import (
	"net"
	"net/netip"
	"sync"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// CheckListen refuses an address that would give the registry away: one that
// others can reach, without TLS or without keys.
func CheckListen(address string, tls, dev, insecure bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no address to listen on", prompt.Clip(address, 80)), "write host:port, such as 127.0.0.1:7878")
	}
	if loopback(host) {
		return nil
	}
	if dev {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "--dev asks for no key, and others could reach %s", address), "listen on 127.0.0.1, or leave out --dev")
	}
	if tls || insecure {
		return nil
	}
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "others could reach %s, and keys would cross the network unprotected", address),
		"do one of these: listen on 127.0.0.1 and put a proxy with TLS before it; give --tls-cert and --tls-key; or, on a network that you trust, add --insecure-listen")
}

func loopback(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}

// limited is a listener that accepts no more than most connections at once. The
// others wait in the system's queue.
func limited(ln net.Listener, most int) net.Listener {
	return &limitedListener{Listener: ln, tokens: make(chan struct{}, most), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	tokens chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.tokens <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.tokens
		return nil, err
	}
	return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.tokens })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}
