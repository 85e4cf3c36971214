package guard

import (
	"fmt"
	"math"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Metric is something that a candidate can be worse at.
type Metric uint8

// The metrics. All but the last are known when the call ends.
const (
	Errors Metric = iota
	Latency
	FirstToken
	Tokens
	Cost
	Satisfaction
)

const (
	metrics   = 6
	immediate = 5 // known when the call ends
)

// Metrics are all of them.
func Metrics() []Metric {
	return []Metric{Errors, Latency, FirstToken, Tokens, Cost, Satisfaction}
}

func (m Metric) String() string {
	if int(m) >= metrics {
		return fmt.Sprintf("metric %d", uint8(m))
	}
	return [metrics]string{"errors", "latency", "first_token", "tokens", "cost", "satisfaction"}[m]
}

// widest is how far the means of two arms can be apart at most: shares of errors
// are from 0 to 1, ratings from 1 to 5.
func (m Metric) widest() float64 {
	switch m {
	case Errors:
		return 1
	case Satisfaction:
		return 4
	}
	return math.Inf(1)
}

// A Set is a set of metrics.
type Set uint8

// everything is the set of all metrics.
const everything Set = 1<<metrics - 1

// All is the set of all metrics.
func All() Set { return everything }

// Of is the set of the metrics given.
func Of(list ...Metric) Set {
	var s Set
	for _, m := range list {
		s |= 1 << m
	}
	return s
}

// Has reports whether m is in the set.
func (s Set) Has(m Metric) bool { return s>>m&1 == 1 }

// List are the members, in the order of Metrics.
func (s Set) List() []Metric {
	var list []Metric
	for _, m := range Metrics() {
		if s.Has(m) {
			list = append(list, m)
		}
	}
	return list
}

func (s Set) String() string {
	var names []string
	for _, m := range s.List() {
		names = append(names, m.String())
	}
	return strings.Join(names, ",")
}

// MarshalText writes a set as its names.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads names; none is the empty set.
func (s *Set) UnmarshalText(text []byte) (err error) {
	if *s = 0; len(text) > 0 {
		*s, err = ParseSet(string(text))
	}
	return err
}

// ParseSet reads names with commas between them: a metric's own, or its column's
// in CSV.
func ParseSet(text string) (Set, error) {
	var s Set
names:
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		for _, m := range Metrics() {
			if name == m.String() || name == columns[metricColumn[m]] {
				s |= Of(m)
				continue names
			}
		}
		return 0, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "there is no metric %q", prompt.Clip(name, 40)), "metrics are %s", everything)
	}
	return s, nil
}
