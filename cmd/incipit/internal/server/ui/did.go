package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A did is a change that was just made, on the page that it was made from.
type did struct {
	Text  string // Rolled back …
	Now   string // what runs since
	You   bool
	Place registry.Place
	registry.Deployment
	Undo string // the page that takes it back; "" where there is none
}

// withDid is a path of this server that says what was done there.
func withDid(to string, at registry.Place, seq int) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	q := u.Query()
	q.Set("did", at.Environment+"/"+string(at.Prompt)+"/"+strconv.Itoa(seq))
	u.RawQuery = q.Encode()
	return u.String()
}

// didOf is the change that the query of a page says was made. Who cannot see it
// is told nothing.
func (u *UI) didOf(r *http.Request) *did {
	env, rest, _ := strings.Cut(r.URL.Query().Get("did"), "/")
	i := strings.LastIndex(rest, "/")
	if i < 0 {
		return nil
	}
	seq, err := strconv.Atoi(rest[i+1:])
	id, bad := prompt.ParseID(rest[:i])
	who, _ := registry.CallerOf(r.Context())
	if err != nil || bad != nil || env == registry.Every || who.May(registry.MayRead, env, id) != nil {
		return nil
	}
	tracks, err := u.service.History(r.Context(), id, env)
	if err != nil {
		return nil
	}
	at, track := registry.Place{Prompt: id, Environment: env}, tracks[env]
	for i, d := range track {
		if d.Seq != seq {
			continue
		}
		out := &did{Text: done(at, d), Now: words.Done(at, d), You: d.By == who.Name, Place: at, Deployment: d}
		if req, ok := u.service.Undoing(track, at); ok && i == len(track)-1 && who.May(registry.MayDeploy, env, id) == nil {
			out.Undo = changePath(req, without(r.URL, "did"))
		}
		return out
	}
	return nil
}

// done is what a record did, as one says it just afterwards.
func done(at registry.Place, d registry.Deployment) string {
	past := map[registry.Action]string{
		registry.Deploy: "Deployed", registry.Shift: "Shifted", registry.Promote: "Promoted", registry.Rollback: "Rolled back", registry.Retire: "Retired",
	}[d.Action]
	_, what, _ := strings.Cut(words.Deployment(d), " ")
	return past + " " + string(at.Prompt) + " in " + at.Environment + ": " + what
}

// without is the path and query of a page, without one of its parameters.
func without(from *url.URL, name string) string {
	q := from.Query()
	q.Del(name)
	to := url.URL{Path: from.Path, RawPath: from.RawPath, RawQuery: q.Encode()}
	return to.String()
}

// changePath is the form of a request, filled in.
func changePath(req registry.Request, to string) string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	yes := func(name string, is bool) {
		if is {
			q.Set(name, "1")
		}
	}
	set("version", req.Version)
	set("strategy", string(req.Strategy))
	set("steps", words.Steps(req.Steps))
	set("bucketing", string(req.Bucketing))
	set("arm", req.Arm)
	yes("manual", req.Manual)
	yes("supersede", req.Supersede)
	yes("quarantined", req.Quarantined)
	if req.Action == registry.Shift && len(req.Shares) == 0 {
		q.Set("to", req.Share.Number())
	}
	for name, share := range req.Shares {
		q.Set("share."+name, share.Number())
	}
	set("return", to)
	return placePath(req.Environment, req.Prompt, string(req.Action)) + "?" + q.Encode()
}
