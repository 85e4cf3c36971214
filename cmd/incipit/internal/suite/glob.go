package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	maxWalked     = 200_000 // entries that a pattern may look at
	maxAlternates = 64      // patterns that braces make of one
	maxStars      = 4       // ** in a pattern: each multiplies what matching costs
)

// hasPattern reports whether a path is a pattern: *, ?, [a-z], {a,b} or **.
func hasPattern(s string) bool { return strings.ContainsAny(s, "*?[{") }

// matches lists the files that ref names, sorted: the one file, or all that a
// pattern matches. A pattern that matches nothing is reported.
func (l *loader) matches(ref, base string, n *node) []string {
	name, ok := l.resolve(ref, base, n)
	if !ok {
		return nil
	}
	if !hasPattern(strings.TrimPrefix(ref, fileScheme)) {
		return []string{name}
	}
	if _, err := l.lstat(name); err == nil {
		return []string{name} // a file whose name looks like a pattern
	}
	if strings.Count(name, "**") > maxStars {
		l.errorAt(n, "shape", fmt.Sprintf("%q says ** more than %d times", prompt.Clip(name, 120), maxStars), "name the directories")
		return nil
	}
	patterns := braces(name)
	var found []string
	for _, file := range l.walk(n) {
		for _, p := range patterns {
			if matchPath(strings.Split(p, "/"), strings.Split(file, "/")) {
				found = append(found, file)
				break
			}
		}
	}
	if len(found) == 0 {
		l.errorAt(n, "no-match", fmt.Sprintf("%q matches no file", prompt.Clip(strings.TrimPrefix(ref, fileScheme), 120)), "correct the pattern, or remove it")
	}
	return found
}

var errEnough = errors.New("enough")

// walk lists all files, sorted, but those of Git and of packages. It is asked
// once: a suite may have thousands of patterns.
func (l *loader) walk(n *node) []string {
	if l.walked {
		return l.names
	}
	l.walked = true
	seen := 0
	err := fs.WalkDir(l.files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be listed has no files to match
		}
		if seen++; seen > maxWalked {
			return errEnough
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() {
			l.names = append(l.names, name)
		}
		return nil
	})
	if err != nil {
		l.errorAt(n, "too-large", fmt.Sprintf("a pattern looks at more than %d files", maxWalked), "name the files, or run in a smaller directory")
	}
	slices.Sort(l.names)
	return l.names
}

// matchPath matches segment by segment; ** is any number of them. As in the
// shell, a pattern finds no hidden file unless it says the dot.
func matchPath(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for len(pattern) > 1 && pattern[1] == "**" {
				pattern = pattern[1:]
			}
			for skip := 0; skip <= len(name); skip++ {
				if matchPath(pattern[1:], name[skip:]) {
					return true
				}
				if skip < len(name) && strings.HasPrefix(name[skip], ".") {
					return false
				}
			}
			return false
		}
		if len(name) == 0 || strings.HasPrefix(name[0], ".") && !strings.HasPrefix(pattern[0], ".") {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// braces makes of a{b,c} the patterns ab and ac, up to maxAlternates.
func braces(pattern string) []string {
	out := []string{pattern}
	for range maxAlternates {
		var next []string
		grown := false
		for _, p := range out {
			open := strings.IndexByte(p, '{')
			end := strings.IndexByte(p[max(open, 0):], '}') + max(open, 0)
			if open < 0 || end < open || len(out) >= maxAlternates {
				next = append(next, p)
				continue
			}
			grown = true
			for choice := range strings.SplitSeq(p[open+1:end], ",") {
				next = append(next, p[:open]+choice+p[end+1:])
			}
		}
		out = next
		if !grown || len(out) > maxAlternates {
			break
		}
	}
	return out[:min(len(out), maxAlternates)]
}
