package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestScoreBoundsAreReadAsTheyAreWritten(t *testing.T) {
	always(t, func(d dice) string {
		bound := func() *float64 {
			return pick(d, nil, new(pick(d, 1, 5, 1+4*d.Float64())))
		}
		s := ScoreBounds{Name: pick(d, "", "relevance", "judge/tone-1"), Min: bound(), Max: bound()}
		if s.Min != nil && s.Max != nil && *s.Min > *s.Max {
			s.Min, s.Max = s.Max, s.Min
		}
		got, err := ParseScoreBounds(s.String())
		if err != nil || got.String() != s.String() || got.Name != s.Name {
			return fmt.Sprintf("%s is read as %+v: %v", s, got, err)
		}
		return ""
	})
	if s, err := ParseScoreBounds(""); s != nil || err != nil {
		t.Errorf("nothing is read as %v, %v", s, err)
	}
}

func TestWhatNoCallCanBeChosenBy(t *testing.T) {
	for _, tt := range []struct{ name, score, says string }{
		{"no name", ">=1", "which score?"},
		{"no number", "relevance>=good", "names no score within bounds"},
		{"bounds in the other order", "relevance<=1>=0", "names no score within bounds"},
		{"not a number", "relevance>=NaN", "value"},
		{"a satisfaction that is none", "satisfaction>=9", "score"},
		{"a name that is none", "the tone>=1", "name is"},
		{"nothing between", "relevance>=2<=1", "no score is 2 or more and 1 or less"},
	} {
		if s, err := ParseScoreBounds(tt.score); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v, want %q", tt.name, s, err, tt.says)
		}
	}
	for _, tt := range []struct {
		name string
		q    CallQuery
		says string
	}{
		{"an outcome", CallQuery{Outcome: "good"}, `outcome is "good"`},
		{"a class", CallQuery{ErrorClass: "user"}, `class of errors is "user"`},
		{"a class of what is no error", CallQuery{Outcome: OK, ErrorClass: UnknownError}, "only errors have a class"},
		{"a score", CallQuery{Score: &ScoreBounds{Min: new(0.0)}}, "score"},
	} {
		if err := tt.q.Check(); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	for _, q := range []CallQuery{{}, {Outcome: Failed, ErrorClass: "timeout"}, {ErrorClass: UnknownError}, {Score: &ScoreBounds{Name: "tone"}, Newest: true}} {
		if err := q.Check(); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func FuzzParseScoreBounds(f *testing.F) {
	for _, s := range []string{"satisfaction<=2", "relevance>=0.5<=0.9", ">=", "a>=1e309", "x<=-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScoreBounds(text)
		if err != nil || s == nil {
			return
		}
		again, err := ParseScoreBounds(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is %s, which is %v: %v", text, s, again, err)
		}
	})
}
