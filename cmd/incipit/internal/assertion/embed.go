package assertion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	questions    = 3 // that are asked for and at most compared
	maxEmbedded  = 100
	maxEmbedText = maxJudged // bytes of all texts together
)

// similar holds if the output is near the value, or the nearest of its values,
// in the space of an embedding: by the cosine, the dot product (at least
// threshold, 0.75) or Euclid's distance (at most threshold).
func (c *Checker) similar(ctx context.Context, q question) (finding, error) {
	values := textsOf(q.value)
	vectors, spent, err := c.embed(ctx, q.a, append([]string{q.output}, values...))
	if err != nil {
		return finding{spent: spent}, err
	}
	threshold := q.threshold(0.75)
	var best finding
	for i, v := range vectors[1:] {
		f := nearness(q.a.Type, vectors[0], v, threshold)
		f.reason += ": the output and " + quote(values[i])
		if i == 0 || f.score > best.score {
			best = f
		}
	}
	best.spent = spent
	return best, nil
}

// nearness compares two vectors of one length.
func nearness(kind string, a, b []float64, threshold float64) finding {
	switch kind {
	case "similar:euclidean":
		d := euclid(a, b)
		return finding{holds: d <= threshold+1e-9, score: 1 / (1 + d), reason: fmt.Sprintf("the distance is %s, and %s is allowed", number(d), number(threshold))}
	case "similar:dot":
		return near("the dot product", dot(a, b), threshold)
	}
	return near("the similarity", cosine(a, b), threshold)
}

func near(name string, score, threshold float64) finding {
	return finding{holds: atLeast(score, threshold), score: score, reason: fmt.Sprintf("%s is %s, and at least %s is asked for", name, number(score), number(threshold))}
}

// relevance holds if the questions that a judge thinks the output answers are
// near the one that was asked, which is the variable query or else the prompt:
// the mean of their cosines is at least threshold (0).
func (c *Checker) relevance(ctx context.Context, q question) (finding, error) {
	j, err := c.judgeOf(ctx, q.a)
	if err != nil {
		return finding{}, err
	}
	asked, _ := q.s.Vars["query"].(string)
	if asked == "" {
		asked = q.s.Prompt
	}
	if strings.TrimSpace(asked) == "" {
		return finding{}, registry.WithFix(errors.New("there is no question to compare the output with"), "give the case a variable named query")
	}
	messages, err := c.own(ctx, q, "", map[string]any{"answer": q.output},
		brief(fmt.Sprintf(`The text named "output" answers a question that you do not know. Do not grade it: write %d different questions that it would answer well.`, questions),
			`{"questions": ["the first", "the second", "the third"]}`, block{"output", q.output}))
	if err != nil {
		return finding{}, err
	}
	answer, err := j.ask(ctx, messages)
	if err != nil {
		return finding{spent: j.spent}, err
	}
	guessed := questionsOf(answer)
	vectors, spent, err := c.embed(ctx, q.a, append([]string{asked}, guessed...))
	spent = added(j.spent, spent)
	if err != nil {
		return finding{spent: spent}, err
	}
	sum := 0.0
	for _, v := range vectors[1:] {
		sum += cosine(vectors[0], v)
	}
	f := near("the relevance", sum/float64(len(guessed)), q.threshold(0))
	f.reason += ": it would answer " + quote(strings.Join(guessed, " / "))
	f.spent = spent
	return f, nil
}

// questionsOf reads the questions in a judge's answer. An answer to a suite's
// own prompt may be one question, as promptfoo's asks for.
func questionsOf(answer string) []string {
	v, err := answerWith(answer, "questions")
	if err != nil {
		return []string{strings.TrimSpace(answer)}
	}
	var out []string
	list, _ := v["questions"].([]any)
	for _, e := range list {
		if text, _ := e.(string); strings.TrimSpace(text) != "" && len(out) < questions {
			out = append(out, strings.TrimSpace(text))
		}
	}
	if len(out) == 0 {
		return []string{strings.TrimSpace(answer)}
	}
	return out
}

// embed turns texts into vectors of one length.
func (c *Checker) embed(ctx context.Context, a Assertion, texts []string) ([][]float64, *report.Spent, error) {
	if c.Embedder == nil {
		return nil, nil, missing(a, "a model that embeds", "this run was started without one")
	}
	size := 0
	for i, text := range texts {
		size += len(text)
		if text == "" {
			texts[i] = " " // the wire refuses an empty text; an empty output is near nothing
		}
	}
	if size > maxEmbedText || len(texts) > maxEmbedded {
		return nil, nil, registry.WithFix(fmt.Errorf("%d texts of %d bytes are too much to be embedded", len(texts), size), "compare at most %d texts of together %d bytes", maxEmbedded, maxEmbedText)
	}
	e, model, err := c.Embedder(ctx, specOf(a.Provider, "embedding"))
	if err != nil {
		return nil, nil, fmt.Errorf("the embedder of %s: %w", a.Name(), err)
	}
	vectors, usage, err := e.Embed(ctx, model, texts)
	if err != nil {
		return nil, nil, fmt.Errorf("the texts were not embedded: %w", noAnswer(err))
	}
	spent := &report.Spent{Calls: 1, Input: usage.Input, Output: usage.Output}
	if len(vectors) != len(texts) {
		return nil, spent, fmt.Errorf("the embedder sent %d vectors for %d texts", len(vectors), len(texts))
	}
	for _, v := range vectors {
		if len(v) == 0 || len(v) != len(vectors[0]) || !finite(v) {
			return nil, spent, errors.New("the embedder sent vectors of different lengths, or of what is no number")
		}
	}
	return vectors, spent, nil
}

func finite(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// cosine is 0 if one of the two has no direction.
func cosine(a, b []float64) float64 {
	length := math.Sqrt(dot(a, a)) * math.Sqrt(dot(b, b))
	if length == 0 || math.IsInf(length, 0) {
		return 0
	}
	return dot(a, b) / length
}

func euclid(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}
