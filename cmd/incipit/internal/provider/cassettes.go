package provider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Mode is where answers come from.
type Mode string

// The modes.
const (
	Replay Mode = "replay" // from cassettes alone: free, and the same every time
	Record Mode = "record" // from cassettes; what has none is asked, and recorded
	Live   Mode = "live"   // from providers alone; cassettes are neither read nor written
	Sample Mode = "sample" // from cassettes, but for a share of the keys, which are asked
)

// CassetteConfig is what Cassettes need. Mode and Now are required.
type CassetteConfig struct {
	Mode  Mode
	Read  fs.FS    // the directory of cassettes, of a commit or on disk; nil: there are none
	Write *os.Root // where they are recorded; required to record

	Anew   bool          // record also what is recorded already
	Share  float64       // of the keys that a sample asks, from 0 to 1
	Salt   string        // which ones: the same salt draws the same
	MaxAge time.Duration // what is older is told as stale; 0: nothing is

	Now  func() time.Time
	Hide func(string) string // takes secrets out of what is written: Config.Hider; nil: nothing is secret
}

// Cassettes are the recorded answers of a run. They are safe for concurrent
// use. A request that is made twice at once is asked and recorded once.
type Cassettes struct {
	config CassetteConfig

	mu      sync.Mutex
	busy    map[string]chan struct{} // by key: who asks or records it has put something in
	fresh   map[string]cassette      // recorded in this run
	used    map[string]use
	sampled map[string]Sampled
}

type use struct {
	sum [sha256.Size]byte
	at  time.Time
	id  string
}

// A Sampled is a recorded answer that was asked for again.
type Sampled struct {
	Key      string
	Provider string
	Same     bool   // the answer is the same to the letter
	Recorded string // "" if there was none
	Live     string
}

// A Stale is a cassette that answered although it is old.
type Stale struct {
	Key        string
	Provider   string
	RecordedAt time.Time
}

// NewCassettes makes Cassettes. It reports a config that cannot work.
func NewCassettes(c CassetteConfig) (*Cassettes, error) {
	switch {
	case c.Now == nil:
		return nil, errors.New("provider: CassetteConfig.Now must be set")
	case !slices.Contains([]Mode{Replay, Record, Live, Sample}, c.Mode):
		return nil, fmt.Errorf("there is no mode %q: use replay, record, live or sample", prompt.Clip(string(c.Mode), 20))
	case c.Mode == Record && c.Write == nil:
		return nil, errors.New("nothing can be recorded without a directory for cassettes")
	case !(c.Share >= 0 && c.Share <= 1):
		return nil, errors.New("the share of a live sample must be from 0 to 1")
	}
	if c.Hide == nil {
		c.Hide = func(s string) string { return s }
	}
	return &Cassettes{
		config: c, busy: make(map[string]chan struct{}), fresh: make(map[string]cassette),
		used: make(map[string]use), sampled: make(map[string]Sampled),
	}, nil
}

// IsSampled reports whether a sample asks for a key. It depends on the key and
// the salt alone, so the same share of the same suite is asked every time.
func (c *Cassettes) IsSampled(key string) bool {
	sum := sha256.Sum256([]byte(c.config.Salt + "\x00" + key))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) < c.config.Share
}

// A taken is an answer, and where it was taken from.
type taken struct {
	response json.RawMessage
	at       time.Time
	replayed bool
}

// take answers a request from a cassette or by live, as the mode says. What is
// recorded and what is answered are the same bytes: a run that records sees
// what those that replay will see.
func (c *Cassettes) take(ctx context.Context, id string, request any, live func(context.Context) (any, error)) (taken, error) {
	key, canonical, err := keyOf(id, request)
	if err != nil {
		return taken{}, refuse(id, "write numbers that others can read", "the request has no canonical form: %v", err)
	}
	if c.config.Mode != Replay { // who only replays need not wait for another
		unlock, err := c.lock(ctx, key)
		if err != nil {
			return taken{}, err
		}
		defer unlock()
	}
	have, err := c.find(id, key)
	ask := c.config.Mode == Record && c.config.Anew && !c.isFresh(key) || c.config.Mode == Sample && c.IsSampled(key)
	switch {
	case ask:
		return c.ask(ctx, id, key, canonical, have, live)
	case err != nil:
		return taken{}, err
	case have != nil:
		return taken{have.Response, have.RecordedAt, true}, nil
	case c.config.Mode == Record:
		return c.ask(ctx, id, key, canonical, nil, live)
	}
	return taken{}, &Error{
		Kind: Missing, Provider: id, Text: "no cassette holds the answer to this request (" + cassettePath(key) + ")",
		Fix: "run incipit test --mode record, with the provider's key in the environment, and commit what it writes",
	}
}

// find returns the cassette of a key, nil if there is none, and counts it as
// used.
func (c *Cassettes) find(id, key string) (*cassette, error) {
	c.mu.Lock()
	fresh, ok := c.fresh[key]
	c.mu.Unlock()
	if ok {
		return &fresh, nil
	}
	if c.config.Read == nil {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	found, sum, err := readCassette(c.config.Read, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, &Error{
			Kind: Missing, Provider: id, Text: prompt.Clip(fmt.Sprintf("the cassette %s cannot be used: %v", cassettePath(key), err), maxText),
			Fix: "restore it from Git, or delete it and run incipit test --mode record",
		}
	}
	c.count(key, use{sum, found.RecordedAt, id})
	return &found, nil
}

func (c *Cassettes) isFresh(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.fresh[key]
	return ok
}

func (c *Cassettes) count(key string, u use) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[key] = u
}

// ask asks, compares with what is recorded if this is a sample, and records if
// there is a place for it.
func (c *Cassettes) ask(ctx context.Context, id, key string, request []byte, have *cassette, live func(context.Context) (any, error)) (taken, error) {
	v, err := live(ctx)
	if err != nil {
		return taken{}, err
	}
	at := c.config.Now()
	data, err := encodeCassette(id, request, v, at, c.config.Hide)
	if err != nil {
		return taken{}, garbled(id, "the answer cannot be recorded: %v", err)
	}
	made, err := parseCassette(data, key)
	if err != nil {
		return taken{}, garbled(id, "the answer cannot be recorded: %v", err)
	}
	if c.config.Mode == Sample {
		c.note(id, key, have, made)
	}
	if c.config.Write != nil {
		if err := c.write(key, data); err != nil {
			return taken{}, &Error{
				Kind: Missing, Provider: id, Sent: true, Text: prompt.Clip(fmt.Sprintf("the cassette %s cannot be written: %v", cassettePath(key), err), maxText),
				Fix: "make room, or let this user write there",
			}
		}
		c.mu.Lock()
		c.fresh[key] = made
		c.mu.Unlock()
		c.count(key, use{sha256.Sum256(data), made.RecordedAt, id})
	}
	return taken{response: made.Response}, nil
}

// note keeps how a live answer compares with the recorded one.
func (c *Cassettes) note(id, key string, have *cassette, made cassette) {
	s := Sampled{Key: key, Provider: id, Live: outputOf(made)}
	if have != nil {
		s.Recorded = outputOf(*have)
		s.Same = s.Recorded == s.Live
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.used, key) // it did not answer
	c.sampled[key] = s
}

func outputOf(c cassette) string {
	var r struct {
		Output string `json:"output"`
	}
	_ = json.Unmarshal(c.Response, &r) // what is no answer of a chat has no output
	return r.Output
}

// write puts a file in its place at once: who reads sees the old one or the
// new one, whole.
func (c *Cassettes) write(key string, data []byte) error {
	name := cassettePath(key)
	root := c.config.Write
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	temp := path.Join(path.Dir(name), fmt.Sprintf(".%s.%d.tmp", key[:16], os.Getpid()))
	err := root.WriteFile(temp, data, 0o644)
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp) // the first error says more
	}
	return err
}

// lock waits until nobody else asks or records a key.
func (c *Cassettes) lock(ctx context.Context, key string) (unlock func(), err error) {
	c.mu.Lock()
	place, ok := c.busy[key]
	if !ok {
		place = make(chan struct{}, 1)
		c.busy[key] = place
	}
	c.mu.Unlock()
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Used tells which cassettes answered: a hash of their keys and bytes in the
// order of the keys ("" if none did), when the oldest was recorded, and which
// are older than MaxAge.
func (c *Cassettes) Used() (hash string, oldest time.Time, stale []Stale) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := sha256.New()
	now := c.config.Now()
	for _, key := range slices.Sorted(maps.Keys(c.used)) {
		u := c.used[key]
		fmt.Fprintf(h, "%s %x\n", key, u.sum)
		if oldest.IsZero() || u.at.Before(oldest) {
			oldest = u.at
		}
		if c.config.MaxAge > 0 && now.Sub(u.at) > c.config.MaxAge {
			stale = append(stale, Stale{key, u.id, u.at})
		}
	}
	if len(c.used) > 0 {
		hash = "sha256:" + hex.EncodeToString(h.Sum(nil))
	}
	return hash, oldest, stale
}

// Samples tells what a sample found, in the order of the keys.
func (c *Cassettes) Samples() []Sampled {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.sampled), func(a, b Sampled) int { return cmp.Compare(a.Key, b.Key) })
}
