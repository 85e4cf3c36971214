package assertion

import (
	"context"
	"fmt"
	"unicode/utf16"

	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	maxEdits = 200_000_000 // cells of the table that two texts are compared in
	toldUpTo = 200         // a distance up to which it is counted, also past the threshold
)

// levenshtein holds if at most threshold characters (5) must be put in, taken
// out or changed to turn the output into the value. A character is a code unit
// of UTF-16, as in JavaScript: an emoji is two.
func (c *Checker) levenshtein(_ context.Context, q question) (finding, error) {
	threshold := q.threshold(5)
	a, b := utf16.Encode([]rune(q.output)), utf16.Encode([]rune(wordOf(q.value)))
	limit := max(int(min(threshold, 1<<30)), toldUpTo)
	apart, known, err := edits(a, b, limit)
	if err != nil {
		return finding{}, err
	}
	told := number(float64(apart))
	if !known {
		told = "more than " + told
	}
	return plain(known && float64(apart) <= threshold,
		fmt.Sprintf("the output is %s edits away from %s, and %s are allowed", told, quote(wordOf(q.value)), number(threshold))), nil
}

// edits is the edit distance of Levenshtein (1966) between a and b by the table
// of Wagner and Fischer (1974), of which only the cells within limit of the
// diagonal are looked at (Ukkonen 1985). If the distance is above limit, known
// is false and distance is limit.
func edits(a, b []uint16, limit int) (distance int, known bool, err error) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > limit {
		return limit, false, nil // each of the rest must go
	}
	if wide := min(2*limit+1, len(b)+1); len(a) > maxEdits/wide {
		return 0, false, registry.WithFix(fmt.Errorf("the texts are too long to be compared character by character: %d and %d", len(a), len(b)), "use rouge-n or bleu, or a lower threshold")
	}
	row := band(a, b, limit)
	if d := row[len(b)]; d <= limit {
		return d, true, nil
	}
	return limit, false, nil
}

// band fills the table row by row; what lies outside the band is above limit.
func band(a, b []uint16, limit int) []int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = min(j, limit+1)
	}
	for i := 1; i <= len(a); i++ {
		from, to := max(1, i-limit), min(len(b), i+limit)
		corner := row[from-1] // of the row before
		if row[from-1] = limit + 1; from == 1 {
			row[0] = min(i, limit+1)
		}
		for j := from; j <= to; j++ {
			change := corner
			if a[i-1] != b[j-1] {
				change++
			}
			corner = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1, limit+1)
		}
	}
	return row
}

// editsBetween is the distance of two short names.
func editsBetween(a, b string) int {
	const most = 100
	d, _, err := edits(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), most)
	if err != nil {
		return most
	}
	return d
}
