package auth

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Failed attempts that an address may make at once, and how long it takes to
// earn one back. The secret has 256 bits: this saves the database from being
// asked, and a log from being filled.
const (
	failureBurst = 20
	failureEvery = time.Second
	failureAddrs = 10_000
)

// A limiter counts failures per address: an IPv4 address, or the /64 that one
// customer of a provider has. It keeps the addresses that were seen last.
type limiter struct {
	of *recent[netip.Prefix, *rate.Limiter]
}

func newLimiter() limiter {
	return limiter{newRecent[netip.Prefix, *rate.Limiter](failureAddrs)}
}

// wait is how long the address has to stay away, 0 if it may try. Nothing is
// taken: a hundred good keys behind one address never wait.
func (l limiter) wait(addr netip.Addr, now time.Time) time.Duration {
	lim, ok := l.of.get(network(addr))
	if !ok {
		return 0
	}
	missing := 1 - lim.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(failureEvery)), time.Millisecond)
}

// fail counts a failure. Attempts under way at once may go into debt, which
// lengthens the wait.
func (l limiter) fail(addr netip.Addr, now time.Time) {
	lim, _ := l.of.getOr(network(addr), func() *rate.Limiter { return rate.NewLimiter(rate.Every(failureEvery), failureBurst) })
	lim.ReserveN(now, 1)
}

func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil { // no address: all of those share one count
		return netip.Prefix{}
	}
	return p
}
