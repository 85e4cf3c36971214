package registry

import (
	"cmp"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// At is the record that stood at a time: the last of those made until then,
// and false if there is none. Where it is a retirement, nothing ran.
func (t Track) At(at time.Time) (Deployment, bool) {
	i := t.stood(at)
	if i < 0 {
		return Deployment{}, false
	}
	return t[i], true
}

// stood is the place of the record that stood at a time, -1 if there is none.
// The order is that of the records, whatever clocks said when they were made.
func (t Track) stood(at time.Time) int {
	for i, d := range slices.Backward(t) {
		if !d.At.After(at) {
			return i
		}
	}
	return -1
}

// Forgotten reports whether something was recorded until a time, and is not
// kept any more: the records begin later, and not with the first.
func (t Track) Forgotten(at time.Time) bool {
	return len(t) > 0 && t[0].Seq > 1 && t.stood(at) < 0
}

// Brought is the record by which a release came to run here: the first of
// those in a row, ending at a time, that give it to anybody or hold it ready.
// Where another release stood at that time it is the row before, which an
// application may still have followed. It is false if there is none.
func (t Track) Brought(v prompt.Version, at time.Time) (Deployment, bool) {
	i := t.stood(at)
	for i >= 0 && !t[i].holds(v) {
		i--
	}
	if i < 0 {
		return Deployment{}, false
	}
	for i > 0 && t[i-1].holds(v) {
		i--
	}
	return t[i], true
}

// holds reports whether a release is one of the arms after d.
func (d Deployment) holds(v prompt.Version) bool {
	_, ok := d.Arm(v)
	return ok
}

// Arm is the arm of a release after d, and false if it has none.
func (d Deployment) Arm(v prompt.Version) (Arm, bool) {
	if d.Action == Retire {
		return Arm{}, false
	}
	arms := d.Running().Arms
	i := slices.IndexFunc(arms, func(a Arm) bool { return a.Version == v })
	if i < 0 {
		return Arm{}, false
	}
	return arms[i], true
}

// RanIn is what an environment ran at a time, by what was done to each prompt
// there. Of a track its last record is enough, if it is not later.
func RanIn(env string, tracks map[prompt.ID]Track, at time.Time) WhatRan {
	out := WhatRan{Environment: env, At: at.UTC(), Prompts: []Ran{}}
	for id, t := range tracks {
		if d, ok := t.At(at); ok && d.Action != Retire {
			out.Prompts = append(out.Prompts, ranBy(id, d))
		} else if t.Forgotten(at) {
			out.Forgotten = append(out.Forgotten, id)
		}
	}
	slices.SortFunc(out.Prompts, func(a, b Ran) int { return cmp.Compare(a.Prompt, b.Prompt) })
	slices.Sort(out.Forgotten)
	return out
}

// ranBy is what runs of a prompt by a record.
func ranBy(id prompt.ID, d Deployment) Ran {
	r := d.Running()
	out := Ran{Prompt: id, Seq: d.Seq, Action: d.Action, Since: d.At, By: d.By, Reason: d.Reason, Strategy: r.Strategy}
	out.Arms = r.ran()
	slices.SortStableFunc(out.Arms, func(a, b RanArm) int { return cmp.Compare(b.Share, a.Share) })
	return out
}
