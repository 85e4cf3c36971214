package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// clockSkew is how far the clock of whoever signs may be ahead of ours.
const clockSkew = 10 * time.Minute

// signedKind reports whether evidence of the kind is made by a run of the
// tests, which can sign it. Other kinds are a person's word.
func signedKind(kind string) bool {
	return kind == registry.KindTests || kind == registry.KindComparison
}

// vouched says which trusted key signed the evidence, and reports an error if
// none did, or if what was signed says something else. It is asked each time:
// a key that is no longer trusted opens no gate, whenever it signed.
func vouched(e registry.Evidence, keys evidence.Keys) (by string, err error) {
	if e.Statement == nil {
		return "", errors.New("it is not signed")
	}
	envelope, err := evidence.ParseEnvelope(e.Statement)
	if err != nil {
		return "", err
	}
	s, key, err := envelope.Open(keys)
	if err != nil {
		return "", err
	}
	if passed, ok := s.Result(e.Kind); s.Prompt != e.Prompt || s.Digest != e.Digest || !ok || passed != e.Passed {
		return "", errors.New("what was signed is about something else")
	}
	return key.ID(), nil
}

// FileEvidence takes down what a report says about a digest of a prompt that
// is released. With a statement it files all that the statement says, and
// returns what it says of ev.Kind; its digest need not be released yet, since
// tests run before.
func (s *Shared) FileEvidence(ctx context.Context, ev registry.Evidence) (registry.Evidence, error) {
	if !registry.IsKind(ev.Kind) {
		return ev, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no kind of evidence", prompt.Clip(ev.Kind, 80)), "use a-z, 0-9 and dashes, such as tests")
	}
	if err := checkReason(ev.Note); err != nil {
		return ev, err
	}
	who, _ := registry.CallerOf(ctx)
	ev.By, ev.At = who.Name, s.config.Now().UTC()
	all := []registry.Evidence{ev}
	var err error
	if ev.Statement != nil {
		all, err = s.stated(ctx, ev)
	} else {
		err = s.isReleased(ctx, ev)
	}
	if err != nil {
		return ev, err
	}
	e := event(ctx, "evidence")
	e.Prompt = ev.Prompt
	e.Detail = evidenceDetail(all)
	if all, err = s.db.AddAllEvidence(ctx, all, e); err != nil {
		return ev, err
	}
	return all[slices.IndexFunc(all, func(e registry.Evidence) bool { return e.Kind == ev.Kind })], nil
}

func evidenceDetail(all []registry.Evidence) map[string]string {
	var kinds, passed []string
	for _, e := range all {
		kinds, passed = append(kinds, e.Kind), append(passed, strconv.FormatBool(e.Passed))
	}
	out := map[string]string{"kind": strings.Join(kinds, ", "), "digest": all[0].Digest, "passed": strings.Join(passed, ", ")}
	if all[0].SignedBy != "" {
		out["signed_by"] = all[0].SignedBy
	}
	return out
}

// isReleased reports ErrNotFound if no release has the digest: nobody could say
// what the word was about.
func (s *Shared) isReleased(ctx context.Context, ev registry.Evidence) error {
	releases, err := s.Releases(ctx, ev.Prompt)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(releases, func(r registry.Release) bool { return r.Digest == ev.Digest }) {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "no release of %s has the digest %s", ev.Prompt, prompt.Clip(ev.Digest, 80)), "incipit log %s --json=version,digest lists them", ev.Prompt)
	}
	return nil
}

// stated is the evidence that a statement is, by kind. It reports ErrForbidden
// if no trusted key signed it although there are some, ErrInvalid if the
// request and the statement do not agree, and ErrConflict if a newer statement
// about the digest is known: an old success must not cover a new failure.
func (s *Shared) stated(ctx context.Context, ev registry.Evidence) ([]registry.Evidence, error) {
	envelope, err := evidence.ParseEnvelope(ev.Statement)
	if err != nil {
		return nil, err
	}
	statement, err := envelope.Statement()
	if err == nil && len(s.config.Keys) > 0 {
		var by evidence.PublicKey
		statement, by, err = envelope.Open(s.config.Keys)
		ev.SignedBy = by.ID()
	}
	if err != nil {
		return nil, err
	}
	passed, ok := statement.Result(ev.Kind)
	if statement.Prompt != ev.Prompt || ev.Digest != statement.Digest || !ok || passed != ev.Passed {
		return nil, registry.Errorf(prompt.ErrInvalid, "the request and the statement of evidence do not say the same of prompt, digest, kind and passed")
	}
	if statement.At.After(ev.At.Add(clockSkew)) {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the statement is of %s, which has not come yet", statement.At.Format(time.RFC3339)), "set the clock of the machine that signs")
	}
	known, err := s.db.Evidence(ctx, ev.Prompt)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if k.Digest == ev.Digest && laterThan(k, statement) {
			return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "there is a newer statement about %s", prompt.Clip(ev.Digest, 80)), "run the tests again: incipit ci --evidence")
		}
	}
	if ev.Statement, err = envelope.Bytes(); err != nil {
		return nil, err
	}
	if ev.Note == "" {
		ev.Note = statement.String()
	}
	var out []registry.Evidence
	for _, r := range statement.Results() {
		e := ev
		e.Kind, e.Passed = r.Kind, r.Passed
		out = append(out, e)
	}
	return out, nil
}

// laterThan reports whether what was stated in e is newer than s.
func laterThan(e registry.Evidence, s evidence.Statement) bool {
	if e.Statement == nil {
		return false
	}
	envelope, err := evidence.ParseEnvelope(e.Statement)
	if err != nil {
		return false // it was taken down by a program of another age
	}
	was, err := envelope.Statement()
	return err == nil && was.At.After(s.At)
}

// FileEvidenceOf takes down what a report says about a release, by its version.
func (s *Shared) FileEvidenceOf(ctx context.Context, version string, ev registry.Evidence) (registry.Evidence, error) {
	v, err := prompt.ParseVersion(version)
	if err != nil {
		return ev, err
	}
	r, err := s.Release(ctx, ev.Prompt, v)
	if err != nil {
		return ev, err
	}
	ev.Digest = r.Digest
	return s.FileEvidence(ctx, ev)
}

// EvidenceOf lists what is known of the digests of a prompt, and whose trusted
// key vouches for it.
func (s *Shared) EvidenceOf(ctx context.Context, id prompt.ID) ([]registry.Evidence, error) {
	all, err := s.db.Evidence(ctx, id)
	for i, e := range all {
		if by, err := vouched(e, s.config.Keys); err == nil {
			all[i].SignedBy = by
		}
	}
	return all, err
}
