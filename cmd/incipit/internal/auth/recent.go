package auth

import "sync"

// A recent is a map that forgets: it keeps at least the half last used entries
// and never more than 2 × half. Nothing is ever swept, so an attacker who makes
// up keys or addresses costs neither memory nor time.
type recent[K comparable, V any] struct {
	half     int
	mu       sync.Mutex
	now, old map[K]V
}

func newRecent[K comparable, V any](half int) *recent[K, V] {
	return &recent[K, V]{half: half, now: map[K]V{}}
}

func (r *recent[K, V]) get(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(k)
}

func (r *recent[K, V]) put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(k, v)
}

// getOr is the entry of k, made if there is none. It reports whether there was
// one.
func (r *recent[K, V]) getOr(k K, fresh func() V) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.find(k)
	if !ok {
		v = fresh()
		r.keep(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) drop(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.now, k)
	delete(r.old, k)
}

func (r *recent[K, V]) find(k K) (V, bool) {
	v, ok := r.now[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.keep(k, v)
		}
	}
	return v, ok
}

func (r *recent[K, V]) keep(k K, v V) {
	if _, ok := r.now[k]; !ok && len(r.now) >= r.half {
		r.old, r.now = r.now, make(map[K]V, r.half)
	}
	r.now[k] = v
}
