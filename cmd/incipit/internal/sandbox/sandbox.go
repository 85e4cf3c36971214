// Package sandbox runs the code that suites bring: JavaScript in a child
// process of ourselves with limits of time and memory, nunjucks templates in
// the same child, Python where its interpreter and consent are there, and
// JavaScript's regular expressions under a time limit.
//
// The child has no modules, no network, no files, no environment and no
// timers; each script gets a world of its own, Math.random is seeded alike and
// the time zone is UTC, so that the same script says the same whatever ran
// before it. Only the clock is the real one.
//
// What is read from the disk is read by those above; this room is handed texts.
// What a result means, pass or score, is theirs to say, too.
package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config is what a Sandbox needs. Exe is required.
type Config struct {
	Exe  string   // our own executable
	Args []string // that make it call ServeChild; none: sandbox-child

	Children    int           // processes at most; 2 if 0. Each is started when it is first needed
	Timeout     time.Duration // of one script or template; 5 s if 0
	MemoryBytes int           // of a child's heap and stacks; 256 MiB if 0
	MaxInput    int           // bytes of one script with its scope; 16 MiB if 0
	MaxOutput   int           // bytes of what one gives back; 4 MiB if 0

	// Env is what templates may read as {{ env.NAME }}. Any other name is an
	// error that says it.
	Env map[string]string
}

// grace is how long after the time limit a child may take to say that it was
// reached. Longer, and it is killed: a pattern that backtracks cannot be
// interrupted.
const grace = time.Second

// A Sandbox runs scripts and templates. Its methods may be called at once.
// Whoever made it closes it.
type Sandbox struct {
	config Config
	slots  chan struct{} // one for each process that may run
	done   chan struct{} // closed by Close

	mu     sync.Mutex
	idle   []*child // started and waiting; the last used is the last
	closed bool
}

// New makes a sandbox. No process is started before it is needed.
func New(c Config) (*Sandbox, error) {
	if c.Exe == "" {
		return nil, errors.New("sandbox: Config.Exe must be set")
	}
	if c.Args == nil {
		c.Args = []string{"sandbox-child"}
	}
	c.Children = max(cmp.Or(c.Children, 2), 1)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.MemoryBytes = cmp.Or(c.MemoryBytes, 256<<20)
	c.MaxInput = cmp.Or(c.MaxInput, 16<<20)
	c.MaxOutput = cmp.Or(c.MaxOutput, 4<<20)
	return &Sandbox{
		config: c, slots: make(chan struct{}, c.Children), done: make(chan struct{}),
	}, nil
}

// Close ends the children and waits for them, and for the calls that they
// serve. After it every call is answered ErrClosed.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	for _, c := range s.idle {
		c.end()
	}
	s.idle = nil
	return nil
}

// ask has a child answer r, in one that waits or in a new one. A child that
// was ended by others while it waited is replaced, and asked again: scripts
// change nothing but their own world.
func (s *Sandbox) ask(ctx context.Context, r request) (answer, error) {
	frame, err := encodeFrame(r, s.config.MaxInput)
	if err != nil {
		return answer{}, err
	}
	if err := s.open(ctx); err != nil {
		return answer{}, err
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.done:
		return answer{}, ErrClosed
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	defer func() { <-s.slots }()

	c, used, err := s.take()
	if err != nil {
		return answer{}, err
	}
	a, err := c.ask(ctx, frame, s.config.Timeout+grace)
	if used && errors.Is(err, errVanished) && ctx.Err() == nil {
		if c, err = start(s.config); err != nil {
			return answer{}, err
		}
		a, err = c.ask(ctx, frame, s.config.Timeout+grace)
	}
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.name(), s.explain(err))
	}
	if a.Last {
		c.end()
	} else {
		s.put(c)
	}
	if a.Fault != nil {
		return answer{}, fmt.Errorf("%s: %w", r.name(), s.explain(a.Fault.err()))
	}
	return a, nil
}

// open reports why nothing more is begun: a select would choose by chance.
func (s *Sandbox) open(ctx context.Context) error {
	select {
	case <-s.done:
		return ErrClosed
	default:
		return context.Cause(ctx)
	}
}

// explain says with an error of a limit what the limit is.
func (s *Sandbox) explain(err error) error {
	switch {
	case errors.Is(err, ErrTimeout):
		return fmt.Errorf("%w (%v): look for a loop that does not end, or a pattern that backtracks", err, s.config.Timeout)
	case errors.Is(err, ErrMemory):
		return fmt.Errorf("%w (%d MiB): look for a value that grows without bound", err, s.config.MemoryBytes>>20)
	}
	return err
}

// take returns the child that was used last, or a new one.
func (s *Sandbox) take() (c *child, used bool, err error) {
	s.mu.Lock()
	if n := len(s.idle); n > 0 {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	c, err = start(s.config)
	return c, false, err
}

func (s *Sandbox) put(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, c)
}
