package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// inUnits writes each character beyond U+FFFF as the two escapes that it is to
// a pattern without the flag u.
func inUnits(pattern string) string {
	var b strings.Builder
	for _, r := range pattern {
		if r <= 0xFFFF {
			b.WriteRune(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(&b, `\u%04X\u%04X`, high, low)
	}
	return b.String()
}

// hasProperty reports whether a pattern has a class of Unicode's, such as \p{Lu},
// which the linear engine is handed as letters.
func hasProperty(pattern string) bool {
	return strings.Contains(pattern, `\p{`) || strings.Contains(pattern, `\P{`)
}

// forBacktracking writes a pattern as that engine reads JavaScript's: its point
// leaves out two of the four ends of lines, its words have letters beyond
// ASCII at their bounds, and its properties have bare names.
func forBacktracking(pattern string, dotAll, unicode bool) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern) && !inClass && pattern[i+1] == 'b':
			b.WriteString(`(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))`)
			i++
			continue
		case c == '\\' && i+1 < len(pattern) && !inClass && pattern[i+1] == 'B':
			b.WriteString(`(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))`)
			i++
			continue
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
			if rest := pattern[i+1:]; unicode && (pattern[i] == 'p' || pattern[i] == 'P') && strings.HasPrefix(rest, "{") {
				kind, _, found := strings.Cut(rest, "=")
				if found && slices.Contains(propertyKinds[:], kind[1:]) {
					b.WriteByte('{')
					i += len(kind) + 1
				}
			}
			continue
		case c == '.' && !inClass && !dotAll:
			b.WriteString(`[^\n\r\u2028\u2029]`)
			continue
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

var propertyKinds = [...]string{"Script", "sc", "Script_Extensions", "scx", "General_Category", "gc"}
