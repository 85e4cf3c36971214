package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
)

// embeddings speaks OpenAI's embeddings.
type embeddings struct{ *line }

// The bounds of one request: OpenAI's own for the number of texts.
const maxTexts = 2048

// Embed turns texts into vectors.
func (e *embeddings) Embed(ctx context.Context, model string, texts []string) ([][]float64, Usage, error) {
	if e.closed != nil {
		return nil, Usage{}, e.closed
	}
	if len(texts) == 0 || len(texts) > maxTexts {
		return nil, Usage{}, refuse(e.id, "ask for some of them at a time", "%d texts are not from 1 to %d", len(texts), maxTexts)
	}
	model = cmp.Or(model, e.model)
	body := make(map[string]json.RawMessage, len(e.set.params)+3)
	maps.Copy(body, e.set.params)
	body["model"], body["input"], body["encoding_format"] = mustJSON(model), mustJSON(texts), mustJSON("float")
	t := e.trip()
	service := openai.NewEmbeddingService(e.options(t, model)...)
	res, err := service.New(ctx, param.Override[openai.EmbeddingNewParams](mustJSON(body)))
	if err != nil {
		return nil, Usage{}, e.fail(ctx, err)
	}
	vectors, err := e.vectors(res, len(texts))
	if err != nil {
		return nil, Usage{}, err
	}
	return vectors, Usage{Input: int(res.Usage.PromptTokens)}, nil
}

// vectors puts what came in the order of the texts, and checks that there is
// one for each, all of one length.
func (e *embeddings) vectors(res *openai.CreateEmbeddingResponse, want int) ([][]float64, error) {
	if res == nil || len(res.Data) != want {
		return nil, garbled(e.id, "the answer does not have a vector for each text")
	}
	out := make([][]float64, want)
	for _, d := range res.Data {
		if d.Index < 0 || int(d.Index) >= want || out[d.Index] != nil || len(d.Embedding) == 0 || len(d.Embedding) != len(res.Data[0].Embedding) {
			return nil, garbled(e.id, "the vectors of the answer do not fit the texts")
		}
		out[d.Index] = d.Embedding
	}
	return out, nil
}
