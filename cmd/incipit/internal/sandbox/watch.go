package sandbox

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// pollEvery is how often the memory of a script is looked at. What it can
// take between two looks is bounded by the operating system's limit.
const pollEvery = 5 * time.Millisecond

// watch ends the process by exit when what runs until stop is called takes
// more memory than it may, or so long that it must be beyond interruption.
func watch(l limits, exit func(status int)) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		deadline := time.NewTimer(l.Timeout + grace/2)
		defer deadline.Stop()
		look := time.NewTicker(pollEvery)
		defer look.Stop()
		limit := l.MemoryBytes
		for {
			select {
			case <-done:
				return
			case <-deadline.C:
				exit(exitTime)
			case <-look.C:
				if used() > limit {
					runtime.GC() // it may be garbage
					if used() > limit/4*3 {
						exit(exitMemory)
					}
				}
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// used is how many bytes the heap's objects, dead ones too, and the stacks
// take.
func used() int {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
