package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// cpuSeconds is the processor time after which the kernel ends a child,
// whatever state its own watch is in. Long before that it retires.
const cpuSeconds = 600

// lower takes from this process what no script needs: files, core dumps,
// endless processor time, and memory beyond the limit that watch holds. The
// last is counted from what is mapped already, since Go's runtime, and the race
// detector all the more, reserve far more addresses than they use.
func lower(l limits) error {
	mapped, err := mappedBytes()
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		what  int
		value uint64
	}{
		{syscall.RLIMIT_CORE, 0},
		{syscall.RLIMIT_FSIZE, 0},
		{syscall.RLIMIT_NOFILE, 16},
		{syscall.RLIMIT_CPU, cpuSeconds},
		{syscall.RLIMIT_AS, mapped + 3*uint64(l.MemoryBytes) + 512<<20},
	} {
		if err := syscall.Setrlimit(limit.what, &syscall.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return fmt.Errorf("limit %d: %w", limit.what, err)
		}
	}
	return nil
}

// mappedBytes is the size of this process's address space: the first number in
// proc(5)'s statm, in pages.
func mappedBytes() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	pages, err := strconv.ParseUint(string(first), 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// tired reports whether this process has used so much processor time that
// another should go on.
func tired() bool {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return true
	}
	return used.Utime.Sec+used.Stime.Sec > cpuSeconds/2
}
