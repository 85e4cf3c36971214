package lifecycle

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Trace is what a response was made of, by the id of its call or the
// provider's id of the response. A call that the caller may not read is not
// found. It needs no Git: the release is read as it was indexed.
func (s *Shared) Trace(ctx context.Context, ref string) (registry.Trace, error) {
	log, err := s.callLog()
	if err != nil {
		return registry.Trace{}, err
	}
	if err := registry.CheckRef(ref); err != nil {
		return registry.Trace{}, err
	}
	c, _ := registry.CallerOf(ctx)
	found, feedback, err := log.Find(ctx, ref, func(env string, id prompt.ID) bool { return c.May(registry.MayRead, env, id) == nil })
	if err != nil {
		return registry.Trace{}, noCall(err, ref)
	}
	t := registry.Trace{Call: found.Call.Wire(), Feedback: feedback, Evidence: []registry.Evidence{}}
	if err := s.traceRelease(ctx, &t); err != nil {
		return registry.Trace{}, err
	}
	return t, s.traceState(ctx, &t, &found.Call)
}

// traceRelease adds the release, its texts and the one before. Of a release
// that is not known here, such as after the restore of an old backup, it adds
// the name alone.
func (s *Shared) traceRelease(ctx context.Context, t *registry.Trace) error {
	id := t.Call.Prompt
	v, err := prompt.ParseVersion(t.Call.Version)
	if err != nil {
		return err
	}
	release, draft, err := s.Read(ctx, id, v)
	if errors.Is(err, registry.ErrNotFound) {
		t.Release = registry.Release{Prompt: id, Version: v, Tag: id.Tag(v)}
		return nil
	}
	if err != nil {
		return err
	}
	t.Release, t.Messages = release, draft.Prompt.Messages
	t.Rendered = rendered(draft.Prompt, t.Call.Input)
	t.Before, err = s.releaseBefore(ctx, release, draft)
	return err
}

// rendered are the messages as they were sent, nil unless the input is a JSON
// object of the variables' values.
func rendered(p prompt.Prompt, input string) []prompt.Message {
	var vars prompt.Vars
	if json.Unmarshal([]byte(input), &vars) != nil || vars == nil {
		return nil
	}
	template, err := prompt.Compile(p)
	if err != nil {
		return nil
	}
	messages, err := template.Render(vars)
	if err != nil {
		return nil
	}
	return messages
}

// releaseBefore is the release that this one says it follows, else the next
// lower version, nil if there is none.
func (s *Shared) releaseBefore(ctx context.Context, r registry.Release, d prompt.Draft) (*registry.TracedBefore, error) {
	known, err := s.db.Digests(ctx, r.Prompt)
	if err != nil {
		return nil, err
	}
	var before prompt.Version
	found := false
	for name := range known {
		v, err := prompt.ParseVersion(name)
		if err != nil {
			return nil, err
		}
		if name == d.Metadata.PreviousVersion {
			before, found = v, true
			break
		}
		if v.Compare(r.Version) < 0 && (!found || v.Compare(before) > 0) {
			before, found = v, true
		}
	}
	if !found {
		return nil, nil
	}
	_, old, err := s.Read(ctx, r.Prompt, before)
	if err != nil {
		return nil, err
	}
	return &registry.TracedBefore{Version: before, Messages: old.Prompt.Messages, Changes: prompt.Compare(old.Prompt, d.Prompt)}, nil
}

// traceState adds what was recorded in the environment when the call was made,
// and the evidence of its release.
func (s *Shared) traceState(ctx context.Context, t *registry.Trace, call *registry.Call) error {
	st, err := s.store.State(ctx, call.Prompt, call.Environment)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	for _, e := range st.Evidence {
		if e.Digest == t.Release.Digest {
			t.Evidence = append(t.Evidence, e)
		}
	}
	if d, ok := st.Track.Brought(t.Release.Version, call.StartedAt); ok {
		t.Brought = &d
	}
	d, ok := st.Track.At(call.StartedAt)
	if ok {
		t.Deployment = &d
	}
	if arm, runs := d.Arm(t.Release.Version); call.Share.Known {
		t.Share = &call.Share.Value
	} else if ok && runs {
		t.Share = new(arm.Share())
	}
	return nil
}
