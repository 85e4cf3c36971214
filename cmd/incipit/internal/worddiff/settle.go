package worddiff

import (
	"slices"
	"strings"
)

// maxSlide is how many words a change is slid at most, each way.
const maxSlide = 200

// settle slides what was only removed, or only added, to where a reader would
// say that it begins: behind a line end rather than in the middle of a line,
// behind a sentence rather than before its full stop. Often a difference can be
// told in several ways, ".\nBe kind" or "Be kind.\n", and both are true.
func settle(spans []Span) []Span {
	out := slices.Clone(spans)
	for i := 1; i+1 < len(out); i++ {
		if out[i].Op == Same || out[i-1].Op != Same || out[i+1].Op != Same {
			continue
		}
		before, after := words(out[i-1].Text), words(out[i+1].Text)
		head, tail := max(0, len(before)-maxSlide-1), min(len(after), maxSlide+1)
		s := slid{before[head:], words(out[i].Text), after[:tail]}
		best, most := s, s.score()
		for _, step := range []func(*slid) bool{(*slid).left, (*slid).right} {
			now := s
			for n := 0; n < maxSlide && step(&now); n++ {
				if score := now.score(); score > most {
					best, most = now, score
				}
			}
		}
		out[i-1].Text = strings.Join(before[:head], "") + strings.Join(best.before, "")
		out[i].Text = strings.Join(best.change, "")
		out[i+1].Text = strings.Join(best.after, "") + strings.Join(after[tail:], "")
	}
	return slices.DeleteFunc(out, func(s Span) bool { return s.Text == "" })
}

// A slid is a change and the tokens around it.
type slid struct{ before, change, after []string }

// left moves the change by one token, and reports false if it cannot be.
func (s *slid) left() bool {
	n, m := len(s.before), len(s.change)
	if n == 0 || s.before[n-1] != s.change[m-1] {
		return false
	}
	token := s.before[n-1]
	s.before = s.before[:n-1]
	s.change = append([]string{token}, s.change[:m-1]...)
	s.after = append([]string{token}, s.after...)
	return true
}

func (s *slid) right() bool {
	if len(s.after) == 0 || s.after[0] != s.change[0] {
		return false
	}
	token := s.after[0]
	s.after = s.after[1:]
	s.change = append(slices.Clone(s.change[1:]), token)
	s.before = append(slices.Clip(s.before), token)
	return true
}

// score is how well the change begins and ends.
func (s *slid) score() int { return boundary(s.before) + boundary(s.change) }

// boundary is how well a text ends with these tokens.
func boundary(tokens []string) int {
	if len(tokens) == 0 || tokens[len(tokens)-1] == "\n" {
		return 3
	}
	if strings.TrimSpace(tokens[len(tokens)-1]) != "" {
		return 0
	}
	if len(tokens) > 1 && strings.ContainsAny(tokens[len(tokens)-2], ".!?:;") {
		return 2
	}
	return 1
}
