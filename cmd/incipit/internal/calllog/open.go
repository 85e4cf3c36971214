package calllog

import (
	"context"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What is kept for how long, where the configuration does not say. What is sent
// again must be known for 7 days.
const (
	callsAreKept   = 30 * 24 * time.Hour
	leastKeepCalls = 8 * 24 * time.Hour
	minutesAreKept = 2 * 24 * time.Hour
	rollupsAreKept = 400 * 24 * time.Hour
)

// A Log keeps calls. Methods may be called at once.
type Log struct {
	cfg Config
	d   dialect

	turn  chan struct{} // whoever put something in may write
	queue queue
	seen  memory // of whoever has the turn

	origins origins
}

// Open opens the log, and makes or upgrades what is not there.
func Open(ctx context.Context, c Config) (*Log, error) {
	if c.Now == nil || c.Random == nil || c.Log == nil {
		return nil, errors.New("calllog: Config.Now, Config.Random and Config.Log must be set")
	}
	c.KeepCalls = orElse(c.KeepCalls, callsAreKept)
	c.KeepMinutes = orElse(c.KeepMinutes, minutesAreKept)
	c.KeepHours = orElse(c.KeepHours, c.KeepCalls)
	c.KeepRollups = orElse(c.KeepRollups, rollupsAreKept)
	if c.KeepCalls < leastKeepCalls {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "calls would be kept for %v, but what is sent again must be known for 7 days", c.KeepCalls), "keep calls for 8 days at least")
	}
	l := &Log{cfg: c, turn: make(chan struct{}, 1)}
	switch {
	case c.Dir != "" && c.URL == "":
		l.d = newSQLite(c)
	case c.URL != "" && c.Dir == "":
		l.d = &postgres{cfg: c, made: make(map[day]bool), texts: make(map[textKey]string)}
	default:
		return nil, errors.New("calllog: either Config.Dir or Config.URL must be set")
	}
	if err := l.d.open(ctx); err != nil {
		return nil, errors.Join(l.d.verdict(err).Err, l.d.close())
	}
	return l, nil
}

func orElse(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Close ends all connections. What was acknowledged is on disk before.
func (l *Log) Close() error { return l.d.close() }

// sound reports a schema that this program cannot use.
func sound(compatible int64) error {
	if compatible > schema {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the call log has schema %d, and this program knows those up to %d", compatible, schema),
			"use the release of incipit that wrote it, or a later one")
	}
	return nil
}
