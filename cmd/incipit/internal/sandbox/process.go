package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// How a child ends when it has had enough, so that the parent can tell.
const (
	exitMemory = 71
	exitTime   = 72
)

// A child is one process that runs scripts, one at a time.
type child struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       io.Reader
	stderr    *head
	maxOutput int
}

// start starts a child and tells it its limits. It has no environment but the
// time zone and what Go's runtime should do: no secret of ours is in it.
func start(c Config) (*child, error) {
	cmd := exec.Command(c.Exe, c.Args...) //nolint:gosec // our own executable, named by our own command line
	cmd.Env = []string{"TZ=UTC", "GOMAXPROCS=2", "GOTRACEBACK=none"}
	cmd.Dir = os.TempDir()
	ownGroup(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	k := &child{cmd: cmd, in: in, out: out, stderr: &head{}, maxOutput: c.MaxOutput}
	cmd.Stderr = k.stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the sandbox's process does not start: %w", err)
	}
	hello, err := encodeFrame(limits{c.Timeout, c.MemoryBytes, c.MaxInput, c.MaxOutput}, maxLimits)
	if err == nil {
		_, err = in.Write(hello)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the sandbox's process: %w", err), k.buried())
	}
	return k, nil
}

// ask sends one request and waits for its answer, for limit at most. After an
// error the child is gone.
func (k *child) ask(ctx context.Context, frame []byte, limit time.Duration) (answer, error) {
	var late atomic.Bool
	timer := time.AfterFunc(limit, func() { late.Store(true); k.kill() })
	unhook := context.AfterFunc(ctx, k.kill)
	a, err := k.exchange(frame)
	if inTime, wanted := timer.Stop(), unhook(); err == nil && inTime && wanted {
		return a, nil
	}
	verdict := k.buried()
	switch {
	case ctx.Err() != nil:
		return answer{}, context.Cause(ctx)
	case late.Load():
		return answer{}, ErrTimeout
	case errors.Is(err, ErrSize):
		return answer{}, err
	}
	return answer{}, verdict
}

func (k *child) exchange(frame []byte) (a answer, err error) {
	if _, err := k.in.Write(frame); err != nil {
		return a, err
	}
	// An answer's text may be escaped, six bytes for one, and has a frame.
	err = readFrame(k.out, 6*k.maxOutput+64<<10, &a)
	return a, err
}

// kill ends a child at once. It has none of its own: it cannot start any.
func (k *child) kill() {
	_ = k.cmd.Process.Kill() // it ended by itself
}

// end lets a child that waits go, and waits for it.
func (k *child) end() {
	timer := time.AfterFunc(grace, k.kill)
	defer timer.Stop()
	_ = k.in.Close()
	_ = k.cmd.Wait() // how it ended is of no interest: it was told to
}

// buried ends a child, waits for it and says why it ended.
func (k *child) buried() error {
	_ = k.in.Close()
	timer := time.AfterFunc(grace, k.kill) // it may be about to say with its status why it ends
	defer timer.Stop()
	err := k.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return errVanished
	}
	said := k.stderr.line()
	switch {
	case exit.ExitCode() == exitMemory, saysAny(said, "out of memory", "cannot allocate", "failed to allocate", "address space collisions"):
		return ErrMemory
	case exit.ExitCode() == exitTime:
		return ErrTimeout
	case saysAny(said, "stack overflow", "stack exceeds"):
		return &ScriptError{Message: "it recurses too deeply"}
	case said != "":
		return fmt.Errorf("%w (%s): %s", errVanished, exit.ProcessState, said)
	}
	return fmt.Errorf("%w (%s)", errVanished, exit.ProcessState)
}

// saysAny reports whether Go's runtime, or the race detector, said one of these
// at its end.
func saysAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// A head keeps the beginning of what is written to it.
type head struct{ buf bytes.Buffer }

const maxHead = 1 << 10

func (h *head) Write(p []byte) (int, error) {
	if room := maxHead - h.buf.Len(); room > 0 {
		h.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// line returns what was written as one line, to be shown.
func (h *head) line() string {
	return prompt.Visible(prompt.Clip(strings.Join(strings.Fields(h.buf.String()), " "), maxMessage))
}
