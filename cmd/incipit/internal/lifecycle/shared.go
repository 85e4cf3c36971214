package lifecycle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// SharedConfig is what a Shared service works on. Store, Now, Random and Log
// are required.
type SharedConfig struct {
	Store     *sqlstore.Store
	Remote    *source.Remote // nil: no Git, what is indexed is served
	SyncEvery time.Duration  // 0 is a minute
	Mirror    bool           // keep registry.json in Remote
	Now       func() time.Time
	Random    io.Reader
	Log       *slog.Logger

	Calls        *calllog.Log // nil: no calls are taken
	KeepContent  bool         // of calls: their input and output
	KeepSubjects bool         // as they were sent; else a keyed hash is kept alone
	MaxContent   int          // bytes of an input or an output that are kept; 0 is 16 KiB
	// KeepCalls is how long Calls keeps them, 0 is 30 days: older ones are refused.
	KeepCalls time.Duration

	Observe func(registry.Call) // is told of each call that was taken and is new; may be nil

	Keys evidence.Keys // that evidence of tests must be signed with; none: anybody who may file it is believed

	Notify *notify.Sender // nil: webhooks are told nothing, and none is added
	// TestDraft runs the suite of a prompt on texts. nil: no tests are run here.
	TestDraft func(context.Context, registry.DraftTest) (registry.DraftReport, error)

	// Told is told what came of each attempt: delivered, failed, refused, given-up
	// or gone. May be nil.
	Told func(outcome string)
}

// A Shared service is one that many people and programs use: a Service over a
// database, and what they need besides to work together.
type Shared struct {
	*Service
	config SharedConfig
	db     *sqlstore.Store
	intake *intake
	drafts chan struct{} // room for those who look at Git for a draft

	shelves shelves

	syncing sync.Mutex // held while Git is read
	mu      sync.Mutex
	status  registry.SyncReport // guarded by mu
	testing map[string]bool     // who runs the tests of a draft; guarded by mu
}

// NewShared returns a service over a database.
func NewShared(c SharedConfig) *Shared {
	return &Shared{
		Service: New(Config{
			Store: c.Store, Catalog: c.Store, Bucketing: registry.DefaultBucketing, Now: c.Now, Keys: c.Keys,
			Author: func(ctx context.Context) (string, error) {
				who, _ := registry.CallerOf(ctx)
				return who.Name, nil
			},
			Doubt: func(ctx context.Context, r registry.Release) (string, error) {
				p, err := c.Store.Problem(ctx, r.Prompt, r.Version)
				if err != nil || p == nil {
					return "", err
				}
				return p.Detail, nil
			},
		}),
		config: c, db: c.Store, intake: newIntake(c.Store, c.Now), shelves: newShelves(), drafts: make(chan struct{}, draftReads), testing: make(map[string]bool),
	}
}

// Revisions are the generation and the revision of each environment. It is
// cheap, and asked several times a second.
func (s *Shared) Revisions(ctx context.Context) (generation int64, byEnvironment map[string]int64, err error) {
	return s.db.Revisions(ctx)
}

// Patches are the revisions of an environment after one, in order, at most
// limit of them. It reports ErrUnavailable if a backup was restored meanwhile.
func (s *Shared) Patches(ctx context.Context, env string, after int64, limit int) ([]registry.Patch, error) {
	generation, err := s.db.Generation(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.db.Since(ctx, env, after, limit)
	if err != nil {
		return nil, err
	}
	if now, err := s.db.Generation(ctx); err != nil || now != generation {
		return nil, errors.Join(err, registry.Errorf(registry.ErrUnavailable, "a backup was restored just now"))
	}
	out := make([]registry.Patch, 0, len(records))
	for _, r := range records {
		e, err := s.Entry(ctx, r.Prompt, r.Deployment)
		if err != nil {
			return nil, err
		}
		out = append(out, registry.Patch{Environment: env, Generation: generation, Revision: r.Revision, Prompt: r.Prompt, Entry: e})
	}
	return out, nil
}

// Approve takes down a person's word that a release may be deployed. The
// author of the release cannot give it, nor can a program.
func (s *Shared) Approve(ctx context.Context, a registry.Approval) (registry.Approval, error) {
	who, _ := registry.CallerOf(ctx)
	if !who.Person {
		return a, registry.WithFix(registry.Errorf(registry.ErrForbidden, "a program cannot approve: %s is no person", prompt.Clip(who.Name, 80)), "sign in with incipit login")
	}
	v, err := prompt.ParseVersion(a.Version)
	if err != nil {
		return a, err
	}
	if err := s.known(ctx, a.Environment); err != nil {
		return a, err
	}
	r, err := s.Release(ctx, a.Prompt, v)
	if err != nil {
		return a, err
	}
	if sameAs(strings.ToLower(who.Name), r.Author) {
		return a, registry.WithFix(registry.Errorf(registry.ErrForbidden, "%s wrote %s and cannot approve it", prompt.Clip(who.Name, 80), r.Tag), "ask somebody else")
	}
	if a.Digest != "" && a.Digest != r.Digest {
		return a, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s has the digest %s, not the one that was looked at", r.Tag, r.Digest), "read it again: incipit show %s", r.Tag)
	}
	if err := checkReason(a.Reason); err != nil {
		return a, err
	}
	a.Digest, a.By, a.At = r.Digest, who.Name, s.config.Now().UTC()
	e := event(ctx, "approve")
	e.Environment, e.Prompt, e.Version, e.Reason = a.Environment, a.Prompt, a.Version, a.Reason
	return s.db.Approve(ctx, a, e)
}

// Approvals lists the open approvals of an environment.
func (s *Shared) Approvals(ctx context.Context, env string) ([]registry.Approval, error) {
	return s.db.Approvals(ctx, "", env)
}

// A KeyRequest asks for an API key.
type KeyRequest struct {
	Kind   string
	Name   string
	Person bool
	Grants []registry.Grant
	TTL    time.Duration // 0 never expires

	// Once makes a request that is sent again be refused, with ErrConflict, for it
	// cannot be answered again: nobody keeps the secret. "" is another one each time.
	Once string
}

// CreateKey makes an API key. Its text is told this once. Nobody gives more
// than they have: whoever is no administrator of everything cannot ask for it.
func (s *Shared) CreateKey(ctx context.Context, req KeyRequest) (text string, key registry.Key, err error) {
	if err := checkName(req.Name); err != nil {
		return "", key, err
	}
	for _, g := range req.Grants {
		if err := g.Validate(); err != nil {
			return "", key, err
		}
	}
	if len(req.Grants) == 0 || req.TTL < 0 {
		return "", key, registry.Errorf(prompt.ErrInvalid, "a key needs a grant, and cannot have expired")
	}
	who, _ := registry.CallerOf(ctx)
	random := s.config.Random
	if req.Once != "" { // the id, which is no secret, is that of the request
		sum := sha256.Sum256([]byte(who.Name + "\x00" + who.Key + "\x00" + req.Once))
		random = io.MultiReader(bytes.NewReader(sum[:auth.IDBytes]), random)
	}
	secret, key, err := auth.New(req.Kind, random)
	if err != nil {
		return "", key, err
	}
	key.Name, key.Person, key.Grants = req.Name, req.Person, req.Grants
	key.CreatedAt, key.CreatedBy = s.config.Now().UTC(), who.Name
	if req.TTL > 0 {
		key.ExpiresAt = key.CreatedAt.Add(req.TTL)
	}
	e := event(ctx, "key.create")
	e.Detail = map[string]string{"id": key.ID, "kind": key.Kind, "name": key.Name}
	err = s.db.AddKey(ctx, key, e)
	if errors.Is(err, registry.ErrConflict) && req.Once != "" {
		err = registry.WithFix(registry.Errorf(registry.ErrConflict, "this was sent already: the key %s was made, and its secret was shown then", key.ID),
			"revoke it if nobody has its secret, and make another one")
	}
	if err != nil {
		return "", registry.Key{}, err
	}
	return secret.Reveal(), key, nil
}

// RevokeKey ends a key.
func (s *Shared) RevokeKey(ctx context.Context, id string) error {
	e := event(ctx, "key.revoke")
	e.Detail = map[string]string{"id": prompt.Clip(id, 40)}
	return s.db.RevokeKey(ctx, id, e)
}

// Keys lists the keys, without their secrets.
func (s *Shared) Keys(ctx context.Context) ([]registry.Key, error) { return s.db.Keys(ctx) }

// KeysVersion grows with each change of a key or a person.
func (s *Shared) KeysVersion(ctx context.Context) (int64, error) { return s.db.KeysVersion(ctx) }

// KeysUsed keeps when keys last opened, by id.
func (s *Shared) KeysUsed(ctx context.Context, at map[string]time.Time) error {
	return s.db.KeysUsed(ctx, at)
}

// SetPerson says what somebody who signs in may do; no grant is nothing. Who said
// it first is kept.
func (s *Shared) SetPerson(ctx context.Context, p registry.Person) error {
	p.Mail = strings.ToLower(strings.TrimSpace(p.Mail))
	if err := checkName(p.Mail); err != nil || !strings.Contains(p.Mail, "@") {
		return registry.Errorf(prompt.ErrInvalid, "%q is no mail address", prompt.Clip(p.Mail, 80))
	}
	for _, g := range p.Grants {
		if err := g.Validate(); err != nil {
			return err
		}
	}
	who, _ := registry.CallerOf(ctx)
	p.CreatedBy = who.Name
	e := event(ctx, "person")
	e.Detail = map[string]string{"mail": p.Mail}
	return s.db.SetPerson(ctx, p, e)
}

// ReplacePerson is SetPerson for somebody who saw the grants that they change:
// seen are those in words. It reports ErrConflict if they are others now.
func (s *Shared) ReplacePerson(ctx context.Context, seen string, p registry.Person) error {
	was, err := s.db.Person(ctx, p.Mail)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if now := registry.GrantWords(was.Grants); now != seen && now != registry.GrantWords(p.Grants) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "somebody else changed what %s may do: %s", was.Mail, orNothing(now)), "look at it, then save again")
	}
	return s.SetPerson(ctx, p)
}

func orNothing(words string) string {
	if words == "" {
		return "nothing"
	}
	return words
}

// People lists who may do what.
func (s *Shared) People(ctx context.Context) ([]registry.Person, error) { return s.db.People(ctx) }

// Events are the lines of the audit log after one, at most limit of them.
func (s *Shared) Events(ctx context.Context, after int64, limit int) ([]registry.Event, error) {
	return s.db.Events(ctx, after, limit)
}

// LastEvent is the number of the last line of the audit log, 0 if it has none.
// It is cheap, and asked several times a second.
func (s *Shared) LastEvent(ctx context.Context) (int64, error) { return s.db.LastEvent(ctx) }

// VerifyAudit reads the whole audit log, and returns how many events it has. It
// reports ErrConflict with the first that is not what was written.
func (s *Shared) VerifyAudit(ctx context.Context) (int64, error) { return s.db.VerifyAudit(ctx) }

// Probe writes to the database, to find out whether it can be written.
func (s *Shared) Probe(ctx context.Context) error { return s.db.Probe(ctx) }

func checkName(name string) error {
	if name == "" || len(name) > 200 || prompt.Visible(name) != name {
		return registry.Errorf(prompt.ErrInvalid, "%q is no name: write 1 to 200 characters that can be seen", prompt.Clip(name, 60))
	}
	return nil
}

func checkReason(text string) error {
	if len(text) > maxReason {
		return registry.Errorf(prompt.ErrInvalid, "the reason is longer than %d bytes", maxReason)
	}
	if issues := prompt.CheckText([]byte(text)); len(issues) > 0 {
		return registry.Errorf(prompt.ErrInvalid, "the reason holds a character that nobody sees: %s", issues[0].Message)
	}
	return nil
}
