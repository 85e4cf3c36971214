package otlp

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// attributes are what a span or a resource says, by name.
type attributes map[string]pcommon.Value

// gather takes attributes by name. Of two with one name the first counts.
func gather(m pcommon.Map) attributes {
	a := make(attributes, m.Len())
	for name, v := range m.All() {
		if _, twice := a[name]; !twice {
			a[name] = v
		}
	}
	return a
}

// text is the first of the attributes that is there and not empty.
func (a attributes) text(names ...string) string {
	for _, name := range names {
		if v, ok := a[name]; ok {
			if s := textOf(v); s != "" {
				return s
			}
		}
	}
	return ""
}

// textOf writes a plain value; a list is its first element, and what is not
// plain is "". A version may be a number: 3 and 3.0 are "3".
func textOf(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str()
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case pcommon.ValueTypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool())
	case pcommon.ValueTypeSlice:
		if v.Slice().Len() > 0 && v.Slice().At(0).Type() == pcommon.ValueTypeStr {
			return v.Slice().At(0).Str()
		}
	case pcommon.ValueTypeEmpty, pcommon.ValueTypeMap, pcommon.ValueTypeBytes:
	}
	return ""
}

// A reading is one span on its way to be a call.
type reading struct {
	attributes
	resource  attributes
	span      ptrace.Span
	rejection *registry.Rejection // the first thing that was wrong
}

func newReading(sp ptrace.Span, resource attributes) *reading {
	r := &reading{attributes: gather(sp.Attributes()), resource: resource, span: sp}
	r.unfold(usageDetails)
	r.unfold(costDetails)
	return r
}

// maxDetails is how long a text of members may be: as members it takes twenty
// times that.
const maxDetails = 16 << 10

// unfold makes the members of an attribute that is a JSON object, as text or as
// it is, attributes of their own. What is not readable tells nothing.
func (r *reading) unfold(name string) {
	v, ok := r.attributes[name]
	switch {
	case !ok:
	case v.Type() == pcommon.ValueTypeMap:
		for key, member := range v.Map().All() {
			r.attributes[name+"."+key] = member
		}
	case v.Type() == pcommon.ValueTypeStr && len(v.Str()) <= maxDetails:
		var members map[string]any
		d := json.NewDecoder(bytes.NewReader([]byte(v.Str())))
		d.UseNumber()
		if d.Decode(&members) != nil {
			return
		}
		for key, member := range members {
			if n, ok := member.(json.Number); ok {
				r.attributes[name+"."+key] = pcommon.NewValueStr(n.String())
			}
		}
	}
}

// refuse notes why the span is no call. The first reason stands.
func (r *reading) refuse(why *registry.Rejection) {
	if r.rejection == nil {
		r.rejection = why
	}
}

// number is the first of the attributes that is there, and its name. Numbers
// come as text, too. What is no number refuses the span: it must not be taken
// for "not measured".
func (r *reading) number(names ...string) (n float64, name string) {
	for _, name := range names {
		v, ok := r.attributes[name]
		if !ok {
			continue
		}
		told := strings.TrimSpace(textOf(v))
		if told == "" {
			continue
		}
		n, err := strconv.ParseFloat(told, 64)
		if err != nil && !math.IsInf(n, 0) { // 1e999 is a number, and too large
			r.refuse(registry.Reject(registry.RejectMalformed, "%s is %q, which is no number", name, prompt.Clip(told, 40)))
			return 0, ""
		}
		return n, name
	}
	return 0, ""
}

// measured is a number as a call has it. The converters of package registry say
// what cannot be, as they do for calls in JSON.
func measured[T any](r *reading, convert func(string, float64) (T, *registry.Rejection), names ...string) registry.Opt[T] {
	n, name := r.number(names...)
	if name == "" {
		return registry.Opt[T]{}
	}
	v, refused := convert(name, n)
	if refused != nil {
		r.refuse(refused)
		return registry.Opt[T]{}
	}
	return registry.Some(v)
}

// seconds is a time that is told in seconds.
func seconds(name string, s float64) (time.Duration, *registry.Rejection) {
	return registry.Milliseconds(name+" in ms", s*1000)
}

// content is the first of the attributes that is there, as text. A structured
// one is written as JSON. Check refuses what is too long, or has characters that
// are none of a text; a call is not refused for what is most likely not kept, so
// it is cut, and such characters become U+FFFD.
func (r *reading) content(names ...string) string {
	for _, name := range names {
		v, ok := r.attributes[name]
		if !ok {
			continue
		}
		s := v.AsString()
		if s == "" {
			continue
		}
		s = strings.Map(func(c rune) rune { // it takes a byte that is not UTF-8 for U+FFFD
			if unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' {
				return utf8.RuneError
			}
			return c
		}, s)
		if len(s) > registry.MaxContent {
			s = strings.ToValidUTF8(s[:registry.MaxContent], "")
		}
		return s
	}
	return ""
}

// times are the beginning and the end, and how long it took. OTLP counts
// nanoseconds since 1970; we keep whole microseconds.
func (r *reading) times() (start time.Time, took time.Duration) {
	from, to := r.span.StartTimestamp(), r.span.EndTimestamp()
	switch {
	case from == 0:
		r.refuse(registry.Reject(registry.RejectMissing, "the span has no beginning"))
	case to == 0:
		r.refuse(registry.Reject(registry.RejectMissing, "the span has no end"))
	case from > math.MaxInt64 || to > math.MaxInt64:
		r.refuse(registry.Reject(registry.RejectRange, "the span's times lie after the year 2262"))
	}
	if r.rejection != nil {
		return time.Time{}, 0
	}
	return from.AsTime().Truncate(time.Microsecond), time.Duration(int64(to) - int64(from)).Truncate(time.Microsecond)
}
