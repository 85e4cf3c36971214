package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A follower follows the stream of an environment, and holds it against what
// is promised: each revision once, in order, without gaps, and none that goes
// back, over any number of connections.
type follower struct {
	*fault
	url string

	mu         sync.Mutex
	generation int64
	revision   int64 // the last one
	patches    int
	snapshots  int
	connects   int
	ends       int // of connections
	goaways    int
	wrong      []string
}

// following follows a server's stream until ctx is done. wait returns when the
// follower has ended.
func (v *serving) following(ctx context.Context) (fo *follower, wait func()) {
	v.Helper()
	fo = &follower{fault: v.fault, url: v.url() + "/v1/environments/" + servedIn + "/stream"}
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			fo.connect(ctx)
			pauseFor(ctx, 10*time.Millisecond)
		}
	})
	fo.until("the stream has begun", func() bool { return fo.at() >= 0 && fo.counts().snapshots > 0 })
	return fo, all.Wait
}

func (fo *follower) connect(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fo.url, http.NoBody)
	if err != nil {
		return
	}
	fo.mu.Lock()
	if fo.snapshots > 0 {
		req.Header.Set("Last-Event-ID", fmt.Sprintf("%d.%d", fo.generation, fo.revision))
	}
	fo.mu.Unlock()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return
	}
	fo.mu.Lock()
	fo.connects++
	fo.mu.Unlock()
	defer func() {
		fo.mu.Lock()
		defer fo.mu.Unlock()
		fo.ends++
	}()
	event := ""
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			fo.take(event, []byte(value))
		}
	}
}

func (fo *follower) take(event string, data []byte) {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	if event == "goaway" {
		fo.goaways++
		return
	}
	var e struct{ Generation, Revision int64 }
	if err := json.Unmarshal(data, &e); err != nil {
		fo.wrong = append(fo.wrong, err.Error())
		return
	}
	switch {
	case event == "snapshot":
		if e.Generation < fo.generation || e.Generation == fo.generation && e.Revision < fo.revision {
			fo.wrong = append(fo.wrong, fmt.Sprintf("a snapshot of %d.%d after %d.%d", e.Generation, e.Revision, fo.generation, fo.revision))
		}
		fo.snapshots++
	case event == "patch":
		if e.Generation != fo.generation || e.Revision != fo.revision+1 {
			fo.wrong = append(fo.wrong, fmt.Sprintf("a patch of %d.%d after %d.%d", e.Generation, e.Revision, fo.generation, fo.revision))
		}
		fo.patches++
	default:
		fo.wrong = append(fo.wrong, "an event "+event)
	}
	fo.generation, fo.revision = e.Generation, e.Revision
}

func (fo *follower) at() int64 {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	return fo.revision
}

// counts is what the follower has counted until now.
func (fo *follower) counts() (c struct{ snapshots, patches, connects, ends, goaways int }) {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	c.snapshots, c.patches, c.connects, c.ends, c.goaways = fo.snapshots, fo.patches, fo.connects, fo.ends, fo.goaways
	return c
}

// reaches waits until the stream has come to a revision, and holds it against
// the promise.
func (fo *follower) reaches(revision int64) {
	fo.Helper()
	fo.until(fmt.Sprintf("the stream comes to revision %d", revision), func() bool { return fo.at() >= revision })
	fo.mu.Lock()
	defer fo.mu.Unlock()
	if len(fo.wrong) > 0 {
		fo.Errorf("the stream: %s", strings.Join(fo.wrong, "; "))
	}
	if fo.revision != revision {
		fo.Errorf("the stream is at revision %d, and there are %d", fo.revision, revision)
	}
}
