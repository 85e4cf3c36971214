package ui

import (
	"net/url"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// diffOptions are how a comparison is shown; they stand in the address.
type diffOptions struct {
	ID       prompt.ID
	From, To string
	Inline   bool // one text into the other, not beside it
	Loose    bool // changes of white space alone do not count
	Marks    bool // blanks and line ends are shown
	Hidden   bool // characters that one does not see are not shown
}

func diffOptionsOf(id prompt.ID, q url.Values) diffOptions {
	return diffOptions{ID: id, Inline: q.Get("view") == "inline", Loose: q.Get("ws") == "1", Marks: q.Get("marks") == "1", Hidden: q.Get("unseen") == "0"}
}

// Href is the address of the comparison.
func (o diffOptions) Href() string {
	q := url.Values{"from": {o.From}, "to": {o.To}}
	for key, value := range o.Set() {
		q.Set(key, value)
	}
	return promptPath(o.ID, "/diff?", q.Encode())
}

// Set are the options that are not as usual, by their names in the address.
func (o diffOptions) Set() map[string]string {
	out := make(map[string]string)
	for _, one := range []struct {
		is         bool
		key, value string
	}{{o.Inline, "view", "inline"}, {o.Loose, "ws", "1"}, {o.Marks, "marks", "1"}, {o.Hidden, "unseen", "0"}} {
		if one.is {
			out[one.key] = one.value
		}
	}
	return out
}

// Other is the address with one option the other way: view, ws, marks, unseen,
// or swap for the two sides.
func (o diffOptions) Other(name string) string {
	switch name {
	case "view":
		o.Inline = !o.Inline
	case "ws":
		o.Loose = !o.Loose
	case "marks":
		o.Marks = !o.Marks
	case "unseen":
		o.Hidden = !o.Hidden
	case "swap":
		o.From, o.To = o.To, o.From
	}
	return o.Href()
}

// between is the address of another comparison, shown alike.
func (o diffOptions) between(from, to string) string {
	o.From, o.To = from, to
	return o.Href()
}
