package fake

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Registry streams one environment as Incipit's server does, and takes calls.
// It is ready after the first Deploy.
type Registry struct {
	Key string // that a client must show

	mu      sync.Mutex
	now     registry.Snapshot
	changed chan struct{} // closed at the next Deploy
	calls   []registry.WireCall
}

// Calls are those that came so far.
func (s *Registry) Calls() []registry.WireCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]registry.WireCall(nil), s.calls...)
}

// Deploy makes a snapshot what runs from now on.
func (s *Registry) Deploy(now registry.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

// record takes a batch, with no mind for what came before.
func (s *Registry) record(w http.ResponseWriter, r *http.Request) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in := registry.Intake{Rejected: []registry.Rejection{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for lines := json.NewDecoder(z); lines.More(); in.Accepted++ {
		var c registry.WireCall
		if err := lines.Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.calls = append(s.calls, c)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(in) // the other side may be gone
}

// ServeHTTP takes calls, or streams snapshots until the client goes.
func (s *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.Key {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/v1/calls" {
		s.record(w, r)
		return
	}
	for {
		s.mu.Lock()
		now, changed := s.now, s.changed
		s.mu.Unlock()
		if r.URL.Path != "/v1/environments/"+now.Environment+"/stream" {
			http.NotFound(w, r)
			return
		}
		data, err := json.Marshal(now)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: snapshot\nid: %d.%d\ndata: %s\n\n", now.Generation, now.Revision, data)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// Runs is the entry of a prompt that one release of serves everybody.
func Runs(p prompt.Prompt) (*registry.Entry, error) {
	digest, version, err := identify(p)
	if err != nil {
		return nil, err
	}
	d := registry.Deployment{Version: version, Digest: digest}
	return &registry.Entry{Rollout: d.Running(), Releases: map[string]prompt.Prompt{registry.StableArm: p}}, nil
}

// Canary is the entry of a prompt of which a candidate serves a share of the
// subjects.
func Canary(stable, candidate prompt.Prompt, salt string, share registry.Share) (*registry.Entry, error) {
	arms := make(map[string]registry.Arm)
	releases := map[string]prompt.Prompt{registry.StableArm: stable, registry.CandidateArm: candidate}
	for name, p := range releases {
		digest, version, err := identify(p)
		if err != nil {
			return nil, err
		}
		arms[name] = registry.Arm{Version: version, Digest: digest}
	}
	r := registry.NewRollout(registry.Canary, registry.DefaultBucketing, salt, arms[registry.StableArm], arms[registry.CandidateArm], nil)
	return &registry.Entry{Rollout: r.WithShare(share), Releases: releases}, nil
}

func identify(p prompt.Prompt) (string, prompt.Version, error) {
	version, err := prompt.ParseVersion(p.Version)
	if err != nil {
		return "", version, err
	}
	digest, err := p.Digest()
	return digest, version, err
}
