package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func frozen(f Freeze, at time.Time) bool {
	_, is := Environment{Name: "production", Freeze: []Freeze{{From: at.Add(-2 * time.Hour), To: at.Add(-time.Hour)}, f}}.Frozen(at)
	return is
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The first second of a freeze is in it, the first one after it is not,
// whatever zone the times are written in.
func TestAFreezeHoldsFromItsFirstSecondToItsLast(t *testing.T) {
	law := func(from int32, length uint16, offset int8) bool {
		zone := time.FixedZone("", int(offset)*15*60)
		f := Freeze{From: time.Unix(int64(from), 0).In(zone)}
		f.To = f.From.Add(time.Duration(length)*time.Second + time.Second)
		if (Environment{Freeze: []Freeze{f}}).Validate() != nil {
			return false
		}
		return !frozen(f, f.From.Add(-time.Second)) && !frozen(f, f.From.Add(-1)) && frozen(f, f.From) && frozen(f, f.From.UTC()) &&
			frozen(f, f.To.Add(-time.Second)) && frozen(f, f.To.Add(-1)) && !frozen(f, f.To) && !frozen(f, f.To.Add(time.Second))
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

// A clock on the wall of the zone decides, and nothing else.
func TestAWeeklyFreezeIsReadOffTheClockOfItsZone(t *testing.T) {
	zones := []string{"", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns", "Africa/Casablanca"}
	held := 0
	law := func(sec uint32, days uint8, a, b uint16, z uint8, whole bool) bool {
		f := Freeze{Zone: zones[int(z)%len(zones)]}
		for i, d := range weekdays() {
			if days>>i&1 == 1 {
				f.Days = append(f.Days, d)
			}
		}
		if len(f.Days) == 0 {
			f.Days = weekdays()
		}
		if start, end := min(a%1440, b%1440), max(a%1440, b%1440)+1; !whole {
			f.Start, f.End = fmt.Sprintf("%02d:%02d", start/60, start%60), fmt.Sprintf("%02d:%02d", end/60, end%60)
		}
		if err := (Environment{Freeze: []Freeze{f}}).Validate(); err != nil {
			t.Log(err)
			return false
		}
		zone, err := time.LoadLocation(f.Zone)
		if err != nil {
			t.Log(err)
			return false
		}
		at := time.Unix(int64(sec), 0)
		day, clock := strings.ToLower(at.In(zone).Format("Mon")), at.In(zone).Format("15:04")
		want := strings.Contains(strings.Join(f.Days, " "), day) && (whole || f.Start <= clock && clock < f.End)
		if want {
			held++
		}
		return frozen(f, at) == want && frozen(f, at.UTC()) == want
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
	if held < 1000 {
		t.Errorf("only %d of the times were frozen: the law was hardly asked", held)
	}
}

func TestAWeeklyFreezeAtItsEdges(t *testing.T) {
	berlin := func(days, start, end string) Freeze {
		return Freeze{Days: strings.Fields(days), Start: start, End: end, Zone: "Europe/Berlin"}
	}
	tests := []struct {
		name   string
		freeze Freeze
		at     map[string]bool
	}{
		{"an afternoon", berlin("fri", "16:00", "18:30"), map[string]bool{
			"2026-01-02T14:59:59Z": false, "2026-01-02T15:00:00Z": true, "2026-01-02T15:00:01Z": true,
			"2026-01-02T17:29:59Z": true, "2026-01-02T17:30:00Z": false, "2026-01-02T17:30:01Z": false, "2026-01-01T15:30:00Z": false,
		}},
		{"to the end of the day", berlin("fri", "16:00", ""), map[string]bool{"2026-01-02T22:59:59Z": true, "2026-01-02T23:00:00Z": false}},
		{"to 24:00 is the same", berlin("fri", "16:00", "24:00"), map[string]bool{"2026-01-02T22:59:59Z": true, "2026-01-02T23:00:00Z": false}},
		{"from the begin of the day", berlin("fri", "", "08:00"), map[string]bool{"2026-01-01T22:59:59Z": false, "2026-01-01T23:00:00Z": true, "2026-01-02T06:59:59Z": true, "2026-01-02T07:00:00Z": false}},
		{"a weekend is one piece", berlin("sat sun", "", ""), map[string]bool{
			"2026-01-02T22:59:59Z": false, "2026-01-02T23:00:00Z": true, "2026-01-03T23:00:00Z": true, "2026-01-04T22:59:59Z": true, "2026-01-04T23:00:00Z": false,
		}},
		{"the hour that a spring morning lacks", berlin("sun", "02:00", "03:00"), map[string]bool{"2026-03-29T00:59:59Z": false, "2026-03-29T01:00:00Z": false, "2026-03-29T01:59:59Z": false}},
		{"an afternoon of summer time", berlin("sun", "16:00", "17:00"), map[string]bool{"2026-03-29T13:59:59Z": false, "2026-03-29T14:00:00Z": true, "2026-03-29T15:00:00Z": false}},
		{"the hour that an autumn night has twice", berlin("sun", "02:00", "03:00"), map[string]bool{
			"2026-10-24T23:59:59Z": false, "2026-10-25T00:00:00Z": true, "2026-10-25T00:59:59Z": true, "2026-10-25T01:00:00Z": true, "2026-10-25T01:59:59Z": true, "2026-10-25T02:00:00Z": false,
		}},
		{"a day that begins 14 hours earlier", Freeze{Days: []string{"fri"}, Zone: "Pacific/Kiritimati"}, map[string]bool{"2026-01-01T09:59:59Z": false, "2026-01-01T10:00:00Z": true, "2026-01-02T09:59:59Z": true, "2026-01-02T10:00:00Z": false}},
		{"UTC where no zone is said", Freeze{Days: []string{"fri"}}, map[string]bool{"2026-01-01T23:59:59Z": false, "2026-01-02T00:00:00Z": true, "2026-01-02T23:59:59Z": true, "2026-01-03T00:00:00Z": false}},
	}
	for _, tt := range tests {
		if err := (Environment{Freeze: []Freeze{tt.freeze}}).Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for at, want := range tt.at {
			if got := frozen(tt.freeze, instant(t, at)); got != want {
				t.Errorf("%s: at %s it is %v", tt.name, at, got)
			}
		}
	}
}

// A database may come to a machine that does not know the zone any more.
func TestAFreezeThatCannotBeReadHolds(t *testing.T) {
	at := instant(t, "2026-01-02T12:00:00Z") // a friday
	for _, f := range []Freeze{
		{Days: []string{"mon"}, Zone: "Mars/Olympus_Mons"},
		{Days: []string{"mon"}, Zone: "../../etc/passwd"},
		{Days: []string{"fri"}, Start: "25:00"},
		{Days: []string{"fri"}, End: "soon"},
	} {
		if !frozen(f, at) {
			t.Errorf("%s opens the door", f)
		}
	}
}

func TestTheFirstFreezeThatHoldsIsNamed(t *testing.T) {
	e := Environment{Freeze: []Freeze{{Days: []string{"mon"}}, {Days: []string{"fri"}, Start: "16:00", Zone: "Europe/Berlin", Why: "weekend"}, {Days: []string{"fri"}, Why: "other"}}}
	f, is := e.Frozen(instant(t, "2026-01-02T16:00:00Z"))
	if !is || f.Why != "weekend" || f.String() != "fri 16:00–24:00 Europe/Berlin: weekend" {
		t.Errorf("%v, %s", is, f)
	}
	if f, is := e.Frozen(instant(t, "2026-01-01T12:00:00Z")); is || f.String() != (Freeze{}).String() {
		t.Errorf("on a thursday: %s", f)
	}
	once := Freeze{From: instant(t, "2026-12-20T18:00:00+01:00"), To: instant(t, "2027-01-04T06:00:00Z")}
	if s := once.String(); s != "from 2026-12-20T17:00:00Z to 2027-01-04T06:00:00Z" {
		t.Error(s)
	}
}

func TestEnvironmentRulesThatCannotBeKeptAreRefused(t *testing.T) {
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	days := []string{"fri"}
	tests := []struct {
		name string
		env  Environment
		says string // "" is valid
	}{
		{"no rule", Environment{Name: "dev"}, ""},
		{"every rule", Environment{Name: "production", Protected: true, Reason: true, After: "staging", Require: []string{"tests", "review-2"}, Approvals: 10, Freeze: []Freeze{{Days: days, Start: "00:00", End: "24:00", Zone: "Europe/Berlin"}}}, ""},
		{"it comes after itself", Environment{Name: "dev", After: "dev"}, "after itself"},
		{"fewer than no approvals", Environment{Approvals: -1}, "0 to 10"},
		{"more than ten", Environment{Approvals: 11}, "0 to 10"},
		{"evidence that nobody can file", Environment{Require: []string{"Unit Tests"}}, "no kind of evidence"},
		{"evidence without a name", Environment{Require: []string{""}}, "no kind of evidence"},
		{"the same evidence twice", Environment{Require: []string{"tests", "tests"}}, "named twice"},
		{"a freeze of no time", Environment{Freeze: []Freeze{{}}}, "from and a later to"},
		{"a freeze without an end", Environment{Freeze: []Freeze{{From: day}}}, "from and a later to"},
		{"a freeze without a begin", Environment{Freeze: []Freeze{{To: day}}}, "from and a later to"},
		{"a freeze that ends as it begins", Environment{Freeze: []Freeze{{From: day, To: day}}}, "from and a later to"},
		{"a freeze that ends before", Environment{Freeze: []Freeze{{From: day, To: day.Add(-1)}}}, "from and a later to"},
		{"days and a time", Environment{Freeze: []Freeze{{Days: days, From: day}}}, "not both"},
		{"days and an end", Environment{Freeze: []Freeze{{Days: days, To: day}}}, "not both"},
		{"a time of day without days", Environment{Freeze: []Freeze{{From: day, To: day.Add(1), Start: "10:00"}}}, "go with days"},
		{"a zone without days", Environment{Freeze: []Freeze{{From: day, To: day.Add(1), Zone: "UTC"}}}, "go with days"},
		{"a day in full", Environment{Freeze: []Freeze{{Days: []string{"friday"}}}}, `"friday" is no day`},
		{"a day in capitals", Environment{Freeze: []Freeze{{Days: []string{"Fri"}}}}, `"Fri" is no day`},
		{"the second freeze is looked at, too", Environment{Freeze: []Freeze{{Days: days}, {Days: []string{"x"}}}}, `"x" is no day`},
		{"a zone that is not known", Environment{Freeze: []Freeze{{Days: days, Zone: "Mars/Olympus_Mons"}}}, "no time zone"},
		{"the zone of whatever machine", Environment{Freeze: []Freeze{{Days: days, Zone: "Local"}}}, "no time zone"},
		{"an hour that there is not", Environment{Freeze: []Freeze{{Days: days, Start: "24:01"}}}, "no time of day"},
		{"an end that is no time", Environment{Freeze: []Freeze{{Days: days, End: "16:00:00"}}}, "no time of day"},
		{"over midnight", Environment{Freeze: []Freeze{{Days: days, Start: "22:00", End: "06:00"}}}, "not after its start"},
		{"of no length", Environment{Freeze: []Freeze{{Days: days, Start: "22:00", End: "22:00"}}}, "not after its start"},
		{"from the day's end", Environment{Freeze: []Freeze{{Days: days, Start: "24:00"}}}, "not after its start"},
	}
	for _, tt := range tests {
		err := tt.env.Validate()
		if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want something of %q", tt.name, err, tt.says)
		}
	}
}
