package source

import (
	"fmt"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// An Entry is what the registry says about one prompt.
type Entry struct {
	Name           string                   `json:"name"`
	CurrentVersion string                   `json:"current_version"`
	Model          string                   `json:"model"`
	Description    string                   `json:"description"`
	Maintainer     string                   `json:"maintainer"`
	RegisteredAt   string                   `json:"registered_at"`
	Digest         string                   `json:"digest,omitempty"` // of the current version
	Deployments    map[string]*Installation `json:"deployments"`

	// Unpublished is the version that a bump committed and left to publish to
	// tag. Until the next release it may equal CurrentVersion without a tag.
	Unpublished string `json:"unpublished,omitempty"`

	raw []byte
}

// An Installation is what runs in an environment. The lesson's two fields come
// first; the version is the stable release's while a rollout is open.
type Installation struct {
	Version    string         `json:"version"`
	DeployedAt string         `json:"deployed_at"`
	Digest     string         `json:"digest,omitempty"`
	History    registry.Track `json:"history,omitempty"` // its end; the rest stands in Git
}

// maxHistory is how many records of a prompt and environment the file keeps.
const maxHistory = 20

// Encode writes the known fields into the bytes that the entry came from.
func (e *Entry) Encode() ([]byte, error) {
	raw := e.raw
	if raw == nil {
		raw = []byte("{\n    \"name\": \"\"\n  }") // indented as it will stand in the file
	}
	if e.Deployments == nil {
		e.Deployments = make(map[string]*Installation)
	}
	for _, f := range []struct {
		key   string
		value any // one of ours is left out while it is empty
	}{
		{"name", e.Name},
		{"current_version", e.CurrentVersion},
		{"model", e.Model},
		{"description", e.Description},
		{"maintainer", e.Maintainer},
		{"registered_at", e.RegisteredAt},
		{"deployments", e.Deployments},
		{"digest", e.Digest},
		{"unpublished", e.Unpublished},
	} {
		ours := f.key == "digest" || f.key == "unpublished"
		if ours && f.value == "" && !hasKey(raw, f.key) {
			continue
		}
		var err error
		if raw, err = strictjson.Append(raw, f.key, f.value); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func hasKey(object []byte, key string) bool {
	ms, err := strictjson.Members(object)
	return err == nil && slices.ContainsFunc(ms, func(m strictjson.Member) bool { return m.Key == key })
}

// Track is what happened to the prompt in an environment. A file that knows
// only the lesson's fields tells of one deployment.
func (e *Entry) Track(env string) (registry.Track, error) {
	in := e.Deployments[env]
	if in == nil {
		return nil, nil
	}
	track := in.History
	if in.Version == "" { // nothing runs: it was retired, if it ever did
		if _, ok := track.Current(); ok {
			return nil, nil
		}
		return track, nil
	}
	for _, d := range track {
		if d.Rollout != nil {
			if err := d.Rollout.Validate(); err != nil {
				return nil, fmt.Errorf("registry.json: rollout in %s: %w", env, err)
			}
		}
	}
	now, ok := track.Current()
	if ok && now.Version.String() == in.Version {
		return track, nil
	}
	// Another program wrote the version: it counts as one more deployment.
	v, err := prompt.ParseVersion(in.Version)
	if err != nil {
		return nil, fmt.Errorf("registry.json: deployments.%s: %w", env, err)
	}
	at := parseTime(in.DeployedAt)
	from := ""
	if ok {
		from = now.Version.String()
	}
	return append(slices.Clone(track), registry.Deployment{
		Seq: track.Seq() + 1, Action: registry.Deploy, Version: v, Digest: in.Digest, From: from, At: at,
		Reason: "recorded by another program",
	}), nil
}

// parseTime reads a time of registry.json; one without a zone, as Python's
// isoformat writes it, is taken for UTC.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Install appends a deployment to what happened in an environment.
func (e *Entry) Install(env string, track registry.Track, d registry.Deployment) {
	track = append(slices.Clone(track), d)
	for len(track) > maxHistory {
		// Shifts go first: what was stable is what a rollback goes back to.
		i := max(0, slices.IndexFunc(track[:len(track)-1], func(d registry.Deployment) bool { return d.Action == registry.Shift }))
		track = slices.Delete(track, i, i+1)
	}
	if e.Deployments == nil {
		e.Deployments = make(map[string]*Installation)
	}
	in := &Installation{Version: d.Version.String(), DeployedAt: d.At.UTC().Format(time.RFC3339), Digest: d.Digest, History: track}
	if d.Action == registry.Retire {
		in.Version, in.Digest = "", ""
	}
	e.Deployments[env] = in
}

// Replace sets what happened in an environment, the end of it.
func (e *Entry) Replace(env string, track registry.Track) {
	delete(e.Deployments, env)
	if now := len(track) - 1; now >= 0 {
		e.Install(env, track[:now], track[now])
	}
}

// Described is an entry that says the same of the prompt, unknown fields too,
// and of no environment.
func (e *Entry) Described() *Entry {
	d := *e
	d.Deployments = nil
	return &d
}

// Describe copies what the metadata of a release says about the prompt.
func (e *Entry) Describe(m prompt.Metadata, v prompt.Version, digest, now string) {
	e.Name, e.Model, e.Description = m.Name, m.Model, m.Description
	if m.Maintainer != "" {
		e.Maintainer = m.Maintainer
	} else if e.Maintainer == "" {
		e.Maintainer = m.Author
	}
	if e.RegisteredAt == "" {
		e.RegisteredAt = now
	}
	e.CurrentVersion, e.Digest = v.String(), digest
}

// A PlainEntry is an entry in the lesson's shape alone.
type PlainEntry struct {
	Name           string                       `json:"name"`
	CurrentVersion string                       `json:"current_version"`
	Model          string                       `json:"model"`
	Description    string                       `json:"description"`
	Maintainer     string                       `json:"maintainer"`
	RegisteredAt   string                       `json:"registered_at"`
	Deployments    map[string]PlainInstallation `json:"deployments"`
}

// A PlainInstallation is what the lesson's shape says of an environment.
type PlainInstallation struct {
	Version    string `json:"version"`
	DeployedAt string `json:"deployed_at"`
}

// Plain is the registry without our own fields.
func (r *Registry) Plain() (map[prompt.ID]PlainEntry, error) {
	out := make(map[prompt.ID]PlainEntry, len(r.members))
	for _, id := range r.IDs() {
		e, err := r.Entry(id)
		if err != nil {
			return nil, err
		}
		p := PlainEntry{e.Name, e.CurrentVersion, e.Model, e.Description, e.Maintainer, e.RegisteredAt, make(map[string]PlainInstallation)}
		for env, in := range e.Deployments {
			if in != nil {
				p.Deployments[env] = PlainInstallation{in.Version, in.DeployedAt}
			}
		}
		out[id] = p
	}
	return out, nil
}
