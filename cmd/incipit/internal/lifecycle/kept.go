package lifecycle

import (
	"context"
	"sync/atomic"
)

// A kept value was read from the database, and serves while the mark under which
// it was read stands. It is shared by who asks, and never changed.
type kept[M comparable, T any] struct {
	now  atomic.Pointer[marked[M, T]]
	turn chan struct{} // holds a token while somebody reads
}

type marked[M comparable, T any] struct {
	mark  M
	value T
}

func newKept[M comparable, T any]() *kept[M, T] { return &kept[M, T]{turn: make(chan struct{}, 1)} }

// get is the value of a mark. One caller reads it, and others wait for that, as
// long as ctx lets them. The mark was asked for before: what is read may be newer
// than it, and never older.
func (k *kept[M, T]) get(ctx context.Context, mark M, read func(context.Context) (T, error)) (T, error) {
	if now := k.now.Load(); now != nil && now.mark == mark {
		return now.value, nil
	}
	var none T
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if now := k.now.Load(); now != nil && now.mark == mark {
		return now.value, nil
	}
	value, err := read(ctx)
	if err != nil {
		return none, err
	}
	k.now.Store(&marked[M, T]{mark, value})
	return value, nil
}
