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

// distance is the Levenshtein distance of a and b, cut off at limit.
func distance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
