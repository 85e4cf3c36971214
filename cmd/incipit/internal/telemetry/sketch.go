package telemetry

import (
	"errors"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Buckets grow by 2^(1/32), as those of OpenTelemetry's exponential histograms
// of scale 5 do. A number is told as the middle of its bucket, so it is wrong by
// at most 1 - 2/(1+2^(1/32)), which is 1.084 %.
const bucketsPerDoubling = 32

// The buckets there are: in milliseconds they reach from one microsecond to 37
// hours. A store has room for all of them, so it never collapses any, and merges
// give the same in every order.
const (
	lowestBucket  = -10 * bucketsPerDoubling
	highestBucket = 27*bucketsPerDoubling - 1

	smallest = 0.001
	largest  = 1<<27 - 1
)

// mostCounted is how far float64, which the library counts in, is exact.
const mostCounted = 1 << 53

// A Sketch keeps the distribution of numbers from 0 to 2^27: quantiles are
// within 1.1 % of exact ones, also after merges. It has a few hundred bytes on
// disk and a few thousand in memory, however many numbers it holds.
//
// The zero Sketch is empty. A copy shares its counts with the original; Merge
// into an empty one makes a sketch of its own.
type Sketch struct {
	dd *ddsketch.DDSketch // nil if it is empty
}

// Add counts a number. What is below 0.001, or no number, counts as 0; what is
// above 2^27, as 2^27.
func (s *Sketch) Add(v float64) {
	s.init()
	if !(v >= smallest) { // NaN, too
		v = 0
	} else if v > largest {
		v = largest
	}
	if err := s.dd.Add(v); err != nil {
		panic("telemetry: " + err.Error()) // none of 0 to 2^27 is refused
	}
}

func (s *Sketch) init() {
	if s.dd != nil {
		return
	}
	m, err := mapping.NewLogarithmicMappingWithGamma(math.Exp2(1.0/bucketsPerDoubling), 0)
	if err != nil {
		panic("telemetry: " + err.Error()) // only of a base that is not above 1
	}
	const buckets = highestBucket - lowestBucket + 1
	s.dd = ddsketch.NewDDSketch(m, store.NewCollapsingLowestDenseStore(buckets), store.NewCollapsingLowestDenseStore(1))
}

// Merge adds what o counted. o stays as it is.
func (s *Sketch) Merge(o *Sketch) {
	if o.dd == nil {
		return
	}
	s.init()
	if err := s.dd.MergeWith(o.dd); err != nil {
		panic("telemetry: " + err.Error()) // only of another base
	}
}

// Count is how many numbers were added.
func (s *Sketch) Count() int64 {
	if s.dd == nil {
		return 0
	}
	return int64(s.dd.GetCount())
}

// Quantile is the smallest number that at least q of all are not above, for q
// from 0 to 1, and false of an empty sketch: p99 of two numbers is the larger.
func (s *Sketch) Quantile(q float64) (float64, bool) {
	n := float64(s.Count())
	if n == 0 {
		return 0, false
	}
	// The library takes the number of rank q·(n-1), rounded down, from 0 on. The
	// half keeps its multiplication from ending just below the rank.
	if n > 1 {
		q = min(1, (rank(q, n)-1+0.5)/(n-1))
	}
	v, err := s.dd.GetValueAtQuantile(q)
	return v, err == nil
}

// rank is the place, from 1 to n, of the smallest of n numbers that at least q of
// them are not above. Where q·n is a whole number but for its last bits, it is that.
func rank(q, n float64) float64 {
	return min(n, max(1, math.Ceil(q*n*(1-1e-12))))
}

// Append writes the sketch behind b, in the library's encoding without the base
// of the buckets; an empty one writes nothing.
func (s *Sketch) Append(b []byte) []byte {
	if s.dd != nil {
		s.dd.Encode(&b, true)
	}
	return b
}

// DecodeSketch reads what Append wrote. Anything else is an error, and no
// bytes make it take more memory than a sketch has.
//
// The library's own decoder forgets errors of its stores, and believes counts
// that are negative or no numbers, so its parts are put together here.
func DecodeSketch(b []byte) (Sketch, error) {
	var s Sketch
	for len(b) > 0 {
		flag, err := encoding.DecodeFlag(&b)
		if err != nil {
			return Sketch{}, errSketch()
		}
		s.init()
		ok := false
		switch flag {
		case encoding.FlagZeroCountVarFloat:
			ok = s.decodeZero(&b)
		case encoding.NewFlag(encoding.FlagTypePositiveStore, encoding.BinEncodingContiguousCounts):
			ok = s.decodeContiguous(&b)
		case encoding.NewFlag(encoding.FlagTypePositiveStore, encoding.BinEncodingIndexDeltasAndCounts):
			ok = s.decodeSparse(&b)
		}
		if !ok || s.dd.GetCount() > mostCounted {
			return Sketch{}, errSketch()
		}
	}
	return s, nil
}

func (s *Sketch) decodeZero(b *[]byte) bool {
	n, ok := decodeCount(b)
	return ok && s.dd.AddWithCount(0, n) == nil
}

// decodeContiguous reads how many buckets there are, the first, the step, and a
// count of each.
func (s *Sketch) decodeContiguous(b *[]byte) bool {
	n, err := encoding.DecodeUvarint64(b)
	if err != nil {
		return false
	}
	first, err := encoding.DecodeVarint64(b)
	if err != nil || first < lowestBucket || first > highestBucket || n > uint64(highestBucket-first+1) {
		return false
	}
	if step, err := encoding.DecodeVarint64(b); err != nil || step != 1 {
		return false
	}
	for i := range int64(n) {
		if !s.decodeBucket(b, first+i) {
			return false
		}
	}
	return true
}

// decodeSparse reads how many buckets there are, and of each how far it is from
// the one before, and its count.
func (s *Sketch) decodeSparse(b *[]byte) bool {
	n, err := encoding.DecodeUvarint64(b)
	if err != nil || n > uint64(len(*b)) {
		return false
	}
	bucket := int64(0)
	for range n {
		delta, err := encoding.DecodeVarint64(b)
		if err != nil || delta < lowestBucket-bucket || delta > highestBucket-bucket {
			return false
		}
		bucket += delta
		if !s.decodeBucket(b, bucket) {
			return false
		}
	}
	return true
}

func (s *Sketch) decodeBucket(b *[]byte, bucket int64) bool {
	n, ok := decodeCount(b)
	if ok {
		s.dd.GetPositiveValueStore().AddWithCount(int(bucket), n)
	}
	return ok
}

func decodeCount(b *[]byte) (n float64, ok bool) {
	n, err := encoding.DecodeVarfloat64(b)
	return n, err == nil && n >= 0 && n <= mostCounted && n == math.Trunc(n)
}

func errSketch() error {
	return registry.WithFix(errors.New("a rollup holds bytes that are no sketch of this program"),
		"restore the calls from a backup, or remove that rollup")
}
