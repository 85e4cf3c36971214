package lifecycle

import (
	"context"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Store keeps what runs where. A workspace's registry.json is one, a
// server's database the other.
type Store interface {
	// Environments lists the environments in their order.
	Environments(ctx context.Context) ([]registry.Environment, error)

	// State is what a decision about a prompt in an environment is made from.
	// It reports ErrNotFound for an unknown environment. A prompt of which
	// nothing is known has an empty State: whether it exists is for Releases to
	// say.
	State(ctx context.Context, id prompt.ID, env string) (registry.State, error)

	// Change records what decide comes to, whole or not at all. decide sees
	// the state as it is while nobody else can change the environment; it may be
	// called again if that could not be had the first time. Where once was
	// answered before, decide is not called, and that answer is returned as
	// Replayed; with another request under the same key it reports ErrInvalid.
	Change(ctx context.Context, id prompt.ID, env string, once registry.Once, decide func(registry.State) (registry.Change, error)) (registry.Recorded, error)

	// ChangeAll is Change for several places at once, whole or not at all. A place
	// without an environment stands for what is said of the prompt itself.
	ChangeAll(ctx context.Context, places []registry.Place, once registry.Once, decide func([]registry.State) ([]registry.Change, error)) (registry.Recorded, error)

	// Standings lists every prompt, in order.
	Standings(ctx context.Context) ([]registry.Standing, error)

	// Tracks is what was done to a prompt, by environment. It reports
	// ErrNotFound for a prompt that has no release.
	Tracks(ctx context.Context, id prompt.ID) (map[string]registry.Track, error)

	// TracksIn is what was done in an environment, by prompt. It reports
	// ErrNotFound for an unknown environment.
	TracksIn(ctx context.Context, env string) (map[prompt.ID]registry.Track, error)

	// Running is the last record of each prompt in an environment, the retired
	// ones too.
	Running(ctx context.Context, env string) (registry.Current, error)
}

// A Catalog is the releases there are. Both stores answer for them, too.
type Catalog interface {
	// Release finds a release. It reports ErrNotFound, and what may be meant.
	Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error)
	// Releases lists those of a prompt, the newest version last.
	Releases(ctx context.Context, id prompt.ID) ([]registry.Release, error)
	// Read is Release and Released at once.
	Read(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, prompt.Draft, error)
	// Released reads the prompt of a release, and holds its digest against the
	// one that was released.
	Released(ctx context.Context, r registry.Release) (prompt.Draft, error)
}
