package registry

import (
	"slices"
	"strings"
)

// maxMergeCells bounds the work of comparing two texts by lines: beyond it they
// are put together by hand.
const maxMergeCells = 4 << 20

// Merge puts the changes of two sides of a base together, line by line. ok is
// false where both changed the same or touching lines differently: then a
// person decides, and merged is "".
func Merge(base, mine, theirs string) (merged string, ok bool) {
	switch {
	case mine == theirs, theirs == base:
		return mine, true
	case mine == base:
		return theirs, true
	}
	b := strings.SplitAfter(base, "\n")
	left, ok1 := edits(b, strings.SplitAfter(mine, "\n"))
	right, ok2 := edits(b, strings.SplitAfter(theirs, "\n"))
	if !ok1 || !ok2 {
		return "", false
	}
	return weave(b, left, right)
}

// An edit puts lines in the place of base[from:to].
type edit struct {
	from, to int
	lines    []string
}

// weave carries out the edits of both sides, which must not touch.
func weave(base []string, left, right []edit) (string, bool) {
	all := slices.Concat(left, right)
	slices.SortStableFunc(all, func(a, b edit) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for i, e := range all {
		if i > 0 && e.from <= all[i-1].to {
			if last := all[i-1]; e.from == last.from && e.to == last.to && slices.Equal(e.lines, last.lines) {
				continue // both did the same
			}
			return "", false
		}
		out.WriteString(strings.Join(base[at:e.from], "") + strings.Join(e.lines, ""))
		at = e.to
	}
	out.WriteString(strings.Join(base[at:], ""))
	return out.String(), true
}

// edits are what makes b of a, in order and apart from each other.
func edits(a, b []string) ([]edit, bool) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if (len(x)+1)*(len(y)+1) > maxMergeCells {
		return nil, false
	}
	var out []edit
	i, j := 0, 0
	for _, m := range append(common(x, y), [2]int{len(x), len(y)}) {
		if m[0] > i || m[1] > j {
			out = append(out, edit{head + i, head + m[0], y[j:m[1]]})
		}
		i, j = m[0]+1, m[1]+1
	}
	return out, true
}

// common are the places, in a and in b, of a longest run of lines that both
// have in this order.
func common(a, b []string) (pairs [][2]int) {
	w := len(b) + 1
	longest := make([]int32, (len(a)+1)*w) // of a[i:] and b[j:]
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				longest[i*w+j] = longest[(i+1)*w+j+1] + 1
			} else {
				longest[i*w+j] = max(longest[(i+1)*w+j], longest[i*w+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case longest[(i+1)*w+j] >= longest[i*w+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// MergeTexts puts what changed on both sides of a base together, file by file.
// It returns the files in which the three are not all the same.
func MergeTexts(base, mine, theirs Texts) (files []DraftMerge, clean bool) {
	clean = true
	for _, name := range TextNames() {
		m := DraftMerge{Name: name, Base: base.text(name), Mine: mine.text(name), Theirs: theirs.text(name)}
		switch {
		case same(m.Base, m.Theirs) && same(m.Base, m.Mine):
			continue
		case same(m.Mine, m.Theirs), same(m.Base, m.Theirs):
			m.Merged, m.Clean = m.Mine, true
		case same(m.Base, m.Mine):
			m.Merged, m.Clean = m.Theirs, true
		case m.Base != nil && m.Mine != nil && m.Theirs != nil:
			if text, ok := Merge(*m.Base, *m.Mine, *m.Theirs); ok {
				m.Merged, m.Clean = &text, true
			}
		}
		files, clean = append(files, m), clean && m.Clean
	}
	return files, clean
}

func (t Texts) text(name string) *string {
	if text, ok := t[name]; ok {
		return &text
	}
	return nil
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
