package words

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func TestFiguresAreWrittenWithTheirUnits(t *testing.T) {
	for want, got := range map[string]string{
		"-":          Milliseconds(nil) + strings.TrimPrefix(Dollars(nil), "-") + strings.TrimPrefix(Percent(nil), "-") + strings.TrimPrefix(Tokens(nil), "-") + strings.TrimPrefix(Rating(nil), "-"),
		"0.0 ms":     Milliseconds(new(0.0)),
		"0.5 ms":     Milliseconds(new(0.5)),
		"812 ms":     Milliseconds(new(812.4)),
		"1.90 s":     Milliseconds(new(1896.0)),
		"86,400 s":   Milliseconds(new(86_400_000.0)),
		"0 %":        Percent(new(0.0)),
		"33.33 %":    Percent(new(1.0 / 3)),
		"100 %":      Percent(new(1.0)),
		"$0.00":      Dollars(new(0.0)),
		"$0.00243":   Dollars(new(0.00243)),
		"$0.500":     Dollars(new(0.5)),
		"$2.00":      Dollars(new(1.999)),
		"$1,234.50":  Dollars(new(1234.5)),
		"0":          Thousands(0),
		"999":        Thousands(999),
		"1,000":      Thousands(1000),
		"-1,234,567": Thousands(-1_234_567),
		"59 minutes": Age(59*time.Minute + 59*time.Second),
		"24 hours":   Age(24*time.Hour + time.Minute),
		"30 days":    Age(30*24*time.Hour + time.Minute),
		"1 minute":   Age(time.Minute),
		"3.142":      Brief(math.Pi),
		"9999":       Brief(9999),
		"36,000":     Brief(36_000.4),
		"123,500":    Brief(123_456),
		"-20,000":    Brief(-19_999.6),
		"1.2e-07":    Brief(1.2e-7),
		"1e+300":     Brief(1e300),
		"+Inf":       Brief(math.Inf(1)),
		"1,230":      Rounded(1234.5, 3),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestThousandsKeepTheDigits(t *testing.T) {
	law := func(n int64) bool {
		s := Thousands(n)
		for part := range strings.SplitSeq(strings.TrimPrefix(s, "-"), ",") {
			if len(part) > 3 || len(part) == 0 {
				return false
			}
		}
		return strings.ReplaceAll(s, ",", "") == strconv.FormatInt(n, 10)
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}
