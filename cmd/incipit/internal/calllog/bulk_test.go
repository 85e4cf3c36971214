package calllog

import (
	"slices"
	"testing"
	"time"
)

func TestPlaceholders(t *testing.T) {
	if got := values(2, 3); got != "($1,$2,$3),($4,$5,$6)" {
		t.Error(got)
	}
	if got := tuples(2, "$,CAST($ AS BIGINT)"); got != "($1,CAST($2 AS BIGINT)),($3,CAST($4 AS BIGINT))" {
		t.Error(got)
	}
	for text, want := range map[string]string{
		"SELECT 1":                "SELECT 1",
		"VALUES ($1,$2), ($3)":    "VALUES (?,?), (?)",
		"a = $1 OR b = $1":        "a = $1 OR b = $1", // one value, twice
		"a = $2 AND b = $1":       "a = $2 AND b = $1",
		values(4, 3) + " LIMIT 1": "(?,?,?),(?,?,?),(?,?,?),(?,?,?) LIMIT 1",
	} {
		if got := unnumbered(text); got != want {
			t.Errorf("%s becomes %s", text, got)
		}
	}
}

func TestPiecesAreAllOfIt(t *testing.T) {
	for n := range 300 {
		var got []int
		if err := pieces(n, func(from, to int) error {
			for i := from; i < to; i++ {
				got = append(got, i)
			}
			return nil
		}, 64, 8, 1); err != nil {
			t.Fatal(err)
		}
		if len(got) != n || !slices.IsSorted(got) {
			t.Fatalf("%d: %v", n, got)
		}
	}
}

func TestADayIsOneInUTC(t *testing.T) {
	for _, c := range []struct {
		at     string
		name   string
		number int64
	}{
		{"2026-11-22T00:00:00Z", "20261122", 20261122},
		{"2026-11-22T23:59:59.999999Z", "20261122", 20261122},
		{"2026-11-22T23:30:00-01:00", "20261123", 20261123},
		{"1969-12-31T23:59:59Z", "19691231", 19691231},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		d := dayOf(at)
		back, err := dayNumbered(d.number())
		if err != nil || back != d || d.String() != c.name || d.number() != c.number || at.Before(d.begin()) || !at.Before(d.end()) {
			t.Errorf("%s: %s, %d, %v, %v", c.at, d, d.number(), back, err)
		}
	}
	if _, err := dayNumbered(20261301); err == nil {
		t.Error("there is no thirteenth month")
	}
}
