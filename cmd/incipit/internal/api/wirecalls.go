package api

import (
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Feedback is the body of feedback for a call: a score, a thumb, or a number
// with a name.
type Feedback struct {
	Score   *float64 `json:"score,omitempty" minimum:"1" maximum:"5" doc:"The satisfaction"`
	Thumb   string   `json:"thumb,omitempty" enum:"up,down" doc:"The satisfaction: 5 or 1"`
	Name    string   `json:"name,omitempty" maxLength:"64" doc:"Of another number, such as relevance"`
	Value   *float64 `json:"value,omitempty" doc:"That number"`
	Comment string   `json:"comment,omitempty" maxLength:"4096"`
}

// FeedbackOf is the body that says f.
func FeedbackOf(f registry.Feedback) Feedback {
	if f.Name == "" {
		return Feedback{Score: &f.Value, Comment: f.Comment}
	}
	return Feedback{Name: f.Name, Value: &f.Value, Comment: f.Comment}
}

// Feedback is what the body says, without who says it and when.
func (f Feedback) Feedback() (registry.Feedback, error) {
	named := f.Name != "" || f.Value != nil
	switch {
	case f.Score != nil && f.Thumb == "" && !named:
		return registry.Feedback{Value: *f.Score, Comment: f.Comment}, nil
	case f.Thumb == "up" && f.Score == nil && !named:
		return registry.Feedback{Value: 5, Comment: f.Comment}, nil
	case f.Thumb == "down" && f.Score == nil && !named:
		return registry.Feedback{Value: 1, Comment: f.Comment}, nil
	case f.Name != "" && f.Value != nil && f.Score == nil && f.Thumb == "":
		return registry.Feedback{Name: f.Name, Value: *f.Value, Comment: f.Comment}, nil
	}
	return registry.Feedback{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "it is not clear what the feedback says"),
		`send one of {"score": 4}, {"thumb": "up"} and {"name": "relevance", "value": 0.8}`)
}

// An EraseRequest asks that a person's calls are forgotten.
type EraseRequest struct {
	Subject string `json:"subject" minLength:"1" maxLength:"1024" doc:"As it was sent with the calls"`
}

// An Erased says how many calls were forgotten.
type Erased struct {
	Erased int64 `json:"erased"`
}
