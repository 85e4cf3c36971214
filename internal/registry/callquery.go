package registry

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// UnknownError stands for errors that do not say whose fault they were, where
// calls are counted or chosen by class.
const UnknownError = "unknown"

// A CallQuery chooses recorded calls. An empty field chooses all.
type CallQuery struct {
	Prompt      prompt.ID
	Environment string
	Version     string
	Arm         string
	Outcome     Outcome
	ErrorClass  string       // provider, prompt, timeout or unknown: of the errors
	Score       *ScoreBounds // nil: also calls that nobody rated
	From, To    time.Time    // of the start, half open
	Newest      bool         // those that were taken last come first
	After       int64        // calls behind the one with this number, in the order of the list; 0 begins with the first
}

// ScoreBounds choose calls by a score. Whoever gives none of the bounds asks
// for calls that have the score, whatever it is.
type ScoreBounds struct {
	Name     string   // of a feedback; "" is the satisfaction
	Min, Max *float64 // nil is no bound; both count as within
}

// String is the text that ParseScoreBounds reads.
func (s ScoreBounds) String() string {
	out := cmp.Or(s.Name, satisfaction)
	if s.Min != nil {
		out += ">=" + strconv.FormatFloat(*s.Min, 'g', -1, 64)
	}
	if s.Max != nil {
		out += "<=" + strconv.FormatFloat(*s.Max, 'g', -1, 64)
	}
	return out
}

// satisfaction names the score that calls have without a name.
const satisfaction = "satisfaction"

// ParseScoreBounds reads a score's name with a bound, two or none:
// satisfaction<=2, relevance>=0.5<=0.9. Nothing was asked for if text is "". It
// reports prompt.ErrInvalid.
func ParseScoreBounds(text string) (*ScoreBounds, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no bounds are no error
	}
	rest, most, bounded := strings.Cut(text, "<=")
	name, least, from := strings.Cut(rest, ">=")
	s := &ScoreBounds{Name: name}
	for _, b := range []struct {
		there bool
		text  string
		to    **float64
	}{{from, least, &s.Min}, {bounded, most, &s.Max}} {
		if !b.there {
			continue
		}
		n, err := strconv.ParseFloat(b.text, 64)
		if err != nil {
			return nil, WithFix(Errorf(prompt.ErrInvalid, "%q names no score within bounds", prompt.Clip(prompt.Visible(text), 80)), "write satisfaction<=2, or relevance>=0.5")
		}
		*b.to = &n
	}
	if name == "" {
		return nil, WithFix(Errorf(prompt.ErrInvalid, "which score? %q has no name", prompt.Clip(prompt.Visible(text), 80)), "write satisfaction<=2, or relevance>=0.5")
	}
	if name == satisfaction {
		s.Name = ""
	}
	return s, s.check()
}

// Check reports, with prompt.ErrInvalid, what no call can be chosen by.
func (q CallQuery) Check() error {
	if q.Outcome != "" && !slices.Contains([]Outcome{OK, Failed, Cancelled}, q.Outcome) {
		return Errorf(prompt.ErrInvalid, "outcome is %q; it must be ok, error or cancelled", prompt.Clip(string(q.Outcome), 40))
	}
	if q.ErrorClass != "" {
		if q.ErrorClass != UnknownError && !slices.Contains(ErrorClasses(), ErrorClass(q.ErrorClass)) {
			return Errorf(prompt.ErrInvalid, "the class of errors is %q; it must be provider, prompt, timeout or unknown", prompt.Clip(q.ErrorClass, 40))
		}
		if q.Outcome != "" && q.Outcome != Failed {
			return Errorf(prompt.ErrInvalid, "only errors have a class, and the outcome asked for is %s", q.Outcome)
		}
	}
	if q.Score != nil {
		return q.Score.check()
	}
	return nil
}

func (s ScoreBounds) check() error {
	for _, bound := range []*float64{s.Min, s.Max} {
		f := Feedback{Name: s.Name, Value: 1}
		if bound != nil {
			f.Value = *bound
		}
		if err := f.Check(); err != nil {
			return err
		}
	}
	if s.Min != nil && s.Max != nil && *s.Min > *s.Max {
		return Errorf(prompt.ErrInvalid, "no score is %v or more and %v or less", *s.Min, *s.Max)
	}
	return nil
}
