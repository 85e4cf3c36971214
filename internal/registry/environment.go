package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An Environment is a place where releases run, and what a change of what runs
// there must meet. The zero value of each rule asks for nothing.
type Environment struct {
	Name      string   `json:"name"`
	Protected bool     `json:"protected"`           // a change must be confirmed by its name
	Reason    bool     `json:"reason,omitempty"`    // a change must say why
	After     string   `json:"after,omitempty"`     // the environment that a release must have run in before
	Require   []string `json:"require,omitempty"`   // the kinds of evidence that a release must have
	Approvals int      `json:"approvals,omitempty"` // how many people must approve, the author and the caller not among them
	Freeze    []Freeze `json:"freeze,omitempty"`    // when nothing but going back is allowed
	Guard     *Guard   `json:"guard,omitempty"`     // how rollouts are watched; nil: as GuardOf says
}

// A Freeze is a time in which nothing new is deployed: once, from From to To,
// or each week on Days from Start to End in Zone.
type Freeze struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`

	Days  []string `json:"days,omitempty"`  // mon, tue, wed, thu, fri, sat, sun
	Start string   `json:"start,omitempty"` // 15:04; "" is the day's begin
	End   string   `json:"end,omitempty"`   // 15:04; "" is the day's end
	Zone  string   `json:"zone,omitempty"`  // an IANA name; "" is UTC

	Why string `json:"why,omitempty"`
}

// Validate reports what of the environment's rules cannot be kept.
func (e Environment) Validate() error {
	if e.After == e.Name && e.Name != "" {
		return Errorf(prompt.ErrInvalid, "environment %s comes after itself", e.Name)
	}
	if e.Approvals < 0 || e.Approvals > 10 {
		return Errorf(prompt.ErrInvalid, "approvals: %d is not a number from 0 to 10", e.Approvals)
	}
	for i, kind := range e.Require {
		if !IsKind(kind) || slices.Contains(e.Require[:i], kind) {
			return Errorf(prompt.ErrInvalid, "require: %q is no kind of evidence, or is named twice; use a-z, 0-9 and dashes, such as tests", prompt.Clip(kind, 80))
		}
	}
	for _, f := range e.Freeze {
		if err := f.validate(); err != nil {
			return err
		}
	}
	if e.Guard != nil {
		return e.Guard.Validate()
	}
	return nil
}

// The kinds of evidence that a run of the tests files. Other kinds, such as
// review, are filed by people.
const (
	KindTests      = "tests"
	KindComparison = "comparison"
)

// Wanted is what evidence of a kind must say for a gate that requires it.
func Wanted(kind string) string {
	if kind == KindComparison {
		return "not-regressed"
	}
	return "pass"
}

// RequireAll is the list of kinds that a mapping from kinds to what is wanted
// of them stands for, in the order of the alphabet. It reports ErrInvalid if
// something else is wanted of a kind than Wanted says.
func RequireAll(wanted map[string]string) ([]string, error) {
	kinds := slices.Sorted(maps.Keys(wanted))
	for _, kind := range kinds {
		if !IsKind(kind) {
			return nil, Errorf(prompt.ErrInvalid, "require: %q is no kind of evidence; use a-z, 0-9 and dashes, such as tests", prompt.Clip(kind, 80))
		}
		if wanted[kind] != Wanted(kind) {
			return nil, Errorf(prompt.ErrInvalid, "require: %s: %q cannot be asked for; write %s: %s", kind, prompt.Clip(wanted[kind], 40), kind, Wanted(kind))
		}
	}
	return kinds, nil
}

// IsKind reports whether s can name a kind of evidence.
func IsKind(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (f Freeze) validate() error {
	if len(f.Days) == 0 {
		if f.From.IsZero() || !f.To.After(f.From) {
			return Errorf(prompt.ErrInvalid, "a freeze needs from and a later to, or days of the week")
		}
		if f.Start != "" || f.End != "" || f.Zone != "" {
			return Errorf(prompt.ErrInvalid, "freeze: start, end and zone go with days; from and to hold the time and zone themselves")
		}
		return nil
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		return Errorf(prompt.ErrInvalid, "a freeze has from and to, or days of the week, and not both")
	}
	for _, d := range f.Days {
		if !slices.Contains(weekdays(), d) {
			return Errorf(prompt.ErrInvalid, "freeze: %q is no day; days are %s", prompt.Clip(d, 20), strings.Join(weekdays(), ", "))
		}
	}
	if _, err := time.LoadLocation(f.Zone); err != nil || f.Zone == "Local" { // which is another one on each machine
		return Errorf(prompt.ErrInvalid, "freeze: %q is no time zone that is known here; write one such as Europe/Berlin", prompt.Clip(f.Zone, 60))
	}
	start, err := clock(f.Start, 0)
	if err != nil {
		return err
	}
	end, err := clock(f.End, 24*60)
	if err == nil && end <= start {
		err = Errorf(prompt.ErrInvalid, "freeze: it ends at %s, not after its start", f.End)
	}
	return err
}

// Frozen is the freeze that holds at a time, and false if there is none.
// Validate has passed.
func (e Environment) Frozen(at time.Time) (Freeze, bool) {
	i := slices.IndexFunc(e.Freeze, func(f Freeze) bool { return f.holds(at) })
	if i < 0 {
		return Freeze{}, false
	}
	return e.Freeze[i], true
}

func (f Freeze) holds(at time.Time) bool {
	if len(f.Days) == 0 {
		return !at.Before(f.From) && at.Before(f.To)
	}
	zone, err := time.LoadLocation(f.Zone)
	if err != nil {
		return true // a rule that cannot be read must not open the door
	}
	at = at.In(zone)
	start, err1 := clock(f.Start, 0)
	end, err2 := clock(f.End, 24*60)
	minute := at.Hour()*60 + at.Minute()
	today := slices.Contains(f.Days, weekdays()[at.Weekday()])
	return today && (err1 != nil || err2 != nil || start <= minute && minute < end)
}

// String says when the freeze is.
func (f Freeze) String() string {
	s := fmt.Sprintf("from %s to %s", f.From.UTC().Format(time.RFC3339), f.To.UTC().Format(time.RFC3339))
	if len(f.Days) > 0 {
		s = strings.Join(f.Days, ", ")
		if f.Start != "" || f.End != "" {
			s += fmt.Sprintf(" %s–%s", orText(f.Start, "00:00"), orText(f.End, "24:00"))
		}
		s += " " + orText(f.Zone, "UTC")
	}
	if f.Why != "" {
		s += ": " + f.Why
	}
	return s
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// weekdays are in the order of time.Weekday.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// clock reads 15:04 as minutes since midnight.
func clock(s string, absent int) (int, error) {
	if s == "" {
		return absent, nil
	}
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, Errorf(prompt.ErrInvalid, "freeze: %q is no time of day; write one such as 16:30", prompt.Clip(s, 20))
	}
	return t.Hour()*60 + t.Minute(), nil
}
