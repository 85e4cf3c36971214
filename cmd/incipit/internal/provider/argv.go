package provider

import (
	"errors"
	"strings"
)

// errQuote is a command whose quotes are not closed.
var errQuote = errors.New("a quote is not closed")

// SplitArgv splits a command into its arguments as a shell quotes them: by
// white space, but for what stands in '…', in "…" or behind a backslash.
// Nothing is expanded: no variable, no glob, no ~, and ; | & < > are letters.
func SplitArgv(command string) ([]string, error) {
	var (
		argv  []string
		word  strings.Builder
		open  bool // a word has begun, be it empty
		quote rune // ' or " inside of one
	)
	runes := []rune(command)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteRune(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			if i++; i == len(runes) {
				return nil, errQuote
			}
			if quote == '"' && runes[i] != '"' && runes[i] != '\\' { // POSIX keeps the backslash there
				word.WriteRune('\\')
			}
			word.WriteRune(runes[i])
			open = true
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if open {
				argv = append(argv, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if open {
		argv = append(argv, word.String())
	}
	return argv, nil
}
