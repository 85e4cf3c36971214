package source

import "strings"

// suggest is what to try instead of name: the closest of known, or all of them.
func suggest(name string, known []string, intro string) string {
	if best, ok := Closest(name, known); ok {
		return "did you mean " + best + "?"
	}
	if len(known) == 0 {
		return intro + "none yet"
	}
	const most = 8
	if len(known) > most {
		return intro + strings.Join(known[:most], ", ") + ", …"
	}
	return intro + strings.Join(known, ", ")
}

// Closest returns the one of known that is at most two edits, and at most a
// third of its length, away from name.
func Closest(name string, known []string) (string, bool) {
	best, least := "", 3
	for _, k := range known {
		if d := distance(name, k, least); d < least && d*3 <= len(k) {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance is how many edits lead from a to b, cut off at limit. An edit adds,
// drops or replaces a byte, or swaps two neighbors.
func distance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	before, above := make([]int, len(b)+1), make([]int, len(b)+1) // the two rows above
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := above[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
