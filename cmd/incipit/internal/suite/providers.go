package suite

import (
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// providers reads who answers: a name, a list of names and mappings, and files
// of them.
func (l *loader) providers(n *node) []ProviderSpec {
	if n.empty() {
		return nil
	}
	if n.kind != list {
		return l.providerItem(n, 0)
	}
	var out []ProviderSpec
	for _, item := range n.items {
		out = append(out, l.providerItem(item, 0)...)
	}
	return out
}

func (l *loader) providerItem(n *node, depth int) []ProviderSpec {
	switch {
	case n.kind == text && strings.HasPrefix(n.str(), fileScheme):
		return l.providerFile(n, depth)
	case n.kind == text:
		return l.checked(n, ProviderSpec{ID: n.str(), Line: n.line})
	case n.kind != mapping:
		l.errorAt(n, "shape", "a provider is a name or a mapping, this is "+n.kind.String(), "")
		return nil
	}
	id := ""
	if n.get("id").empty() { // {openai:gpt-4o: {config: …}}
		if len(n.keys) != 1 || n.items[0].kind != mapping && !n.items[0].empty() {
			l.errorAt(n, "shape", "a provider needs an id", "write id: openai:chat:NAME")
			return nil
		}
		id, n = n.keys[0], n.items[0]
		if n.empty() {
			return l.checked(n, ProviderSpec{ID: id, Line: n.line})
		}
	}
	l.checkKeys(n, providerKeys, "a provider")
	if own := l.text(n, "id"); own != "" {
		id = own
	}
	return l.checked(n, ProviderSpec{
		ID: id, Label: l.text(n, "label"), Config: l.configOf(n.get("config")), Prompts: l.textList(n, "prompts"),
		Transform: l.code(n, "transform"), DelayMS: l.count(n, "delay", 0), Line: n.line,
	})
}

// providerFile reads a file with one provider or a list of them.
func (l *loader) providerFile(n *node, depth int) []ProviderSpec {
	switch path.Ext(n.str()) {
	case ".yaml", ".yml", ".json":
	default:
		l.errorAt(n, "unsupported", fmt.Sprintf("the provider %q is a program; that is not supported", prompt.Clip(n.str(), 120)), "name a provider, or a .yaml file with its id and config")
		return nil
	}
	name, ok := l.resolve(n.str(), l.dir, n)
	if !ok {
		return nil
	}
	root := l.document(name, maxSuiteBytes, n)
	if root == nil {
		return nil
	}
	if depth > 2 {
		l.errorAt(n, "too-deep", "files of providers name one another", "")
		return nil
	}
	root = l.expandAll(root, asConfig)
	items := []*node{root}
	if root.kind == list {
		items = root.items
	}
	var out []ProviderSpec
	for _, item := range items {
		out = append(out, l.providerItem(item, depth+1)...)
	}
	return out
}

// checked refuses what a suite may not start.
func (l *loader) checked(n *node, p ProviderSpec) []ProviderSpec {
	switch {
	case p.ID == "":
		l.errorAt(n, "shape", "a provider needs an id", "write id: openai:chat:NAME")
	case strings.HasPrefix(p.ID, "exec:") && !l.o.Exec:
		l.errorAt(n, "exec", "the provider "+prompt.Clip(p.ID, 80)+" is a program; a suite starts none", "name another provider, or allow programs where you run it")
	case strings.HasPrefix(p.ID, fileScheme), strings.HasPrefix(p.ID, "python:"), strings.HasPrefix(p.ID, "ruby:"),
		strings.HasPrefix(p.ID, "golang:"), strings.HasPrefix(p.ID, "package:"):
		l.errorAt(n, "unsupported", "the provider "+prompt.Clip(p.ID, 80)+" is a program of promptfoo's kind; that is not supported", "name another provider")
	default:
		return []ProviderSpec{p}
	}
	return nil
}

// judge reads who judges: a name, or a mapping with id and config, or one for
// each kind (text, embedding). It is handed on as it is.
func (l *loader) judge(n *node) any {
	if n.empty() {
		return nil
	}
	if n.kind == text && strings.HasPrefix(n.str(), fileScheme) {
		if all := l.providerFile(n, 0); len(all) == 1 {
			return map[string]any{"id": all[0].ID, "label": all[0].Label, "config": all[0].Config}
		}
		return nil
	}
	id := n.str()
	if n.kind == mapping {
		id = l.text(n, "id")
	}
	if id != "" && l.checked(n, ProviderSpec{ID: id}) == nil {
		return nil
	}
	if n.kind == mapping && id == "" {
		for i := range n.keys {
			l.judge(n.items[i]) // each kind's own
		}
	}
	return l.external(n, 0).plain()
}

// configOf reads what is handed to a provider, files in it read.
func (l *loader) configOf(n *node) map[string]any {
	if n.empty() {
		return nil
	}
	if n.kind == text && strings.HasPrefix(n.str(), fileScheme) {
		n = l.external(n, 0)
	}
	if n.kind != mapping {
		l.errorAt(n, "shape", "config takes a mapping, this is "+n.kind.String(), "")
		return nil
	}
	return l.external(n, 0).plainMap()
}
