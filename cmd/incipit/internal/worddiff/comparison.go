package worddiff

import "github.com/incipit-dev/incipit/internal/prompt"

// A Comparison is how one prompt became another: what callers notice first,
// then the texts.
type Comparison struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	Changes  []prompt.Change `json:"changes"`
	Required prompt.Bump     `json:"required_bump"`
	Tokens   [2]int          `json:"estimated_tokens"`
	Texts    []Text          `json:"texts"` // that differ
}

// Between compares two prompts, which are called from and to.
func Between(from, to string, a, b prompt.Prompt) Comparison {
	c := Comparison{
		From: from, To: to, Changes: prompt.Compare(a, b),
		Tokens: [2]int{a.EstimateTokens(), b.EstimateTokens()}, Texts: Texts(a.Messages, b.Messages),
	}
	if c.Changes == nil {
		c.Changes = []prompt.Change{}
	}
	c.Required = prompt.RequiredBump(c.Changes)
	return c
}
