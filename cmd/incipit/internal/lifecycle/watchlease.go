package lifecycle

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
)

const (
	leaseBeat     = time.Second     // how often the holder says that it lives
	leasePatience = 5 * time.Second // how long others wait for a word
)

// A leaseholder has a lease, or waits for one. A database that one server alone
// can have open needs none.
type leaseholder struct {
	db   *sqlstore.Store
	name string
	id   string // of this process
	now  func() time.Time

	mine    bool
	said    time.Time // when we last said so
	seen    sqlstore.Lease
	changed time.Time // when what others say last was another word
}

// hold reports whether the lease is ours, and keeps it so.
func (l *leaseholder) hold(ctx context.Context) (bool, error) {
	if l.db.Alone() {
		return true, nil
	}
	now := l.now()
	if l.mine {
		if age := now.Sub(l.said); 0 <= age && age < leaseBeat {
			return true, nil
		}
		kept, err := l.db.KeepLease(ctx, l.name, l.id)
		l.mine, l.said = kept && err == nil, now
		return l.mine, err
	}
	is, err := l.db.Lease(ctx, l.name)
	if err != nil {
		return false, err
	}
	if is != l.seen || l.changed.IsZero() {
		l.seen, l.changed = is, now
	}
	if is.Holder != "" && now.Sub(l.changed) < leasePatience {
		return false, nil
	}
	l.mine, err = l.db.TakeLease(ctx, l.name, l.id, is)
	l.said = now
	return l.mine, err
}

// free lets another replica go on at once.
func (l *leaseholder) free(ctx context.Context) {
	if !l.mine {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseBeat)
	defer cancel()
	// If it fails, the others wait a little longer.
	_ = l.db.FreeLease(ctx, l.name, l.id)
}
