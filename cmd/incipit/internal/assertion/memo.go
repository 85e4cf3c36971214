package assertion

import "sync"

// maxKept bounds what a memo holds. A suite has few patterns and schemas, but a
// pattern with a template in it is another one in each case.
const maxKept = 1000

// A memo makes a thing once for each key, also if making it fails. Its zero
// value is ready.
type memo[T any] struct {
	mu   sync.Mutex
	made map[string]made[T]
}

type made[T any] struct {
	thing T
	err   error
}

func (m *memo[T]) get(key string, build func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if got, ok := m.made[key]; ok {
		return got.thing, got.err
	}
	if m.made == nil || len(m.made) >= maxKept {
		m.made = map[string]made[T]{}
	}
	thing, err := build()
	m.made[key] = made[T]{thing, err}
	return thing, err
}
