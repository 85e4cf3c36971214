package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja/parser"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	maxPattern = 64 << 10 // bytes of a pattern
	maxMatched = 16 << 20 // bytes of what it is held against
	maxStack   = 4 << 20  // numbers to go back to
)

// DefaultMatchTimeout is the time limit of one match.
const DefaultMatchTimeout = time.Second

// A Pattern is a regular expression of JavaScript. Where its meaning allows,
// it runs in time proportional to the text; a look-ahead, a look-behind or a
// back reference must backtrack, and is held by the time limit.
//
// Without the flag u a character beyond U+FFFF counts as two, as in
// JavaScript. Only with the flag i there is a difference left: ſ and the
// Kelvin sign are letters s and k here.
type Pattern struct {
	source  string
	timeout time.Duration
	unicode bool
	linear  *regexp.Regexp // one of these
	back    *regexp2.Regexp
}

// CompilePattern compiles what stands between the slashes in JavaScript, with
// the flags behind them: i, m, s and u. The flags g and d make no difference
// to whether a text matches; others are refused by name.
func CompilePattern(pattern, flags string) (*Pattern, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern is %w: %d bytes, at most %d", ErrSize, len(pattern), maxPattern)
	}
	if !utf8.ValidString(pattern) {
		return nil, errors.New("the pattern is not valid UTF-8")
	}
	if err := checkFlags(flags); err != nil {
		return nil, err
	}
	p := &Pattern{timeout: DefaultMatchTimeout, source: pattern, unicode: strings.Contains(flags, "u")}
	if !p.unicode {
		pattern = inUnits(pattern)
	}
	dotAll := strings.Contains(flags, "s")
	linear, err := parser.TransformRegExp(pattern, dotAll, p.unicode)
	var backtracks parser.RegexpErrorIncompatible
	if err != nil && !errors.As(err, &backtracks) {
		return nil, p.unreadable(err)
	}
	if err == nil && !(p.unicode && hasProperty(pattern)) {
		if inline := keep(flags, "ims"); inline != "" {
			linear = "(?" + inline + ":" + linear + ")"
		}
		if p.linear, err = regexp.Compile(linear); err == nil {
			return p, nil
		} // a repetition too large for it
	}
	p.back, err = regexp2.Compile(forBacktracking(pattern, dotAll, p.unicode), backOptions(flags), regexp2.OptionMaxBacktrackingStackSize(maxStack))
	if err != nil {
		return nil, p.unreadable(err)
	}
	p.back.MatchTimeout = p.timeout
	return p, nil
}

// Limit sets the time limit of one match, before the first.
func (p *Pattern) Limit(d time.Duration) {
	p.timeout = d
	if p.back != nil {
		p.back.MatchTimeout = d
	}
}

// SplitPattern takes /pattern/flags apart. What is not written so is a pattern
// without flags.
func SplitPattern(s string) (pattern, flags string) {
	end := strings.LastIndexByte(s, '/')
	if !strings.HasPrefix(s, "/") || end < 2 || keep(s[end+1:], "dgimsuvy") != s[end+1:] {
		return s, ""
	}
	return s[1:end], s[end+1:]
}

// Match reports whether the pattern matches anywhere in s. It reports
// ErrTimeout after its limit, and ErrSize for a text that is too long or, while
// backtracking, too deep. A match that backtracks ends with its limit, not with
// ctx.
func (p *Pattern) Match(ctx context.Context, s string) (bool, error) {
	if len(s) > maxMatched {
		return false, fmt.Errorf("the text is %w for a pattern: %d bytes, at most %d", ErrSize, len(s), maxMatched)
	}
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if p.linear != nil {
		return p.matchLinear(ctx, s)
	}
	found, err := p.back.MatchRunes(p.characters(s))
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
		return false, fmt.Errorf("the pattern %s backtracks too deeply, its stack is %w: make it simpler", p.shown(), ErrSize)
	}
	return false, p.late()
}

// shortText is a length, in bytes, up to which a linear match needs no watch.
const shortText = 16 << 10

func (p *Pattern) matchLinear(ctx context.Context, s string) (bool, error) {
	wide := !p.unicode && strings.ContainsFunc(s, func(r rune) bool { return r > 0xFFFF })
	if len(s) <= shortText && !wide {
		return p.linear.MatchString(s), nil
	}
	in := &characters{ctx: ctx, text: s, units: wide}
	found := p.linear.MatchReader(in)
	if in.late {
		if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return false, err
		}
		return false, p.late()
	}
	return found, nil
}

func (p *Pattern) characters(s string) []rune {
	if p.unicode {
		return []rune(s)
	}
	units := utf16.Encode([]rune(s))
	runes := make([]rune, len(units))
	for i, u := range units {
		runes[i] = rune(u)
	}
	return runes
}

func (p *Pattern) late() error {
	return fmt.Errorf("the pattern %s: %w (%v): a repetition within a repetition backtracks; make it simpler", p.shown(), ErrTimeout, p.timeout)
}

func (p *Pattern) unreadable(err error) error {
	return fmt.Errorf("the pattern %s does not compile: %s", p.shown(), prompt.Visible(prompt.Clip(err.Error(), maxMessage)))
}

func (p *Pattern) shown() string { return prompt.Visible(prompt.Clip(p.source, 100)) }

// characters reads a text character by character, until it is too late. With
// units, a character beyond U+FFFF is read as JavaScript's two.
type characters struct {
	ctx   context.Context //nolint:containedctx // regexp reads through an interface that has none
	text  string
	units bool

	low  rune // the second half of a character that was begun; 0 is none
	read int
	late bool
}

func (c *characters) ReadRune() (r rune, size int, err error) {
	if c.read++; c.read%1024 == 0 && c.ctx.Err() != nil {
		c.late = true
	}
	if c.late {
		return 0, 0, io.EOF
	}
	if c.low != 0 {
		r, c.low = c.low, 0
		return r, 1, nil
	}
	if c.text == "" {
		return 0, 0, io.EOF
	}
	r, size = utf8.DecodeRuneInString(c.text)
	c.text = c.text[size:]
	if c.units && r > 0xFFFF {
		r, c.low = utf16.EncodeRune(r)
	}
	return r, 1, nil
}

func checkFlags(flags string) error {
	for i, f := range flags {
		switch {
		case strings.ContainsRune(flags[:i], f):
			return fmt.Errorf("the flag %q is given twice", f)
		case strings.ContainsRune("vy", f):
			return fmt.Errorf("the flag %q is not supported; use i, m, s or u", f)
		case !strings.ContainsRune("dgimsu", f):
			return fmt.Errorf("%q is no flag of a pattern; use i, m, s or u", f)
		}
	}
	return nil
}

// keep returns what of flags is in wanted.
func keep(flags, wanted string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(wanted, r) {
			return r
		}
		return -1
	}, flags)
}

func backOptions(flags string) regexp2.RegexOptions {
	options := regexp2.ECMAScript
	for _, f := range flags {
		switch f {
		case 'i':
			options |= regexp2.IgnoreCase
		case 'm':
			options |= regexp2.Multiline
		case 's':
			options |= regexp2.Singleline
		case 'u':
			options |= regexp2.Unicode
		}
	}
	return options
}
