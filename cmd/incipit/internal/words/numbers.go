package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Unknown stands for a figure that was not measured.
const Unknown = "-"

// Brief is a number rounded to four digits.
func Brief(x float64) string { return Rounded(x, 4) }

// Rounded is a number rounded to so many digits. What stands before the point is
// written out: 36,000, and not 3.6e+04.
func Rounded(x float64, digits int) string {
	text := strconv.FormatFloat(x, 'g', digits, 64)
	if !strings.Contains(text, "e+") {
		return text
	}
	whole, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(whole) >= 1e15 {
		return text
	}
	return Thousands(int64(whole))
}

// Score is a score that somebody gave, as people write it.
func Score(x float64) string { return Rounded(x, 6) }

// Rating is a mean of ratings from 1 to 5.
func Rating(v *float64) string {
	if v == nil {
		return Unknown
	}
	return fmt.Sprintf("%.2f", *v)
}

// Percent is a part of the whole, from 0 to 1, in percent.
func Percent(v *float64) string {
	if v == nil {
		return Unknown
	}
	return strconv.FormatFloat(math.Round(*v*1e4)/100, 'f', -1, 64) + " %"
}

// Tokens is a number of tokens.
func Tokens(v *int64) string {
	if v == nil {
		return Unknown
	}
	return Thousands(*v)
}

// Milliseconds is a time, given in milliseconds, to three digits or so.
func Milliseconds(v *float64) string {
	switch {
	case v == nil:
		return Unknown
	case *v < 10:
		return fmt.Sprintf("%.1f ms", *v)
	case *v < 1000:
		return fmt.Sprintf("%.0f ms", *v)
	case *v < 100_000:
		return fmt.Sprintf("%.2f s", *v/1000)
	}
	return Thousands(int64(*v/1000)) + " s"
}

// Dollars is an amount of money: in cents, and finer where it is less than a
// dollar.
func Dollars(v *float64) string {
	switch {
	case v == nil:
		return Unknown
	case *v != 0 && math.Abs(*v) < 1:
		return "$" + strconv.FormatFloat(*v, 'f', max(2, 2-int(math.Floor(math.Log10(math.Abs(*v))))), 64)
	}
	cents := int64(math.Round(*v * 100))
	return fmt.Sprintf("$%s.%02d", Thousands(cents/100), cents%100)
}

// Thousands writes a number with a comma before each three digits.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Age is a span of time in its largest whole unit: 24 hours, 30 days.
func Age(d time.Duration) string {
	switch d = d.Truncate(time.Minute); {
	case d >= 48*time.Hour:
		return Count(int(d.Hours()/24), "day")
	case d >= time.Hour:
		return Count(int(d.Hours()), "hour")
	}
	return Count(int(d.Minutes()), "minute")
}

// Hours is a time, given in hours, in its two largest units.
func Hours(h float64) string {
	d := time.Duration(h * float64(time.Hour))
	switch {
	case h >= 24*365:
		return "years"
	case d >= 48*time.Hour:
		return Count(int(math.Round(h/24)), "day")
	case d >= time.Hour:
		return registry.Duration(d.Round(time.Minute)).String()
	}
	return registry.Duration(d.Round(time.Second)).String()
}
