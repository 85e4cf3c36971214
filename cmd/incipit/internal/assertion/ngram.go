package assertion

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// maxTokens bounds the words of a text that is compared by its n-grams.
const maxTokens = 20_000

// bleu holds if BLEU (Papineni, Roukos, Ward, Zhu: BLEU, ACL 2002) of the
// output against the value, or the best of its values, is at least threshold
// (0.5).
func (c *Checker) bleu(_ context.Context, q question) (finding, error) {
	candidate := lowerWords(q.output)
	var references [][]string
	for _, text := range textsOf(q.value) {
		references = append(references, lowerWords(text))
	}
	if err := fewTokens(append(references, candidate)...); err != nil {
		return finding{}, err
	}
	return similarity(q, "BLEU", bleuScore(candidate, references), 0.5), nil
}

// rouge holds if the F-measure of ROUGE-1 (Lin: ROUGE, ACL 2004) of the output
// against the value is at least threshold (0.75).
func (c *Checker) rouge(_ context.Context, q question) (finding, error) {
	candidate, reference := treebank(strings.ToLower(q.output)), treebank(strings.ToLower(wordOf(q.value)))
	if err := fewTokens(candidate, reference); err != nil {
		return finding{}, err
	}
	return similarity(q, "ROUGE-N", rougeScore(candidate, reference), 0.75), nil
}

// similarity is the finding of a score that is held against a threshold.
func similarity(q question, name string, score, otherwise float64) finding {
	threshold := q.threshold(otherwise)
	holds := atLeast(score, threshold)
	word := "below"
	if holds {
		word = "at least"
	}
	return finding{holds: holds, score: score, reason: fmt.Sprintf("%s is %s, %s the threshold %s", name, number(score), word, number(threshold))}
}

// atLeast compares a score with a threshold, and forgives what sums of floats
// lose: 0.1+0.2+0.3 is at least 0.6.
func atLeast(score, threshold float64) bool { return score >= threshold-1e-9 }

func fewTokens(texts ...[]string) error {
	for _, words := range texts {
		if len(words) > maxTokens {
			return registry.WithFix(fmt.Errorf("a text of %d words is too long to be compared by them", len(words)), "compare at most %d words, or use contains", maxTokens)
		}
	}
	return nil
}

func lowerWords(text string) []string { return strings.FieldsFunc(strings.ToLower(text), blank) }

// bleuScore is the brevity penalty times the geometric mean of the precisions
// of 1- to 4-grams, each weighing the same. Of a candidate too short for the
// longer ones those it has are taken. A precision of none counts as 1e-7, and
// counts are clipped at the reference that has the most in common, as promptfoo
// does both; the paper clips each n-gram at the reference that has it most.
func bleuScore(candidate []string, references [][]string) float64 {
	if len(candidate) == 0 {
		return 0
	}
	logs, orders := 0.0, 0
	for n := 1; n <= min(4, len(candidate)); n++ {
		grams, most := countGrams(candidate, n), 0
		for _, reference := range references {
			most = max(most, common(grams, countGrams(reference, n)))
		}
		precision := float64(most) / float64(len(candidate)-n+1)
		logs += math.Log(max(precision, 1e-7))
		orders++
	}
	return brevity(len(candidate), closest(len(candidate), references)) * math.Exp(logs/float64(orders))
}

// brevity is the penalty of a candidate that is shorter than its reference.
func brevity(candidate, reference int) float64 {
	if candidate > reference {
		return 1
	}
	return math.Exp(1 - float64(reference)/float64(candidate))
}

// closest is the length of the reference that is nearest to n words, of two as
// near the shorter.
func closest(n int, references [][]string) int {
	best := -1
	for _, r := range references {
		apart, least := abs(len(r)-n), abs(best-n)
		if best < 0 || apart < least || apart == least && len(r) < best {
			best = len(r)
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// rougeScore is the harmonic mean of the shares of words that the two texts
// have in common, each word counted as often as it stands in both.
func rougeScore(candidate, reference []string) float64 {
	shared := common(countGrams(candidate, 1), countGrams(reference, 1))
	if shared == 0 {
		return 0
	}
	return 2 * float64(shared) / float64(len(candidate)+len(reference))
}

// countGrams counts each run of n words. The words are joined by a character
// that no word holds.
func countGrams(words []string, n int) map[string]int {
	counts := make(map[string]int, len(words))
	for i := 0; i+n <= len(words); i++ {
		counts[strings.Join(words[i:i+n], " ")]++
	}
	return counts
}

// common counts what stands in both.
func common(a, b map[string]int) int {
	n := 0
	for gram, count := range a {
		n += min(count, b[gram])
	}
	return n
}
