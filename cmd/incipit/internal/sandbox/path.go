package sandbox

import (
	"strconv"
	"strings"
)

// A path is what stands in {{ a.b[0] }}: names, and places in lists.
type path []string

// What is not looked up but means something to nunjucks, and what every object
// of JavaScript has: where these are named, nunjucks decides. Its grammar is
// that of nunjucks 3.2.4's lexer, parser and globals.
var notPlain = map[string]bool{
	"true": true, "false": true, "none": true, "null": true, "not": true, "in": true, "is": true,
	"if": true, "else": true, "and": true, "or": true,
	"env": true, "range": true, "cycler": true, "joiner": true, "caller": true, "super": true, "loop": true,
	"constructor": true, "hasOwnProperty": true, "isPrototypeOf": true, "propertyIsEnumerable": true,
	"toLocaleString": true, "toString": true, "valueOf": true,
}

// scanPath reads a path and the }} behind it, and says how many bytes they
// are; 0 says that it is something else.
func scanPath(s string) (p path, n int) {
	n = skipBlanks(s, 0)
	end := skipName(s, n)
	if end == n {
		return nil, 0
	}
	p = append(p, s[n:end])
	for n = end; n < len(s) && (s[n] == '.' || s[n] == '['); n = end {
		if s[n] == '.' {
			if end = skipName(s, n+1); end == n+1 {
				return nil, 0
			}
			p = append(p, s[n+1:end])
			continue
		}
		digits, _, found := strings.Cut(s[n+1:min(len(s), n+9)], "]")
		if i, err := strconv.ParseUint(digits, 10, 32); !found || err != nil || strconv.FormatUint(i, 10) != digits {
			return nil, 0
		}
		p = append(p, digits)
		end = n + len(digits) + 2
	}
	n = skipBlanks(s, n)
	if !strings.HasPrefix(s[n:], "}}") {
		return nil, 0
	}
	for _, name := range p {
		if notPlain[name] || strings.HasPrefix(name, "__") {
			return nil, 0
		}
	}
	return p, n + len("}}")
}

func skipBlanks(s string, n int) int {
	for n < len(s) && (s[n] == ' ' || s[n] == '\t' || s[n] == '\n' || s[n] == '\r') {
		n++
	}
	return n
}

// skipName returns where the name that begins at n ends: at n if there is none.
func skipName(s string, n int) int {
	for i := n; ; i++ {
		if i == len(s) {
			return i
		}
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == n || c < '0' || '9' < c) {
			return i
		}
	}
}

// in looks p up, undefined being nil. ok is false where only JavaScript knows:
// what a text or a number has, or a list besides its items.
func (p path) in(vars map[string]any) (value any, ok bool) {
	if _, own := vars["__proto__"]; own {
		return nil, false
	}
	value = vars
	for _, name := range p {
		switch v := value.(type) {
		case nil:
			return nil, true
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}
