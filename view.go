package incipit

import (
	"encoding/json"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Where a view comes from: Prompt.Source and Status.Source.
const (
	fromStream   = "stream"
	fromDisk     = "disk"
	fromBundle   = "bundle"
	fromFiles    = "files"
	fromOverride = "override"
)

// A view is all that is served at a moment: a snapshot, and its releases ready
// to render. It never changes.
type view struct {
	source   string // "" if there is nothing yet
	snapshot *registry.Snapshot
	releases map[*registry.Arm]*release // of every arm of every entry
	refused  map[prompt.ID]error        // prompts that have nothing that can be served, and why
}

// A release is one arm of a prompt, ready to render.
type release struct {
	parsed   prompt.Version
	version  string
	digest   string
	commit   string
	arm      string
	rollout  string  // its salt; "" if one release serves everybody
	share    float64 // of the subjects, in percent
	template *prompt.Template

	model                           string
	parameters, tools, outputSchema json.RawMessage
}

// newView makes what is served of a snapshot that has no prompts yet.
func newView(source, env string) *view {
	return &view{
		source:   source,
		snapshot: &registry.Snapshot{Environment: env, Prompts: make(map[prompt.ID]*registry.Entry)},
		releases: make(map[*registry.Arm]*release),
		refused:  make(map[prompt.ID]error),
	}
}

// resolve answers which release serves a subject. It allocates nothing.
func (v *view) resolve(id prompt.ID, subject string) (*release, error) {
	_, arm, err := registry.Resolve(v.snapshot, id, subject)
	if err != nil {
		return nil, err
	}
	return v.releases[arm], nil
}

// inRange is r if its version lies in the range, else the stable release that
// runs beside it, if that one does.
func (v *view) inRange(id prompt.ID, r *release, versions string) (*release, error) {
	ok, err := r.parsed.In(versions)
	if err != nil || ok {
		return r, err
	}
	arms := v.snapshot.Prompts[id].Rollout.Arms
	for i := range arms {
		if other := v.releases[&arms[i]]; other.arm == registry.StableArm {
			if ok, _ := other.parsed.In(versions); ok {
				return other, nil
			}
		}
	}
	return nil, outside(id, versions, r.version, nil)
}

// outside says that what runs of a prompt is not what a program can use.
func outside(id prompt.ID, versions, runs string, err error) error {
	if err != nil {
		return err
	}
	return registry.Errorf(ErrNotFound, "%s runs as %s, and this program asks for %s; deploy a release in that range, or teach the program the new one",
		prompt.Clip(string(id), 80), runs, prompt.Clip(versions, 40))
}

// add puts an entry into a view that is being made. An entry that cannot be
// served is an error and changes nothing.
func (v *view) add(id prompt.ID, e *registry.Entry, templates map[string]*prompt.Template) error {
	if e == nil {
		return registry.Errorf(ErrInvalid, "the entry is null")
	}
	if err := e.Check(); err != nil {
		return err
	}
	if e.Removed {
		v.snapshot.Prompts[id] = e
		delete(v.refused, id)
		return nil
	}
	made := make([]*release, len(e.Rollout.Arms))
	for i, a := range e.Rollout.Arms {
		p := e.Releases[a.Name]
		t := templates[a.Digest]
		if t == nil {
			var err error
			if t, err = prompt.Compile(p); err != nil {
				return err
			}
			templates[a.Digest] = t
		}
		r := &release{
			parsed: a.Version, version: a.Version.String(), digest: a.Digest, commit: a.Commit, arm: a.Name, template: t,
			model: p.Model, parameters: p.Parameters, tools: p.Tools, outputSchema: p.OutputSchema,
			share: float64(a.Share()) / (registry.Scale / 100),
		}
		if len(e.Rollout.Arms) > 1 {
			r.rollout = e.Rollout.Salt
		}
		if a.Version.IsZero() {
			r.version = p.Version // files that were never released
		}
		made[i] = r
	}
	for i, r := range made {
		v.releases[&e.Rollout.Arms[i]] = r
	}
	v.snapshot.Prompts[id] = e
	delete(v.refused, id)
	return nil
}

// keep takes an entry over from an older view, without checking it again.
func (v *view) keep(id prompt.ID, old *view) bool {
	e := old.snapshot.Prompts[id]
	if e == nil {
		return false
	}
	v.snapshot.Prompts[id] = e
	for i := range e.Rollout.Arms {
		a := &e.Rollout.Arms[i]
		v.releases[a] = old.releases[a]
	}
	return true
}

// templates are those that the view has compiled, by digest.
func (v *view) templates() map[string]*prompt.Template {
	out := make(map[string]*prompt.Template, len(v.releases))
	for _, r := range v.releases {
		out[r.digest] = r.template
	}
	return out
}

// id is the view's place in the history of its environment, as the stream
// counts it; "" if the stream cannot go on from it.
func (v *view) id() string {
	if !v.known() {
		return ""
	}
	return strconv.FormatInt(v.snapshot.Generation, 10) + "." + strconv.FormatInt(v.snapshot.Revision, 10)
}

// known reports whether the view is a state of the server's: the numbers of a
// bundle may have been counted by another registry.
func (v *view) known() bool { return v.source == fromStream || v.source == fromDisk }
