package incipit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A tree is the prompts directory of a working tree. It is read without Git, so
// it knows one version of each prompt: the one that is checked out.
type tree struct{ fs.FS }

const maxRegistryFile = 16 << 20 // bytes

// installed is what registry.json says of a prompt, as far as serving goes.
type installed struct {
	CurrentVersion string `json:"current_version"`
	Digest         string `json:"digest"` // of the current version
	Deployments    map[string]*struct {
		Version string         `json:"version"` // "" once it was retired
		Digest  string         `json:"digest"`
		History registry.Track `json:"history"`
	} `json:"deployments"`
}

// snapshot reads what env runs, or with "" the files as they are. What cannot
// be served has a reason in the errors.
func (t tree) snapshot(env string) (*registry.Snapshot, map[prompt.ID]error, error) {
	s := &registry.Snapshot{Environment: env, Prompts: make(map[prompt.ID]*registry.Entry)}
	refused := make(map[prompt.ID]error)
	if env == "" {
		ids, err := t.ids()
		for _, id := range ids {
			if e, err := t.asItIs(id); err != nil {
				refused[id] = err
			} else {
				s.Prompts[id] = e
			}
		}
		return s, refused, err
	}
	data, err := t.read("registry.json", maxRegistryFile)
	if err == nil {
		err = strictjson.Check(data)
	}
	var entries map[prompt.ID]json.RawMessage
	if err == nil {
		err = json.Unmarshal(data, &entries)
	}
	if err != nil {
		return nil, nil, registry.Errorf(ErrInvalid, "registry.json, which says what %s runs: %v; deploy something with incipit deploy, or leave Options.Environment empty to serve the files as they are",
			prompt.Clip(env, 60), err)
	}
	for id, raw := range entries {
		var in installed
		if err := json.Unmarshal(raw, &in); err != nil {
			refused[id] = registry.Errorf(ErrInvalid, "registry.json: %v", err)
			continue
		}
		e, seq, err := t.running(id, env, in)
		s.Revision += int64(seq)
		if err != nil {
			refused[id] = err
		} else if e != nil {
			s.Prompts[id] = e
		}
	}
	return s, refused, nil
}

// running is the entry of a prompt in env, nil if nothing was ever deployed
// there, and the number of its last deployment. The checked-out files must be
// what each arm's digest says.
func (t tree) running(id prompt.ID, env string, in installed) (*registry.Entry, int, error) {
	inst := in.Deployments[env]
	if inst == nil {
		return nil, 0, nil
	}
	d := registry.Deployment{}
	if n := len(inst.History); n > 0 {
		d = inst.History[n-1]
	}
	if inst.Version == "" {
		if d.Action == registry.Retire {
			return &registry.Entry{Removed: true}, d.Seq, nil
		}
		return nil, d.Seq, nil
	}
	if d.Version.String() != inst.Version { // another program wrote the version
		v, err := prompt.ParseVersion(inst.Version)
		if err != nil {
			return nil, d.Seq, fmt.Errorf("registry.json: %w", err)
		}
		d = registry.Deployment{Seq: d.Seq + 1, Version: v, Digest: inst.Digest}
	}
	draft, _, err := t.draft(id)
	if err != nil {
		return nil, d.Seq, err
	}
	digest, err := draft.Digest()
	if err != nil {
		return nil, d.Seq, err
	}
	e := &registry.Entry{Rollout: d.Running().WithArms(), Releases: make(map[string]prompt.Prompt)}
	for i := range e.Rollout.Arms {
		a := &e.Rollout.Arms[i]
		if a.Digest == "" && a.Version.String() == in.CurrentVersion {
			a.Digest = in.Digest
		}
		if a.Digest == "" && a.Version.String() == draft.Version { // nothing better to hold them against
			a.Digest = digest
		}
		if a.Digest != digest {
			return nil, d.Seq, registry.Errorf(ErrUnavailable,
				"%s runs %s as the %s release, and the checked-out files are another text (they say version %s); check that release out, or serve it from a server or a bundle, which know every version",
				prompt.Clip(env, 60), a.Version, a.Name, prompt.Clip(draft.Version, 40))
		}
		e.Releases[a.Name] = draft
	}
	return e, d.Seq, nil
}

// asItIs is the entry that serves the files of a prompt to everybody.
func (t tree) asItIs(id prompt.ID) (*registry.Entry, error) {
	p, findings, err := t.draft(id)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		if f.Severity == prompt.SeverityError {
			return nil, registry.Errorf(ErrInvalid, "%s; see incipit validate %s", f, id)
		}
	}
	digest, err := p.Digest()
	if err != nil {
		return nil, err
	}
	d := registry.Deployment{Digest: digest}
	d.Version, _ = prompt.ParseVersion(p.Version) // a draft may have none yet
	return &registry.Entry{Rollout: d.Running(), Releases: map[string]prompt.Prompt{registry.StableArm: p}}, nil
}

// draft reads the files of a prompt.
func (t tree) draft(id prompt.ID) (prompt.Prompt, []prompt.Finding, error) {
	if _, err := prompt.ParseID(string(id)); err != nil {
		return prompt.Prompt{}, nil, err
	}
	files := prompt.Files{Dir: path.Join("prompts", string(id))}
	for _, f := range []struct {
		name  string
		dst   *[]byte
		limit int64
	}{
		{prompt.SystemFile, &files.System, prompt.MaxTextBytes},
		{prompt.UserFile, &files.User, prompt.MaxTextBytes},
		{prompt.ExamplesFile, &files.Examples, prompt.MaxTextBytes},
		{prompt.MetadataFile, &files.Metadata, prompt.MaxMetadataBytes},
	} {
		data, err := t.read(path.Join(string(id), f.name), f.limit)
		switch {
		case err == nil:
			*f.dst = data
		case !errors.Is(err, fs.ErrNotExist):
			return prompt.Prompt{}, nil, err
		case f.name == prompt.SystemFile:
			return prompt.Prompt{}, nil, registry.Errorf(ErrNotFound, "its files are not checked out: there is no %s", path.Join(string(id), f.name))
		}
	}
	d, findings := prompt.Parse(id, files, t.include)
	return d.Prompt, findings, nil
}

// include reads an included text. A range names a release, and of those the
// tree knows the checked-out one alone: where the digest matters, it is held
// against it afterwards.
func (t tree) include(name, _ string) (string, prompt.Version, error) {
	data, err := t.read(prompt.SharedPrefix+name+".txt", prompt.MaxTextBytes)
	if err != nil {
		return "", prompt.Version{}, fmt.Errorf("include %s: %w", name, err)
	}
	return string(data), prompt.Version{}, nil
}

// ids finds the prompts.
func (t tree) ids() (ids []prompt.ID, err error) {
	err = fs.WalkDir(t.FS, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") || name+"/" == prompt.SharedPrefix):
			return fs.SkipDir
		case e.Name() == prompt.SystemFile:
			if id, err := prompt.ParseID(path.Dir(name)); err == nil {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}

// read reads a plain file of at most limit bytes. An empty one is not nil.
func (t tree) read(name string, limit int64) ([]byte, error) {
	fi, err := fs.Lstat(t.FS, name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, registry.Errorf(ErrInvalid, "%s is no plain file", name)
	}
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = registry.Errorf(ErrInvalid, "%s is larger than %d bytes", name, limit)
	}
	if data == nil {
		data = []byte{}
	}
	return data, err
}

// mark changes when a file of the tree does.
func (t tree) mark() (string, error) {
	var b strings.Builder
	err := fs.WalkDir(t.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		fi, err := e.Info()
		if err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", name, fi.Size(), fi.ModTime().UnixNano())
		}
		return err
	})
	return b.String(), err
}
