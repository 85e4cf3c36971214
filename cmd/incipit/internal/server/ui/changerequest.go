package ui

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// placeOf is the prompt in an environment of a path.
func placeOf(r *http.Request) (registry.Place, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	return registry.Place{Prompt: id, Environment: r.PathValue("environment")}, err
}

// trackOf is the environment of a place, and what was done there. It reports
// ErrNotFound if there is no such environment, or no such prompt.
func (u *UI) trackOf(r *http.Request, at registry.Place) (registry.Environment, registry.Track, error) {
	tracks, err := u.service.History(r.Context(), at.Prompt, at.Environment)
	if err != nil {
		return registry.Environment{}, nil, err
	}
	all, err := u.service.Environments(r.Context())
	for _, e := range all {
		if e.Name == at.Environment {
			return e, tracks[at.Environment], err
		}
	}
	return registry.Environment{Name: at.Environment}, tracks[at.Environment], err
}

// request is the change that was filled in.
func (f *changeForm) request() (registry.Request, error) {
	v := f.Typed
	req := registry.Request{
		Action: f.Action, Prompt: f.Place.Prompt, Environment: f.Place.Environment, Version: v.Get("version"), Arm: v.Get("arm"),
		Reason: strings.TrimSpace(strings.ReplaceAll(v.Get("reason"), "\r\n", "\n")), Confirm: strings.TrimSpace(v.Get("confirm")),
	}
	var err error
	switch f.Action {
	case registry.Deploy:
		err = f.deployment(&req)
	case registry.Shift:
		err = f.shift(&req)
	}
	if err != nil {
		return registry.Request{}, err
	}
	return req, nil
}

// deployment fills in how a release comes.
func (f *changeForm) deployment(req *registry.Request) (err error) {
	v := f.Typed
	req.Version = f.Deploy.Version
	req.Strategy = registry.Strategy(cmp.Or(v.Get("strategy"), string(registry.Full)))
	req.Supersede, req.Quarantined = v.Get("supersede") != "", v.Get("quarantined") != ""
	if req.Strategy == registry.Full {
		return nil
	}
	req.Manual = v.Get("manual") != ""
	if name := v.Get("bucketing"); name != "" {
		if req.Bucketing, err = registry.ParseBucketing(name); err != nil {
			return err
		}
	}
	if req.Strategy == registry.Canary {
		req.Steps, err = registry.ParseSteps(f.Deploy.Steps)
	}
	return err
}

// shift fills in the share that is asked for, or the shares of an experiment.
func (f *changeForm) shift(req *registry.Request) (err error) {
	if len(f.Arms) == 0 {
		req.Share, err = registry.ParseShare(strings.TrimSpace(f.To()))
		return err
	}
	req.Shares = make(map[string]registry.Share, len(f.Arms))
	for _, a := range f.Arms {
		share, err := registry.ParseShare(strings.TrimSpace(a.Share))
		if err != nil {
			return fmt.Errorf("arm %s: %w", a.Name, err)
		}
		req.Shares[a.Name] = share
	}
	return nil
}

// To is the share that a shift asks for, in percent: the next step if nothing
// was typed.
func (f *changeForm) To() string {
	if typed := f.Typed.Get("to"); typed != "" || f.Typed.Has("to") {
		return typed
	}
	now, ok := f.Track.Current()
	if !ok || now.Rollout == nil {
		return "0"
	}
	if next, more := now.Rollout.NextStep(); more {
		return next.Number()
	}
	return now.Rollout.Candidate().Share().Number()
}

// seen is the plan that the person saw, as far as it says whether it still
// holds; nil if they saw none.
func (f *changeForm) seen() *registry.Plan {
	seq, err := strconv.Atoi(f.Typed.Get("seen_seq"))
	to, bad := prompt.ParseVersion(f.Typed.Get("seen_to"))
	if err != nil || bad != nil {
		return nil
	}
	return &registry.Plan{Request: f.Request, SeenSeq: seq, To: to, Deployment: registry.Deployment{Digest: f.Typed.Get("seen_digest")}}
}

// since notes what was done after the record that the person saw.
func (f *changeForm) since(seen string) {
	seq, err := strconv.Atoi(seen)
	if err != nil {
		return
	}
	for _, d := range f.Track {
		if d.Seq > seq {
			f.Moved = append(f.Moved, moved{words.Deployment(d), d})
		}
	}
}

// once is what a form counts once by.
func (u *UI) once() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(u.config.Random, b[:]); err != nil {
		return "", registry.Errorf(registry.ErrUnavailable, "there is no randomness for a form")
	}
	return hex.EncodeToString(b[:]), nil
}

// onceOf is by what a form that is sent again is known, whoever sends it.
func onceOf(who registry.Caller, path string, form url.Values) registry.Once {
	key := form.Get("once")
	if b, err := hex.DecodeString(key); err != nil || len(b) != 16 {
		return registry.Once{}
	}
	sum := sha256.Sum256([]byte(path + "\n" + form.Encode()))
	return registry.Once{Caller: cmp.Or(who.Key, who.Name), Key: "form-" + key, Hash: hex.EncodeToString(sum[:])}
}
