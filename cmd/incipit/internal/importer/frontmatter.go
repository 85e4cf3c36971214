package importer

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// frontMatter takes a file apart: YAML between two lines of three dashes, and
// the text behind it, which begins on the given line. Empty lines and comments
// may stand before.
func (r *reader) frontMatter() (d *document, root *yaml.Node, body string, bodyLine int, err error) {
	text := string(bytes.ReplaceAll(r.data, []byte("\r\n"), []byte("\n")))
	lines := strings.SplitAfter(text, "\n")
	start := 0
	for start < len(lines) && (strings.TrimSpace(lines[start]) == "" || lines[start][0] == '#') {
		start++
	}
	if start == len(lines) || strings.TrimRight(lines[start], " \t\n") != "---" {
		return nil, nil, "", 0, fail(r.file, start+1, "the file must begin with a line of three dashes, and its settings behind it")
	}
	for end := start + 1; end < len(lines); end++ {
		if strings.TrimRight(lines[end], " \t\n") != "---" {
			continue
		}
		d, root, err = parse(r.file, []byte(strings.Join(lines[start+1:end], "")), start+1)
		return d, root, strings.Join(lines[end+1:], ""), end + 2, err
	}
	return nil, nil, "", 0, fail(r.file, start+1, "the settings must end with a line of three dashes")
}
