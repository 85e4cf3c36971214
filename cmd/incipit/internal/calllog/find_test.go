package calllog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestFindAmongSeveralDays(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(20)
		calls := s.calls(200, db.Clock.Now(), 9*24*time.Hour)
		add(t, l, calls)
		for _, want := range calls {
			refs := []string{want.ID.String(), strings.ToUpper(want.ID.String())}
			if want.ResponseID != "" {
				refs = append(refs, want.ResponseID)
			}
			for _, ref := range refs {
				got, feedback, err := l.Find(t.Context(), ref, anyone)
				if err != nil || len(feedback) != 0 {
					t.Fatalf("%s: %v, %v", ref, feedback, err)
				}
				if d := cmp.Diff(*want, got.Call, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("%s:\n%s", ref, d)
				}
				if got.Seq == 0 || got.Subject != entriesOf([]*registry.Call{want})[0].Subject {
					t.Errorf("%+v", got)
				}
			}
		}
		for _, ref := range []string{"", "resp_none", s.id(db.Clock.Now()).String(), s.id(db.Clock.Now().Add(-100 * 24 * time.Hour)).String(), strings.Repeat("x", 10_000), "'; --"} {
			if _, _, err := l.Find(t.Context(), ref, anyone); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%.40q: %v", ref, err)
			}
		}
	})
}

func TestOfCallsWithOneResponseTheNewestIsFound(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(21)
		calls := s.calls(3, db.Clock.Now(), time.Second)
		for i, age := range []int{5, 2, 3} {
			calls[i].ID, calls[i].ResponseID = s.id(db.Clock.Now().Add(-time.Duration(age)*24*time.Hour)), "resp_same"
		}
		add(t, l, calls)
		got, _, err := l.Find(t.Context(), "resp_same", anyone)
		if err != nil || got.Call.ID != calls[1].ID {
			t.Errorf("%v, %v", got.Call.ID, err)
		}
	})
}

func TestAResponseMayHaveTheIDOfACall(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(22)
		c := s.call(db.Clock.Now())
		c.ResponseID = s.id(db.Clock.Now()).String()
		add(t, l, []*registry.Call{c})
		if got, _, err := l.Find(t.Context(), c.ResponseID, anyone); err != nil || got.Call.ID != c.ID {
			t.Errorf("%v, %v", got.Call.ID, err)
		}
	})
}

func TestFeedbackIsFoundWithTheCall(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		c := newSource(23).call(db.Clock.Now())
		add(t, l, []*registry.Call{c})
		var want []registry.Feedback
		for _, f := range []registry.Feedback{{Value: 4, Comment: "good", By: "ui"}, {Name: "relevance", Value: 0.25, By: "judge"}} {
			f.At = db.Clock.Now().Truncate(time.Microsecond)
			if _, err := l.Rate(t.Context(), Rating{Ref: c.ID.String(), Feedback: f, Grants: everywhere()}); err != nil {
				t.Fatal(err)
			}
			want = append(want, f)
		}
		got, feedback, err := l.Find(t.Context(), c.ID.String(), anyone)
		if err != nil || got.Call.Satisfaction != registry.Some(4.0) {
			t.Errorf("%+v, %v", got.Call.Satisfaction, err)
		}
		if d := cmp.Diff(want, feedback); d != "" {
			t.Error(d)
		}
	})
}
