package worddiff

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkOfALongText is everything a page does with two texts of 50,000
// characters, of which one line in twenty differs and a paragraph moved.
func BenchmarkOfALongText(b *testing.B) {
	var lines []string
	for i := 0; len(strings.Join(lines, "\n")) < 50_000; i++ {
		lines = append(lines, fmt.Sprintf("Rule %d: answer question %d in %d sentences, politely, and never promise a refund.", i, i*7, i%5))
	}
	before := strings.Join(lines, "\n")
	for i := 10; i < len(lines); i += 20 {
		lines[i] = fmt.Sprintf("Rule %d: say that you do not know.", i)
	}
	lines = append(append(lines[:20:20], lines[30:]...), lines[20:30]...)
	after := strings.Join(lines, "\n")
	b.SetBytes(int64(len(before)))
	for b.Loop() {
		moved, _ := Moves([]Text{{Spans: Calm(Compare(before, after))}})
		Fold(SideBySide(moved[0].Spans), 3, 6)
	}
}
