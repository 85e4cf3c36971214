package prompt

import "unicode"

// EstimateTokens guesses how many tokens a model makes of s. It is an
// estimate and must be shown as one: about four characters of Latin text a
// token, and one for each character of scripts that write without spaces.
// The provider's usage is the truth.
func EstimateTokens(s string) int {
	narrow, wide := 0, 0
	for _, r := range s {
		if r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
			wide++
		} else {
			narrow++
		}
	}
	return (narrow+3)/4 + wide
}

// EstimateTokens sums the estimates of the messages.
func (p Prompt) EstimateTokens() int {
	n := 0
	for _, m := range p.Messages {
		n += EstimateTokens(m.Content)
	}
	return n
}
