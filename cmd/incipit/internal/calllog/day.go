package calllog

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A day is a day in UTC: the days since 1970.
type day int32

const secondsOfDay = 24 * 60 * 60

func dayOf(t time.Time) day {
	s := t.Unix()
	d := s / secondsOfDay
	if s%secondsOfDay < 0 {
		d--
	}
	return day(d)
}

// begin is the first moment of the day, end that of the next one.
func (d day) begin() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }
func (d day) end() time.Time   { return (d + 1).begin() }

// String is the day as names of tables and files have it: 20261122.
func (d day) String() string { return d.begin().Format("20060102") }

// number is String as a number: as the common tables have it.
func (d day) number() int64 {
	y, m, n := d.begin().Date()
	return int64(y)*10_000 + int64(m)*100 + int64(n)
}

// dayNumbered is the day that number names.
func dayNumbered(n int64) (day, error) {
	t, err := time.Parse("20060102", strconv.FormatInt(n, 10))
	if err != nil {
		return 0, registry.Errorf(registry.ErrUnavailable, "the call log names a day that is none: %d", n)
	}
	return dayOf(t), nil
}

// sql puts the day into a text: {day} becomes 20261122.
func (d day) sql(text string) string { return strings.ReplaceAll(text, "{day}", d.String()) }

// liveDays are those that are not retired, the oldest first.
func liveDays(ctx context.Context, q querier) ([]day, error) {
	var out []day
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var n int64
		if err := rs.Scan(&n); err != nil {
			return err
		}
		d, err := dayNumbered(n)
		out = append(out, d)
		return err
	}, `SELECT day FROM call_day WHERE NOT retired ORDER BY day`)
	return out, err
}
