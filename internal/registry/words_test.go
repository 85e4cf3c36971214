package registry

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func aPattern(d dice) string {
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	for {
		s := pick(d, "*", string(first[d.IntN(len(first))]))
		if s == "*" {
			return s
		}
		for range d.few(12) {
			s += string((first + "./-")[d.IntN(len(first)+3)])
		}
		if s += pick(d, "", "*"); s != "on" && s != "in" {
			return s
		}
	}
}

func somePatterns(d dice) []string {
	return times(1+d.IntN(3), func() string { return aPattern(d) })
}

func aGrant(d dice) Grant {
	g := Grant{Permissions: pickSome(d, Permissions()), Environments: somePatterns(d), Prompts: somePatterns(d)}
	if len(g.Permissions) == len(Permissions()) {
		g.Permissions = Permissions() // all of them have one order
	}
	return g
}

func TestGrantsAreReadAsTheyAreSaid(t *testing.T) {
	always(t, func(d dice) string {
		grants := times(1+d.IntN(5), func() Grant { return aGrant(d) })
		for _, text := range []string{GrantWords(grants), strings.ReplaceAll(GrantWords(grants), "; ", "\r\n")} {
			back, err := ParseGrants(text)
			if err != nil || !reflect.DeepEqual(back, grants) {
				return fmt.Sprintf("%q: %v, %v", text, back, err)
			}
		}
		return ""
	})
}

func TestWhatIsNoGrantIsRefused(t *testing.T) {
	for _, text := range []string{"read", "read on *", "on * in *", "read on * in", "fly on * in dev", "read on a*b in dev", strings.Repeat("x", maxGrantBytes+1), strings.Repeat("read on * in *\n", maxGrants+1)} {
		if g, err := ParseGrants(text); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%.40q: %v, %v", text, g, err)
		}
	}
	if g, err := ParseGrants(" \n;"); err != nil || len(g) != 0 {
		t.Errorf("nothing: %v, %v", g, err)
	}
}

func aFreeze(d dice) Freeze {
	var f Freeze
	if d.IntN(2) == 0 {
		f.From = time.Unix(pick(d, 0, 4e9, d.Int64N(4e9)), 0).UTC()
		f.To = f.From.Add(time.Duration(pick(d, 1, 1e6, 1+d.few(1e6-1))) * time.Second)
	} else {
		f.Days = pickSome(d, weekdays())
		f.Start = pick(d, "", "08:00", "16:30")
		f.End = pick(d, "", "18:00", "23:59")
		f.Zone = pick(d, "", "Europe/Berlin", "America/New_York", "GMT-0", "Etc/GMT-5")
	}
	f.Why = pick(d, "", "before the weekend", "see: the calendar")
	return f
}

func TestFreezesAreReadAsTheyAreSaid(t *testing.T) {
	always(t, func(d dice) string {
		f := aFreeze(d)
		for _, text := range []string{f.String(), strings.ReplaceAll(f.String(), "–", "-")} {
			back, err := ParseFreezes("\n" + text + "\r\n")
			if err != nil || len(back) != 1 || !reflect.DeepEqual(back[0], f) {
				return fmt.Sprintf("%q: %+v, %v", text, back, err)
			}
		}
		return ""
	})
}

func TestWhatIsNoFreezeIsRefused(t *testing.T) {
	for _, text := range []string{"soon", "friday", "fri 25:00-26:00", "fri 18:00-16:00", "16:00-18:00", "from 2026-01-01 to 2026-01-02", "from 2026-01-02T00:00:00Z to 2026-01-01T00:00:00Z", "fri Mars/Olympus x", strings.Repeat("fri\n", maxFreezes+1)} {
		if f, err := ParseFreezes(text); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%.40q: %v, %v", text, f, err)
		}
	}
}

func FuzzParseFreezes(f *testing.F) {
	f.Add("fri, sat 16:00–24:00 Europe/Berlin: why")
	f.Add("from 2026-12-20T17:00:00Z to 2027-01-04T06:00:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseFreezes(text)
		if err != nil {
			return
		}
		for _, one := range all {
			if err := (Environment{Freeze: []Freeze{one}}).Validate(); err != nil {
				t.Errorf("%q is read as %+v: %v", text, one, err)
			}
		}
	})
}

func FuzzParseGrants(f *testing.F) {
	f.Add("read,deploy on billing/* in staging; all on * in *")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseGrants(text)
		if err != nil {
			return
		}
		if again, err := ParseGrants(GrantWords(all)); err != nil || GrantWords(again) != GrantWords(all) {
			t.Errorf("%q is read as %q, and that as %q: %v", text, GrantWords(all), GrantWords(again), err)
		}
	})
}

func TestRulesAreSaidInWords(t *testing.T) {
	e := Environment{Name: "production", Protected: true, Reason: true, After: "staging", Require: []string{"tests"}, Approvals: 2, Freeze: []Freeze{{Days: []string{"fri"}, Start: "16:00"}}}
	if got := strings.Join(e.Rules(), "; "); got != "protected; asks for a reason; after staging; evidence of tests; 2 approvals; frozen fri 16:00–24:00 UTC" {
		t.Error(got)
	}
	was := e.Seen()
	if e.Approvals = 1; e.Seen() == was || len(was) != 24 || !strings.HasSuffix(strings.Join(e.Rules(), ";"), "1 approval;frozen fri 16:00–24:00 UTC") {
		t.Error("other rules look alike")
	}
}

func TestAFilterThatNobodyMeantIsRefused(t *testing.T) {
	now := time.Unix(1e9, 0)
	for name, f := range map[string]EventFilter{"long": {Actor: strings.Repeat("a", 301)}, "unseen": {Prompt: "a\u202eb"}, "backwards": {From: now, To: now}} {
		if err := f.Validate(); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (EventFilter{Actor: "ada", From: now, To: now.Add(1)}).Validate(); err != nil {
		t.Error(err)
	}
}
