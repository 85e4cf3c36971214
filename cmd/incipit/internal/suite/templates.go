package suite

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// templates reads prompts: a text, a list, or a mapping of files and labels.
func (l *loader) templates(n *node) []Template {
	if n.empty() {
		return nil
	}
	var out []Template
	switch n.kind {
	case text:
		out = l.template(n, n.str(), "", nil)
	case list:
		for _, item := range n.items {
			out = append(out, l.templateItem(item)...)
		}
	case mapping:
		for i, file := range n.keys {
			out = append(out, l.template(n.items[i], file, n.items[i].str(), nil)...)
		}
	default:
		l.errorAt(n, "shape", "prompts takes a list, this is "+n.kind.String(), "")
	}
	if len(out) == 0 && l.errors == 0 {
		l.errorAt(n, "no-prompts", "there is no prompt in it", "")
	}
	return out
}

func (l *loader) templateItem(n *node) []Template {
	switch n.kind {
	case text:
		return l.template(n, n.str(), "", nil)
	case mapping:
	default:
		l.errorAt(n, "shape", "a prompt is a text, the name of a file or a mapping, this is "+n.kind.String(), "")
		return nil
	}
	l.checkKeys(n, promptKeys, "a prompt")
	id, label := l.text(n, "id"), l.text(n, "label")
	raw := l.text(n, "raw")
	if raw == "" {
		raw = l.text(n, "file")
	}
	if raw == "" {
		raw, id = id, ""
	}
	if raw == "" {
		l.errorAt(n, "shape", "a prompt needs raw or id", "write id: file://prompts/a.txt, or raw: with the text")
		return nil
	}
	out := l.template(n, raw, label, l.configOf(n.get("config")))
	if id != "" && len(out) == 1 {
		out[0].ID = id
	}
	return out
}

// template reads the text s that stands at n: itself a prompt, or the name of
// a file or a pattern of names.
func (l *loader) template(n *node, s, label string, conf map[string]any) []Template {
	for _, scheme := range []string{"exec:", "https://", "http://", "portkey://", "langfuse://", "helicone://", "az://"} {
		if strings.HasPrefix(s, scheme) && !strings.ContainsAny(s, " \n") {
			l.errorAt(n, "unsupported", "a prompt from "+scheme+" is not supported", "put its text into a file and name that")
			return nil
		}
	}
	if !l.namesFile(s) {
		if label == "" {
			label = s
		}
		return []Template{{ID: s, Label: label, Text: s, Config: conf}}
	}
	var out []Template
	files := l.matches(s, l.dir, n)
	for _, file := range files {
		name := label
		if len(files) > 1 {
			name = ""
		}
		out = append(out, l.templateFile(n, file, name, conf)...)
	}
	return out
}

// namesFile reports whether s names files: it says file://, or it is one word
// that looks like a path and is one, or ends as a prompt's file does.
func (l *loader) namesFile(s string) bool {
	if strings.HasPrefix(s, fileScheme) {
		return true
	}
	if strings.ContainsAny(s, "\n{ ") || s == "" || len(s) > 1000 {
		return false
	}
	switch path.Ext(s) {
	case ".txt", ".md", ".j2", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".js", ".cjs", ".mjs", ".ts", ".py", ".sh", ".rb":
		return true
	}
	return strings.Contains(s, "/") && hasPattern(s)
}

func (l *loader) templateFile(n *node, file, label string, conf map[string]any) []Template {
	ext := path.Ext(file)
	switch ext {
	case ".txt", ".md", ".j2", ".json", ".yaml", ".yml", ".jsonl", ".csv":
	default:
		l.errorAt(n, "unsupported", fmt.Sprintf("%s is no prompt that can be read; a program as a prompt is not supported", prompt.Clip(file, 120)), "write a .txt, .md, .j2, .json, .yaml, .jsonl or .csv file")
		return nil
	}
	raw, ok := l.bytesOf(file, maxSuiteBytes, n)
	if !ok {
		return nil
	}
	at := &node{file: file}
	var texts, labels []string
	switch ext {
	case ".txt":
		texts = partTexts(string(raw))
	case ".md", ".j2":
		texts = []string{string(raw)}
	case ".jsonl":
		for line := range bytes.Lines(raw) {
			if s := strings.TrimSpace(string(line)); s != "" {
				texts = append(texts, s)
			}
		}
	case ".csv":
		texts, labels = l.templateRows(file, string(raw))
	default:
		texts = []string{l.chat(file, raw)}
	}
	if len(texts) == 0 || len(texts) == 1 && strings.TrimSpace(texts[0]) == "" {
		l.errorAt(n, "no-prompts", fmt.Sprintf("there is no prompt in %s", prompt.Clip(file, 120)), "")
	}
	if label == "" {
		label = file
	}
	out := make([]Template, 0, len(texts))
	for i, s := range texts {
		t := Template{ID: file, Label: label, Text: l.expand(at, s, asIs), Config: conf}
		if len(texts) > 1 { // a reference to the label finds all of them
			t.ID, t.Label = fmt.Sprintf("%s:%d", file, i+1), fmt.Sprintf("%s:%d", label, i+1)
		}
		if i < len(labels) && labels[i] != "" {
			t.Label = labels[i]
		}
		out = append(out, t)
	}
	return out
}

// partTexts parts a file at lines of three dashes.
func partTexts(s string) []string {
	var out []string
	var part []string
	flush := func() {
		if s := strings.TrimSpace(strings.Join(part, "\n")); s != "" {
			out = append(out, s)
		}
		part = nil
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimSpace(line) == "---" {
			flush()
			continue
		}
		part = append(part, strings.TrimSuffix(line, "\r"))
	}
	flush()
	return out
}

// chat is a chat as the text of its JSON. A file with templates that are more
// than values is no YAML or JSON until it is rendered, and stays as it is.
func (l *loader) chat(file string, raw []byte) string {
	if bytes.Contains(raw, []byte("{%")) || strings.HasSuffix(file, ".json") && !jsonBefore(raw) && bytes.Contains(raw, []byte("{{")) {
		return string(raw)
	}
	root := l.document(file, maxSuiteBytes, &node{file: file})
	if root == nil {
		return ""
	}
	return string(l.external(root, 0).json(nil))
}

// templateRows reads the column prompt, and labels if there are any.
func (l *loader) templateRows(file, raw string) (texts, labels []string) {
	if !strings.Contains(raw, ",") {
		for line := range strings.SplitSeq(raw, "\n") {
			if line = strings.TrimSpace(line); line != "" && (len(texts) > 0 || !strings.EqualFold(line, "prompt")) {
				texts = append(texts, line)
			}
		}
		return texts, nil
	}
	t, ok := l.table(file, raw)
	if !ok {
		return nil, nil
	}
	for _, row := range t.rows {
		var s, label string
		for i, column := range t.columns {
			switch column {
			case "prompt":
				s = strings.TrimSpace(row.fields[i])
			case "label":
				label = strings.TrimSpace(row.fields[i])
			}
		}
		if s != "" {
			texts, labels = append(texts, s), append(labels, label)
		}
	}
	return texts, labels
}
