package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// LoadOptions says how a suite is read. The zero value reads the suite of a
// workspace's prompt as promptfoo would: unknown keys are notices.
type LoadOptions struct {
	// Strict refuses what promptfoo lets pass: unknown keys, patterns that
	// match no file, tests without an assertion, thresholds out of range.
	Strict bool

	// Prompts lets the file bring prompts and providers of its own, as a
	// promptfooconfig.yaml does. The suite of a workspace's prompt may not.
	Prompts bool

	// Exec lets providers be programs (exec:). Who sets it trusts the file.
	Exec bool

	// Getenv finds what {{ env.NAME }} and ${NAME} stand for. It is the
	// allow-list: what it does not know is an error. nil knows nothing.
	Getenv func(name string) (string, bool)

	// KnownType reports whether an assertion type, without its not-, can be
	// checked. nil: all of promptfoo's names.
	KnownType func(name string) bool

	// Validate finds what else is wrong with an assertion; nil finds nothing.
	Validate func(assertion.Assertion) error
}

// A loader reads one suite.
type loader struct {
	files fs.FS
	file  string
	dir   string // of file: what file:// is relative to
	o     LoadOptions

	findings         []prompt.Finding
	said             map[prompt.Finding]bool
	errors, warnings int
	shared           int // nodes, see maxShared

	sums    map[string][sha256.Size]byte // of every file that was read
	total   int64                        // bytes of them
	texts   map[string]string            // what vars and values name, by path
	loaded  map[string]*node
	names   []string // of all files, once a pattern asked for them
	walked  bool
	sources map[string]string
	env     map[string]string // the suite's own env
	pattern envPattern        // made when the first text asks
}

// Load reads the suite in file and everything that it names from files.
//
// It returns an *Error that lists all that is wrong, each with its place. It
// opens nothing but plain files inside files, runs nothing, and asks the
// environment for nothing but what o.Getenv lets it have. A suite that is
// returned has at least one case.
func Load(files fs.FS, file string, o LoadOptions) (*Suite, error) {
	l := &loader{
		files: files, file: file, dir: path.Dir(file), o: o,
		sums:  map[string][sha256.Size]byte{},
		texts: map[string]string{}, loaded: map[string]*node{}, sources: map[string]string{}, env: map[string]string{},
	}
	s := l.suite()
	if err := l.verdict(); err != nil {
		return nil, err
	}
	prompt.SortFindings(l.findings)
	s.Notices = l.findings
	s.Files, s.Hash = l.filesRead()
	return s, nil
}

func (l *loader) suite() *Suite {
	s := &Suite{File: l.file, Sources: l.sources, Env: l.env}
	if !fs.ValidPath(l.file) {
		l.fault(l.file, mark{}, "path", "is no path inside the workspace", "")
		return s
	}
	root := l.document(l.file, maxSuiteBytes, &node{file: l.file})
	if root == nil {
		if l.errors == 0 {
			l.fault(l.file, mark{}, "no-cases", "is empty", "write tests: with at least one test")
		}
		return s
	}
	if root.kind == list { // a file of tests is a suite without a head
		root = &node{kind: mapping, keys: []string{"tests"}, marks: []mark{root.mark}, items: []*node{root}, mark: root.mark, file: root.file}
	}
	if root.kind != mapping {
		l.errorAt(root, "shape", "a suite is a mapping, this is "+root.kind.String(), "write tests: with at least one test")
		return s
	}
	l.readEnv(root.get("env"))
	root = l.prepare(root, asData)
	l.checkKeys(root, suiteKeys, "a suite")
	s.Description = l.text(root, "description")
	s.Options = l.evaluateOptions(root)
	l.brought(s, root)
	s.Cases = l.cases(root)
	for i := range s.Cases {
		if len(l.sources) > 0 {
			s.Cases[i].Options.Sources = l.sources
		}
	}
	if len(s.Cases) == 0 && l.errors == 0 {
		l.errorAt(root, "no-cases", "there is no test in it", "write tests: with at least one test")
	}
	l.promptVariable(s, root)
	return s
}

// brought reads the prompts and providers that the file brings.
func (l *loader) brought(s *Suite, root *node) {
	providers := root.get("providers")
	if targets := root.get("targets"); !targets.empty() {
		if !providers.empty() {
			l.errorAt(targets, "shape", "targets and providers are the same; this suite has both", "keep providers")
		}
		providers = targets
	}
	if l.o.Prompts {
		s.Prompts = l.templates(root.get("prompts"))
		s.Providers = l.providers(providers)
		return
	}
	for _, n := range []*node{root.get("prompts"), providers} {
		if !n.empty() {
			l.errorAt(n, "brings-prompts", "the suite of a workspace's prompt brings neither prompts nor providers", "remove this, or run the file with --config")
		}
	}
}

// promptVariable gives a suite without prompts the one that promptfoo gives
// it: each case's variable named prompt.
func (l *loader) promptVariable(s *Suite, root *node) {
	if !l.o.Prompts || len(s.Prompts) > 0 || l.errors > 0 {
		return
	}
	for _, c := range s.Cases {
		if _, ok := c.Vars["prompt"]; !ok {
			l.errorAt(root, "no-prompts", "there are no prompts, and not every test has a variable named prompt", "write prompts:")
			return
		}
	}
	s.Prompts = []Template{{ID: "{{prompt}}", Label: "{{prompt}}", Text: "{{prompt}}"}}
}

// filesRead lists what was read, and hashes names and bytes: each name, a zero
// byte, the SHA-256 of the bytes.
func (l *loader) filesRead() (names []string, hash string) {
	for name := range l.sums {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		sum := l.sums[name]
		h.Write([]byte(name + "\x00"))
		h.Write(sum[:])
	}
	return names, "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// text is a text under key; what is none is reported.
func (l *loader) text(n *node, key string) string {
	v := n.get(key)
	if v.empty() {
		return ""
	}
	if v.kind != text {
		if v.kind == number || v.kind == boolean {
			return string(appendCanonical(nil, v.value))
		}
		l.errorAt(v, "shape", key+" takes a text, this is "+v.kind.String(), "")
	}
	return v.str()
}

// code is a text under key that is a script or names one.
func (l *loader) code(n *node, key string) string {
	s := l.text(n, key)
	if strings.HasPrefix(s, fileScheme) {
		return l.script(n.get(key), s)
	}
	return s
}

// count is a whole number under key, 0 if there is none.
func (l *loader) count(n *node, key string, least int) int {
	v := n.get(key)
	if v.empty() {
		return 0
	}
	f, ok := v.float()
	if !ok || f != float64(int(f)) || int(f) < least || f > 1e9 {
		l.errorAt(v, "shape", key+" takes a whole number, at least "+string(appendCanonical(nil, least)), "")
		return 0
	}
	return int(f)
}

// textList is a text or a list of texts under key.
func (l *loader) textList(n *node, key string) []string {
	v := n.get(key)
	switch {
	case v.empty():
		return nil
	case v.kind == text:
		return []string{v.str()}
	case v.kind != list || len(v.items) == 0:
		l.errorAt(v, "shape", key+" takes a list of texts", "")
		return nil
	}
	out := make([]string, 0, len(v.items))
	for _, item := range v.items {
		if item.kind != text {
			l.errorAt(item, "shape", key+" takes a list of texts, this is "+item.kind.String(), "")
			continue
		}
		out = append(out, item.str())
	}
	return out
}
