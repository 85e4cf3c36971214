package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// choose finds the version and holds it against the rules.
func (p *ReleasePlan) choose(req ReleaseRequest, m prompt.Metadata, base prompt.Version) error {
	if req.Enough {
		req = p.enough(req, m, base)
	}
	v, err := p.wanted(req, m, base)
	if err != nil {
		return err
	}
	p.To = v
	free := p.nextFree(base, max(p.Required, prompt.Patch))
	if slices.Contains(p.versions, v) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is released already", p.Prompt.Tag(v)), "the next free version is %s", free)
	}
	if v.IsZero() {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "0.0.0 stands for a prompt without a release and cannot be one"), "give --minor (0.1.0), --major (1.0.0) or --version V")
	}
	highest := base
	for _, k := range p.versions {
		if k.Core() == v.Core() || v.Pre != "" && k.Pre == "" {
			highest = maxVersion(highest, k)
		}
	}
	if v.Compare(highest) <= 0 {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is not higher than %s, the last release of %s", v, highest, p.Prompt), "release %s or higher", free)
	}
	if len(p.versions) == 0 || base.IsZero() {
		p.Bump = max(req.Bump, prompt.Minor)
		return nil
	}
	p.Bump = base.BumpTo(v)
	if need := p.need(base); p.Bump < need {
		return registry.WithFix(
			registry.Errorf(prompt.ErrInvalid, "a %s release is too small for this change, it needs a %s one: %s", p.Bump, need, p.reasons(need)),
			"incipit release %s --%s -m …", p.Prompt, need)
	}
	return nil
}

// need is the least bump of a release after base.
func (p *ReleasePlan) need(base prompt.Version) prompt.Bump {
	if base.Major == 0 && p.Required == prompt.Major {
		return prompt.Minor // SemVer §4: before 1.0.0 the minor version tells of breaks
	}
	return p.Required
}

// enough is the request with the bump that the change needs.
func (p *ReleasePlan) enough(req ReleaseRequest, m prompt.Metadata, base prompt.Version) ReleaseRequest {
	v, err := prompt.ParseVersion(m.Version)
	switch {
	case len(p.versions) > 0:
		req.Bump = max(req.Bump, p.need(base), prompt.Patch)
	case err != nil || v.IsZero(): // a first release that names no version
		req.Bump = max(req.Bump, prompt.Minor)
	}
	return req
}

// wanted is the version that the request names or leads to.
func (p *ReleasePlan) wanted(req ReleaseRequest, m prompt.Metadata, base prompt.Version) (prompt.Version, error) {
	if req.Version != "" && (req.Bump != prompt.NoBump || req.Pre != "") {
		return prompt.Version{}, registry.Errorf(prompt.ErrInvalid, "give an exact version or a bump, not both")
	}
	if req.Version != "" {
		return prompt.ParseVersion(req.Version)
	}
	if len(p.versions) == 0 {
		var current prompt.Version // an included text has no metadata
		if m.Version != "" {
			var err error
			if current, err = prompt.ParseVersion(m.Version); err != nil {
				return current, err
			}
		}
		// Prompts that were versioned before they had tags go on from there.
		switch {
		case req.Bump != prompt.NoBump:
			current = current.Core().Next(req.Bump)
		case current.IsZero():
			return current, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the version is missing"), "for a first release give --minor (0.1.0), --major (1.0.0) or --version V")
		}
		return p.preRelease(current, req.Pre)
	}
	bump := req.Bump
	if bump == prompt.NoBump {
		if req.Pre == "" {
			return prompt.Version{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the version is missing"),
				"this change needs --%s; or give --patch, --minor, --major, --version V or --pre rc", max(p.Required, prompt.Patch))
		}
		bump = max(p.Required, prompt.Patch)
		// A pre-release under way goes on: 1.4.0-rc.1 is followed by rc.2.
		if last := p.versions[len(p.versions)-1]; last.Pre != "" && last.Core().Compare(base.Next(bump)) >= 0 {
			return p.preRelease(last.Core(), req.Pre)
		}
	}
	return p.preRelease(base.Next(bump), req.Pre)
}

// preRelease appends the next free number of a pre-release name: rc.1, rc.2.
func (p *ReleasePlan) preRelease(core prompt.Version, name string) (prompt.Version, error) {
	if name == "" {
		return core, nil
	}
	next := 1
	for _, k := range p.versions {
		number, ok := strings.CutPrefix(k.Pre, name+".")
		if n, err := strconv.Atoi(number); ok && err == nil && k.Core() == core.Core() {
			next = max(next, n+1)
		}
	}
	return prompt.ParseVersion(fmt.Sprintf("%s-%s.%d", core.Core(), name, next))
}

func (p *ReleasePlan) nextFree(base prompt.Version, b prompt.Bump) prompt.Version {
	v := base.Next(b)
	for slices.Contains(p.versions, v) {
		v = v.Next(prompt.Patch)
	}
	return v
}

func (p *ReleasePlan) reasons(b prompt.Bump) string {
	var out []string
	for _, c := range p.Changes {
		if c.Bump >= b {
			out = append(out, c.Detail)
		}
	}
	return strings.Join(out, "; ")
}

func maxVersion(a, b prompt.Version) prompt.Version {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}
