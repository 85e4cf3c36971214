package registry

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The limits of a call. Texts are in bytes.
const (
	MaxLatency = 24 * time.Hour
	MaxTokens  = 1_000_000_000
	MaxCost    = NanoUSD(1e6 * 1e9)
	MaxContent = 64 << 10 // of input and of output, as they are sent
	MaxAhead   = 10 * time.Minute

	maxName       = 128
	maxRollout    = 512 // a salt holds the id of its prompt
	maxPrompt     = 300
	maxResponseID = 256
	maxSubject    = 1024
	maxTags       = 32
	maxTagKey     = 64
	maxTagValue   = 256
)

// Milliseconds is the time that a field of that name tells, in whole
// microseconds. It refuses what is no time of a call: NaN, too.
func Milliseconds(field string, ms float64) (time.Duration, *Rejection) {
	const most = float64(MaxLatency / time.Millisecond)
	if !(ms >= 0 && ms <= most) { // NaN is neither
		return 0, outOfRange(field, ms, 0, most)
	}
	return time.Duration(math.Round(ms*1000)) * time.Microsecond, nil
}

// Dollars is the cost that a field tells, in whole billionths.
func Dollars(field string, usd float64) (NanoUSD, *Rejection) {
	const most = float64(MaxCost) / 1e9
	if !(usd >= 0 && usd <= most) {
		return 0, outOfRange(field, usd, 0, most)
	}
	return NanoUSD(math.Round(usd * 1e9)), nil
}

// Percent is the share that a field tells. What a program computed as
// 7.000000000000001 is 7.
func Percent(field string, percent float64) (Share, *Rejection) {
	if !(percent >= 0 && percent <= 100) {
		return 0, outOfRange(field, percent, 0, 100)
	}
	n := math.Round(percent * (Scale / 100))
	if math.Abs(percent*(Scale/100)-n) > 1e-6 {
		return 0, Reject(RejectRange, "%s is %s; it may have three decimals", field, number(percent))
	}
	return Share(n), nil
}

// Tokens is the count that a field tells: 5.0 is 5, and 5.5 is none.
func Tokens(field string, n float64) (int64, *Rejection) {
	if !(n >= 0 && n <= MaxTokens) {
		return 0, outOfRange(field, n, 0, MaxTokens)
	}
	if n != math.Trunc(n) {
		return 0, Reject(RejectRange, "%s is %s; it must be a whole number", field, number(n))
	}
	return int64(n), nil
}

// Satisfaction is the rating that a field tells, from 1 to 5.
func Satisfaction(field string, v float64) (float64, *Rejection) {
	if !(v >= 1 && v <= 5) {
		return 0, outOfRange(field, v, 1, 5)
	}
	return v, nil
}

// number is n as people write it: not with an exponent, unless it is huge.
func number(n float64) string {
	switch {
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case math.Abs(n) < 1e15:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func outOfRange(field string, n, least, most float64) *Rejection {
	return Reject(RejectRange, "%s is %s; it must be from %s to %s", field, number(n), number(least), number(most))
}

// Reject refuses a call. Texts of others that stand in the reason are quoted or
// clipped by whoever refuses.
func Reject(code, format string, args ...any) *Rejection {
	return &Rejection{Code: code, Reason: fmt.Sprintf(format, args...)}
}
