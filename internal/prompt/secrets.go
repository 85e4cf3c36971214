package prompt

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"sync"
)

// A Secret is a place where a credential seems to stand. It never carries the
// credential itself.
type Secret struct {
	Offset  int    // in bytes
	Rule    string // openai-api-key; openai-api-key-base64 where it stands encoded
	Message string
}

// FindSecrets reports where credentials seem to stand in text, in the order of
// the text. It also finds them when they are written in parts and, one level
// deep, in base64. It is a net for accidents: who wants to hide a key, can.
func FindSecrets(text []byte) []Secret {
	f := finder{text: text}
	f.marks(text, nil)
	f.parts()
	f.assignments()
	f.encoded()
	slices.SortStableFunc(f.found, func(a, b foundSecret) int { return cmp.Compare(a.Offset, b.Offset) })
	var secrets []Secret
	for _, s := range f.found {
		secrets = append(secrets, s.Secret)
	}
	return secrets
}

type foundSecret struct {
	Secret
	end int
}

type finder struct {
	text  []byte
	found []foundSecret
}

// add reports a credential unless another was found at its place before.
func (f *finder) add(start, end int, rule, message string) {
	for _, s := range f.found {
		if start < s.end && s.Offset < end {
			return
		}
	}
	f.found = append(f.found, foundSecret{Secret{start, rule, message}, end})
}

// marks applies the rules to view, which is the text or, with the parts that
// origin places in it, the text joined.
func (f *finder) marks(view []byte, origin func(int) int) {
	type hit struct{ mark, at int }
	var hits []hit
	table := secretMarks()
	for at := range max(len(view)-1, 0) {
		for m := table.first[bigram(view[at], view[at+1])]; m != 0; m = table.marks[m].next {
			mark := &table.marks[m]
			if bytes.HasPrefix(view[at:], mark.text) && (origin == nil || mark.rule.inParts) {
				hits = append(hits, hit{int(m), at})
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.mark, b.mark) })
	for _, h := range hits {
		f.try(table.marks[h.mark].rule, len(table.marks[h.mark].text), view, h.at, origin)
	}
}

// A markTable finds the marks that may stand at a place by the two bytes there:
// the text is read once, however many rules there are.
type markTable struct {
	first [1 << 12]uint8 // by bigram, an index of marks, or 0
	marks []secretMark   // in the order of the rules, from 1
}

type secretMark struct {
	text []byte
	rule *secretRule
	next uint8 // with the same bigram
}

//nolint:gochecknoglobals // a table, built when it is first read
var secretMarks = sync.OnceValue(func() *markTable {
	t := &markTable{marks: make([]secretMark, 1)}
	for i := range secretRules {
		for _, mark := range secretRules[i].marks {
			t.marks = append(t.marks, secretMark{text: []byte(mark), rule: &secretRules[i]})
		}
	}
	for i := len(t.marks) - 1; i > 0; i-- {
		first := &t.first[bigram(t.marks[i].text[0], t.marks[i].text[1])]
		t.marks[i].next, *first = *first, uint8(i)
	}
	return t
})

func bigram(a, b byte) uint16 { return (uint16(a)<<5 ^ uint16(b)) & (1<<12 - 1) }

// try applies a rule to its mark of n bytes at view[at:].
func (f *finder) try(rule *secretRule, n int, view []byte, at int, origin func(int) int) {
	first := at
	if origin != nil {
		first = origin(at)
	}
	follows := rule.follows
	if follows == nil {
		follows = wordStart
	}
	if !follows(f.text[:first]) {
		return
	}
	m := rule.pattern().FindSubmatchIndex(view[at:min(at+secretWindow, len(view))])
	if m == nil {
		return
	}
	start, end := at, at+m[1]
	credential := view[at+n : end] // the mark itself is not random
	if len(m) > 2 {
		credential = view[at+m[2] : at+m[3]]
		if rule.follows != nil { // the mark is no part of the credential
			start, end = at+m[2], at+m[3]
		}
	}
	if origin != nil {
		n := end - start
		start, end = origin(start), origin(end-1)+1
		if end-start > n && rule.isRealInParts(credential) {
			f.add(start, end, rule.name, "this looks like "+rule.what+", written in parts")
		}
		return
	}
	if !rule.isReal(credential) || placeholder(credential) {
		return
	}
	for end < len(view) && keyChar(view[end]) {
		end++ // a pattern need not match to the end
	}
	f.add(start, end, rule.name, "this looks like "+rule.what)
}

func (r *secretRule) isReal(credential []byte) bool {
	if r.real != nil {
		return r.real(credential)
	}
	return random(credential)
}

// isRealInParts judges a credential that was joined. It may have swallowed the
// words after it, and its mark may stand in a sentence about marks. So it is
// judged by its beginning, and strictly.
func (r *secretRule) isRealInParts(credential []byte) bool {
	head := credential[:min(len(credential), 24)]
	if placeholder(head) || !bytes.ContainsAny(head, "0123456789abcdefghijklmnopqrstuvwxyz") { // a heading
		return false
	}
	if r.real != nil {
		return r.real(credential)
	}
	half := len(head) / 2
	return random(credential[:min(len(credential), 48)]) &&
		min(mixing(head[:half]), mixing(head[half:])) >= minMixing-0.05
}

// parts looks for credentials that are split by white space, by a backslash
// before a line break or between string literals ("sk-" + "proj-").
func (f *finder) parts() {
	joined := make([]byte, 0, len(f.text))
	join(f.text, func(start, end int) { joined = append(joined, f.text[start:end]...) })
	if len(joined) == len(f.text) {
		return
	}
	var origins []int // where each byte of joined stands in text; rarely asked
	f.marks(joined, func(i int) int {
		if origins == nil {
			origins = make([]int, 0, len(joined))
			join(f.text, func(start, end int) {
				for i := start; i < end; i++ {
					origins = append(origins, i)
				}
			})
		}
		return origins[i]
	})
}

// join yields the parts of text that remain when it is joined.
func join(text []byte, yield func(start, end int)) {
	start := 0
	skip := func(i, next int) {
		if start < i {
			yield(start, i)
		}
		start = next
	}
	for i := 0; i < len(text); i++ {
		if text[i] > '`' { // most of a text
			continue
		}
		switch c := text[i]; c {
		case ' ', '\n', '\r', '\t':
			skip(i, i+1)
		case '\\':
			if i+1 < len(text) && (text[i+1] == '\n' || text[i+1] == '\r') {
				skip(i, i+1)
			}
		case '"', '\'', '`':
			next := skipSpace(text, i+1)
			if next < len(text) && text[next] == '+' {
				next = skipSpace(text, next+1)
			}
			if next > i+1 && next < len(text) && text[next] == c {
				skip(i, next+1)
				i = next
			}
		}
	}
	skip(len(text), len(text))
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// encoded looks for credentials in base64. A run may be wrapped into lines.
func (f *finder) encoded() {
	const shortest = 40
	for i := 0; i+shortest <= len(f.text); {
		j := i + shortest - 1
		for j >= i && base64Char(f.text[j]) {
			j--
		}
		if j >= i { // no run can start at or before j
			i = j + 1
			continue
		}
		end := i
		for lineStart := i; ; lineStart = end {
			for end < len(f.text) && base64Char(f.text[end]) {
				end++
			}
			next := skipSpace(f.text, end)
			if end-lineStart < shortest || next == end || next == len(f.text) || !base64Char(f.text[next]) {
				break
			}
			end = next
		}
		f.decode(i, end)
		i = end
	}
}

// decode looks for credentials in what text[start:end] encodes.
func (f *finder) decode(start, end int) {
	run := slices.DeleteFunc(bytes.Clone(f.text[start:end]), func(c byte) bool { return !base64Char(c) })
	for i, c := range run {
		switch c { // the alphabet for URLs
		case '-':
			run[i] = '+'
		case '_':
			run[i] = '/'
		}
	}
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	n, _ := base64.RawStdEncoding.Decode(run, run)
	inner := finder{text: run[:n]}
	inner.marks(run[:n], nil)
	inner.assignments()
	for _, s := range inner.found {
		s := foundSecret{Secret{start, s.Rule + "-base64", s.Message + ", encoded in base64"}, end}
		if !slices.Contains(f.found, s) {
			f.found = append(f.found, s)
		}
	}
}

// minMixing parts what a generator wrote from words and names: about half of
// the neighbors in a random key differ in kind, a tenth of those in an
// identifier.
const minMixing = 0.2
