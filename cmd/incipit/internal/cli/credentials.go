package cli

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// newOnce is a key under which a request is known when it is sent again.
func newOnce() string { return rand.Text() }

// credentials are the keys of servers that somebody signed in to, by address.
type credentials map[string]string

// key is what a server is shown: INCIPIT_KEY, else what login kept for it. A
// server that only incipit.yaml names is not shown INCIPIT_KEY: whoever wrote
// the repository could collect it.
func (e *env) key(server string) (string, error) {
	k := strings.TrimSpace(e.getenv("INCIPIT_KEY"))
	if k != "" && e.server != "" {
		return k, nil
	}
	kept, err := e.credentials()
	own := kept[strings.TrimSuffix(server, "/")]
	if err == nil && own == "" && k != "" {
		err = registry.WithFix(registry.Errorf(registry.ErrForbidden, "INCIPIT_KEY is not sent to %s, which only incipit.yaml names", server), "if you trust that server, set INCIPIT_SERVER to it, or incipit login --with-key")
	}
	return own, err
}

func (e *env) credentialsFile() (string, error) {
	dir := e.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := e.getenv("HOME")
		if home == "" {
			return "", errors.New("there is no home directory to keep keys in; give the key in INCIPIT_KEY")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "incipit", "credentials.json"), nil
}

func (e *env) credentials() (credentials, error) {
	name, err := e.credentialsFile()
	if err != nil {
		return nil, nil // nothing can have been kept
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Mode().Perm()&0o077 != 0 {
		return nil, registry.WithFix(registry.Errorf(registry.ErrForbidden, "others can read the keys in %s", name), "chmod 600 %s, and have the keys in it revoked", name)
	}
	kept := make(credentials)
	if err := json.NewDecoder(f).Decode(&kept); err != nil {
		return nil, registry.WithFix(fmt.Errorf("%s is %w: %w", name, prompt.ErrInvalid, err), "remove it, then incipit login again")
	}
	return kept, nil
}

// keep writes the key of a server down, or forgets it where key is "".
func (e *env) keep(server, key string) error {
	name, err := e.credentialsFile()
	if err != nil {
		return err
	}
	kept, err := e.credentials()
	if err != nil {
		return err
	}
	if kept == nil {
		kept = make(credentials)
	}
	server = strings.TrimSuffix(server, "/")
	kept[server] = key
	if key == "" {
		delete(kept, server)
	}
	data, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	tmp := name + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
