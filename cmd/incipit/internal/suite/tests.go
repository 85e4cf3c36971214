package suite

import (
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// tests reads what stands under tests: names of files, and tests themselves.
func (l *loader) tests(n *node) []test {
	switch {
	case n.empty():
		return nil
	case n.kind == text:
		return l.testFiles(n, n.str(), true)
	case n.kind == mapping && n.get("path") != nil:
		return l.testPath(n)
	case n.kind == mapping:
		l.errorAt(n, "shape", "tests takes a list, this is a mapping", "begin each test with a dash")
		return nil
	case n.kind != list:
		l.errorAt(n, "shape", "tests takes a list, this is "+n.kind.String(), "")
		return nil
	}
	var out []test
	for _, item := range n.items {
		if l.full() {
			break
		}
		switch {
		case item.kind == text:
			out = append(out, l.testFiles(item, item.str(), false)...)
		case item.get("path") != nil:
			out = append(out, l.testPath(item)...)
		default:
			if t, ok := l.readTest(item, l.dir); ok {
				out = append(out, t)
			}
		}
	}
	return out
}

// testPath reads {path: file}, which promptfoo has for programs that make
// tests; a config is for those alone.
func (l *loader) testPath(n *node) []test {
	l.checkKeys(n, pathKeys, "a file of tests")
	if c := n.get("config"); !c.empty() {
		l.errorAt(c, "unsupported", "a program that makes tests is not supported, nor what it is told", "run it once and commit what it makes")
		return nil
	}
	return l.testFiles(n.get("path"), l.text(n, "path"), true)
}

// testFiles reads the files that ref names. numbered: tests without a
// description are called Row #1, as promptfoo calls those of the one file that
// tests may name.
func (l *loader) testFiles(n *node, ref string, numbered bool) []test {
	if i := strings.IndexByte(ref, ':'); i > 0 && !strings.HasPrefix(ref, fileScheme) {
		if scheme := ref[:i]; scheme == "huggingface" || scheme == "az" || scheme == "https" || scheme == "http" || scheme == "s3" || scheme == "gs" {
			l.errorAt(n, "remote", scheme+": is not supported; a suite reads files beside it and nothing from the network", "download the cases and commit the file")
			return nil
		}
	}
	if isScript(ref) {
		l.errorAt(n, "unsupported", fmt.Sprintf("%q is a program; tests are data", prompt.Clip(ref, 120)), "run it once and commit what it makes as CSV, JSONL or YAML")
		return nil
	}
	var out []test
	for _, file := range l.matches(ref, l.dir, n) {
		out = append(out, l.testFile(n, file, numbered)...)
	}
	return out
}

func (l *loader) testFile(n *node, file string, numbered bool) []test {
	switch ext := strings.ToLower(path.Ext(file)); ext {
	case ".csv":
		raw, ok := l.bytesOf(file, maxDatasetBytes, n)
		if !ok {
			return nil
		}
		return l.csvTests(file, string(raw))
	case ".jsonl":
		raw, ok := l.bytesOf(file, maxDatasetBytes, n)
		if !ok {
			return nil
		}
		rows, _ := l.parseJSONL(file, raw)
		for i, row := range rows {
			rows[i] = l.expandAll(row, asIs)
		}
		return l.rowTests(rows, file, numbered)
	case ".yaml", ".yml", ".json":
		root := l.document(file, maxYAMLBytes, n)
		if root == nil {
			return nil
		}
		root = l.prepare(root, asIs)
		rows := []*node{root}
		if root.kind == list {
			rows = root.items
		}
		return l.rowTests(rows, file, numbered)
	default:
		l.errorAt(n, "unsupported", fmt.Sprintf("%s holds no tests that can be read", prompt.Clip(file, 120)), "name a .csv, .jsonl, .json or .yaml file")
		return nil
	}
}

// rowTests reads the tests of a file. One may be a text file://…, which stands
// for the tests in that file.
func (l *loader) rowTests(rows []*node, file string, numbered bool) []test {
	out := make([]test, 0, len(rows))
	base := path.Dir(file)
	for i, row := range rows {
		if l.full() {
			break
		}
		if row.kind == text && strings.HasPrefix(row.str(), fileScheme) {
			l.errorAt(row, "unsupported", "a file of tests names no further files", "name it in the suite")
			continue
		}
		t, ok := l.readTest(row, base)
		if !ok {
			continue
		}
		if numbered && t.description == "" {
			t.description = fmt.Sprintf("Row #%d", i+1)
		}
		out = append(out, t)
	}
	return out
}
