package importer

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// fooSuite is the tests of a configuration as the suite of one prompt. They are
// taken over as they are: the grammar is the same. Test files in YAML and JSON
// are written into it, since a suite lies elsewhere than the configuration;
// other files that are named come along beside it.
func (r *reader) fooSuite(v *Version, o *object, f fooPrompt, base string) error {
	s := fooTests{r: r, v: v, f: f, d: o.d, dir: base + ".files"}
	doc := &yaml.Node{Kind: yaml.MappingNode}
	put := func(key string, value *yaml.Node) {
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	if n := o.get("description"); n != nil {
		put("description", n)
	}
	if n := o.get("evaluateOptions"); n != nil {
		put("evaluateOptions", n)
	}
	if n := o.get("defaultTest"); n != nil {
		list, err := s.inline(n)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return o.d.fail(n, "defaultTest must be one mapping")
		}
		put("defaultTest", list[0])
	}
	found := false
	for _, key := range []string{"scenarios", "tests"} {
		n := o.get(key)
		if n == nil {
			continue
		}
		list, err := s.inline(n)
		if err != nil {
			return err
		}
		if list = s.mine(list); len(list) > 0 {
			found = true
			put(key, &yaml.Node{Kind: yaml.SequenceNode, Content: list})
		}
	}
	if !found {
		if o.get("defaultTest") != nil {
			v.note(r.file, o.d.line(o.get("defaultTest")), "defaultTest is left out: there are no tests")
		}
		return nil
	}
	doc = clone(doc) // the tests are other prompts' too
	if err := s.extras(doc); err != nil {
		return err
	}
	var err error
	v.Suite, err = encodeYAML(doc)
	return err
}

// clone copies a tree, and leaves out how it was laid out.
func clone(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style &^ yaml.FlowStyle, Line: n.Line}
	for _, in := range n.Content {
		c.Content = append(c.Content, clone(in))
	}
	return c
}

type fooTests struct {
	r   *reader
	v   *Version
	f   fooPrompt
	d   *document
	dir string // beside the suite, for what it names
}

// inline is a list of tests with the test files that it names read in.
func (s *fooTests) inline(n *yaml.Node) ([]*yaml.Node, error) {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var out []*yaml.Node
	for _, c := range list {
		if c.Kind != yaml.ScalarNode {
			out = append(out, c)
			continue
		}
		names, err := s.r.files(s.d, c, strings.TrimPrefix(c.Value, "file://"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			more, err := s.testFile(c, name)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// testFile reads one test file. A table stays one, and is named.
func (s *fooTests) testFile(c *yaml.Node, name string) ([]*yaml.Node, error) {
	switch path.Ext(name) {
	case ".csv":
		return []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "file://" + strings.TrimPrefix(name, dirOf(s.r.file)), Line: c.Line}}, nil
	case ".yaml", ".yml", ".json", ".jsonl":
	default:
		return nil, s.d.fail(c, "tests in %s cannot be taken over; write them as YAML, JSON, JSONL or CSV", prompt.Clip(name, 120))
	}
	data, err := s.r.open(s.d, c, name)
	if err != nil {
		return nil, err
	}
	if path.Ext(name) == ".jsonl" {
		var out []*yaml.Node
		for i, line := range bytes.Split(data, []byte("\n")) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			_, n, err := parseJSON(name, line, i)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
		return out, nil
	}
	_, n, err := s.r.parseAny(name, data)
	if err != nil {
		return nil, err
	}
	if n.Kind == yaml.SequenceNode {
		return n.Content, nil
	}
	return []*yaml.Node{n}, nil
}

// dirOf is a file's directory with a slash at its end, "" at the top.
func dirOf(name string) string {
	dir, _ := path.Split(name)
	return dir
}

// mine are the tests that are for this prompt. What else they are for is not
// known here: a suite of ours has one prompt, and its model.
func (s *fooTests) mine(list []*yaml.Node) (out []*yaml.Node) {
	for _, n := range list {
		if n.Kind != yaml.MappingNode {
			out = append(out, n)
			continue
		}
		t := &object{s.d, n, make(map[string]bool)}
		if p := t.get("prompts"); p != nil && !s.named(p) {
			s.v.note(s.r.file, s.d.line(n), "this test is for other prompts, and left out")
			continue
		}
		c := *n
		c.Content = nil
		for k, v := range t.pairs {
			if k.Value == "prompts" {
				continue
			}
			if k.Value == "providers" {
				s.v.note(s.r.file, s.d.line(k), "providers of a test is not taken over: the prompt has one model")
				continue
			}
			c.Content = append(c.Content, k, v)
		}
		out = append(out, &c)
	}
	return out
}

// named reports whether a list of labels names the prompt: exactly, or by a
// beginning and a star.
func (s *fooTests) named(p *yaml.Node) bool {
	return slices.ContainsFunc(append(slices.Clone(p.Content), p), func(c *yaml.Node) bool {
		if c.Kind != yaml.ScalarNode {
			return false
		}
		start, star := strings.CutSuffix(c.Value, "*")
		return c.Value == s.f.label || star && strings.HasPrefix(s.f.label, start)
	})
}

// extras takes along the files that the tests name, and names them where they
// will lie.
func (s *fooTests) extras(n *yaml.Node) error {
	for i, c := range n.Content {
		name, ok := strings.CutPrefix(c.Value, "file://")
		if c.Kind != yaml.ScalarNode || !ok || n.Kind == yaml.MappingNode && i%2 == 0 {
			if err := s.extras(c); err != nil {
				return err
			}
			continue
		}
		if strings.Contains(name, "{{") {
			return s.d.fail(c, "the file's name %s is a template, so that it is not known which files to take along", prompt.Clip(name, 120))
		}
		file, function := name, ""
		if i := strings.LastIndexByte(name, ':'); i > 0 && !strings.Contains(name[i:], ".") {
			file, function = name[:i], name[i:]
		}
		names, err := s.r.files(s.d, c, file)
		if err != nil {
			return err
		}
		for _, from := range names {
			data, err := s.r.open(s.d, c, from)
			if err != nil {
				return err
			}
			to := path.Join(s.dir, strings.TrimPrefix(from, dirOf(s.r.file)))
			if strings.HasSuffix(from, ".csv") && bytes.Contains(data, []byte("file://")) {
				s.v.note(from, 1, "the table names files, which were not taken along")
			}
			if !slices.ContainsFunc(s.v.Extras, func(f File) bool { return f.Path == to }) {
				s.v.Extras = append(s.v.Extras, File{to, data})
			}
		}
		c.Value = "file://" + path.Join(s.dir, file) + function
	}
	return nil
}
