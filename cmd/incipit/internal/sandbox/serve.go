package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// ServeChild is the whole life of a child: it reads its limits, then requests,
// and answers each, until in ends. It returns nil then.
//
// It takes the process over: its limits of the operating system are lowered,
// and it is ended on the spot, with a status of its own, when a script uses
// more than it may.
func ServeChild(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	var l limits
	if err := readFrame(r, maxLimits, &l); err != nil {
		return fmt.Errorf("sandbox: its limits: %w", err)
	}
	debug.SetMaxStack(l.MemoryBytes / 2) // it grows by doubling
	if err := lower(l); err != nil {
		return fmt.Errorf("sandbox: lower its limits: %w", err)
	}
	m := newMachine(l)
	for {
		var q request
		if err := readFrame(r, l.MaxInput, &q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("sandbox: a request: %w", err)
		}
		a := answerTo(m, q, l)
		frame, err := encodeFrame(a, 6*l.MaxOutput+64<<10)
		if err != nil {
			return err
		}
		if _, err := w.Write(frame); err != nil {
			return err
		}
		if err := w.Flush(); err != nil || a.Last {
			return err
		}
	}
}

func answerTo(m *machine, q request, l limits) answer {
	stop := watch(l, os.Exit) //nolint:forbidigo // the only way out: what runs beside may not be interruptible
	defer stop()
	a, err := m.serve(q)
	if err != nil {
		a = answer{Fault: faultOf(err)}
	}
	a.Last = tired()
	return a
}
