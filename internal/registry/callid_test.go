package registry

import (
	"regexp"
	"testing"
	"testing/quick"
	"time"
)

func TestACallIDIsTheOneOfTheStandard(t *testing.T) {
	tests := []struct {
		name   string
		at     time.Time
		random [10]byte
		want   string
	}{
		{"the example of RFC 9562, appendix A.6", time.Date(2022, 2, 22, 14, 22, 22, 0, time.FixedZone("", -5*3600)), [10]byte{0xc, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f}, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"},
		{"the first", time.Unix(0, 0), [10]byte{}, "00000000-0000-7000-8000-000000000000"},
		{"what is below a millisecond takes no part", time.Unix(0, 999_999), [10]byte{}, "00000000-0000-7000-8000-000000000000"},
		{"a millisecond", time.Unix(0, 1_000_000), [10]byte{}, "00000000-0001-7000-8000-000000000000"},
		{"bits where the version stands are lost", time.Unix(0, 0), [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "00000000-0000-7fff-bfff-ffffffffffff"},
		{"the last", time.UnixMilli(1<<48 - 1), [10]byte{}, "ffffffff-ffff-7000-8000-000000000000"},
	}
	for _, tt := range tests {
		if got := NewCallID(tt.at, tt.random); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCallIDsAreInTheOrderOfTheirMilliseconds(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	law := func(ms, later uint32, a, b [10]byte) bool {
		at := time.UnixMilli(1_700_000_000_000 + int64(ms))
		x, y, z := NewCallID(at, a), NewCallID(at, b), NewCallID(at.Add(time.Duration(later)*time.Millisecond+time.Millisecond), b)
		masked := func(r [10]byte) [10]byte { r[0] &= 0x0f; r[2] &= 0x3f; return r }
		return form.MatchString(x) && x < z && x[:13] == y[:13] && (x == y) == (masked(a) == masked(b))
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}
