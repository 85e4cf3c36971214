package lifecycle

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The limits of a search.
const (
	maxQuery = 200 // bytes
	maxWords = 8   // those behind them are not looked for
	maxHits  = 100
	hitText  = 200 // characters of a hit
)

// A findable prompt is what of it is searched, in lower case, beside what is
// shown. It is kept in memory for as long as nothing was released.
type findable struct {
	id          prompt.ID
	newest      string
	description string
	about       string             // id and description
	releases    []registry.Release // the newest first
	said        []string           // of each release: its tag, author and notes
	messages    []prompt.Message   // of the newest release
	texts       []string           // of each message
}

// Search finds prompts, releases, and texts of the newest releases, among those
// that the caller may read. Each holds all words of text, in any order, in lower
// case or upper. The best come first: ids that begin with it, ids, what is said
// of releases, texts; at most limit of them.
func (s *Shared) Search(ctx context.Context, text string, limit int) ([]registry.Hit, error) {
	if limit < 1 || limit > maxHits {
		return nil, registry.Errorf(prompt.ErrInvalid, "limit is %d; it must be from 1 to %d", limit, maxHits)
	}
	if len(text) > maxQuery {
		return nil, registry.Errorf(prompt.ErrInvalid, "what to look for is longer than %d bytes", maxQuery)
	}
	words := strings.Fields(strings.ToLower(text))
	words = words[:min(len(words), maxWords)]
	if len(words) == 0 {
		return []registry.Hit{}, nil
	}
	all, err := s.findables(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(ctx)
	found := make([][]registry.Hit, 4) // by rank
	for i := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &all[i]
		if c.MayAny(registry.MayRead, registry.Every, p.id) {
			p.search(words, limit, found)
		}
	}
	hits := slices.Concat(found...)
	return hits[:min(limit, len(hits))], nil
}

// search adds to each rank what is found, at most limit hits.
func (p *findable) search(words []string, limit int, found [][]registry.Hit) {
	add := func(rank int, h registry.Hit) {
		if h.Prompt = p.id; len(found[rank]) < limit {
			h.Text = prompt.Clip(h.Text, hitText)
			found[rank] = append(found[rank], h)
		}
	}
	inID := holds(string(p.id), words)
	if holds(p.about, words) {
		rank := 1
		if inID && begins(string(p.id), words[0]) {
			rank = 0
		}
		add(rank, registry.Hit{Kind: registry.HitPrompt, Version: p.newest, Text: p.description})
	}
	for i, said := range p.said {
		if !inID && holds(said, words) { // else the id alone would find every release
			r := p.releases[i]
			add(2, registry.Hit{Kind: registry.HitRelease, Version: r.Version.String(), Author: r.Author, Text: r.Notes})
		}
	}
	for i, text := range p.texts {
		if holds(text, words) {
			line := lineOf(text, words)
			shown := strings.Split(p.messages[i].Content, "\n")[line]
			add(3, registry.Hit{Kind: registry.HitText, Version: p.newest, Text: strings.TrimSpace(shown), Message: i + 1, Role: p.messages[i].Role, Line: line + 1})
			break // one of a prompt
		}
	}
}

func holds(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// begins reports whether an id, or a segment of it, begins with a word.
func begins(id, word string) bool {
	return strings.HasPrefix(id, word) || strings.Contains(id, "/"+word)
}

// lineOf is the first line that holds most of the words, from 0.
func lineOf(text string, words []string) int {
	best, most, n := 0, 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		here := 0
		for _, w := range words {
			if strings.Contains(line, w) {
				here++
			}
		}
		if here > most {
			best, most = n, here
		}
		n++
	}
	return best
}

// findables is what can be found, in the order of ids.
func (s *Shared) findables(ctx context.Context) ([]findable, error) {
	mark, err := s.db.Mark(ctx)
	if err != nil {
		return nil, err
	}
	return s.shelves.findables.get(ctx, mark.Catalog(), func(ctx context.Context) ([]findable, error) {
		all, err := s.db.Searched(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]findable, len(all))
		for i := range all {
			out[i] = findableOf(&all[i])
		}
		slices.SortFunc(out, func(a, b findable) int { return cmp.Compare(a.id, b.id) })
		return out, nil
	})
}

// findableOf takes a prompt apart. What cannot be read is not found by its text;
// whoever reads the release is told why.
func findableOf(from *sqlstore.SearchedPrompt) findable {
	p := findable{id: from.ID, newest: from.Newest, releases: from.Releases}
	var newest prompt.Prompt
	var about struct {
		Description string `json:"description"`
	}
	if json.Unmarshal([]byte(from.Text), &newest) == nil {
		p.messages = newest.Messages
	}
	if json.Unmarshal([]byte(from.Metadata), &about) == nil {
		p.description = about.Description
	}
	p.about = strings.ToLower(string(p.id) + "\n" + p.description)
	slices.SortFunc(p.releases, func(a, b registry.Release) int { return b.Version.Compare(a.Version) })
	for _, r := range p.releases {
		p.said = append(p.said, strings.ToLower(p.id.Tag(r.Version)+"\n"+r.Author+"\n"+r.Notes))
	}
	for _, m := range p.messages {
		p.texts = append(p.texts, strings.ToLower(m.Content))
	}
	return p
}
