package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// evidenceKey is the key that signs: the one in a file, else the one that the
// environment holds, else none.
func (e *env) evidenceKey(file string) ([]evidence.PrivateKey, error) {
	if file != "" {
		k, err := readEvidenceKey(file)
		return []evidence.PrivateKey{k}, err
	}
	text := e.getenv("INCIPIT_EVIDENCE_KEY")
	if text == "" {
		return nil, nil
	}
	k, err := evidence.ParsePrivateKey([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("INCIPIT_EVIDENCE_KEY: %w", err)
	}
	return []evidence.PrivateKey{k}, nil
}

func readEvidenceKey(name string) (evidence.PrivateKey, error) {
	data, err := readSmall(name)
	if err != nil {
		return evidence.PrivateKey{}, err
	}
	k, err := evidence.ParsePrivateKey(data)
	if err != nil {
		err = fmt.Errorf("%s: %w", prompt.Visible(name), err)
	}
	return k, err
}

// readSmall reads a file of keys; what is larger is none.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

// trustedKeys reads the keys that evidence must be signed with from a file, one
// public line each.
func trustedKeys(name string) (evidence.Keys, error) {
	data, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	keys, err := evidence.ParseKeys(string(data))
	if err == nil && len(keys) == 0 {
		err = registry.Errorf(prompt.ErrInvalid, "it holds no key, and then everybody would be believed")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", prompt.Visible(name), err)
	}
	return keys, err
}

// trust has a workspace trust the keys of INCIPIT_EVIDENCE_KEYS, where it is
// set, in place of those that incipit.yaml names: whoever may push can change
// the one, and not the other.
func (e *env) trust(ws *source.Workspace) error {
	name := e.getenv("INCIPIT_EVIDENCE_KEYS")
	if name == "" {
		return nil
	}
	keys, err := trustedKeys(name)
	if err == nil {
		ws.Config.EvidenceKeys = keys
	}
	return err
}

// evidenceOf lists what is known of the digests of a prompt: what the server
// keeps, or without one the Git notes.
func (e *env) evidenceOf(ctx context.Context, id prompt.ID) ([]registry.Evidence, error) {
	far, err := e.remote(ctx)
	if err != nil {
		return nil, err
	}
	if far != nil {
		return api.All[registry.Evidence](ctx, far, "/v1/evidence", url.Values{"prompt": {string(id)}})
	}
	ws, err := e.workspace(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.trust(ws); err != nil {
		return nil, err
	}
	return ws.Evidence(ctx, id)
}
