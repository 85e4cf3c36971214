package telemetry

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"pgregory.net/rapid"
)

// limit is the error that is promised.
const limit = 0.011

func TestQuantilesOfAMillionLatenciesAreWithinThePromise(t *testing.T) {
	for seed := range uint64(3) {
		latencies := logNormal(seed, 1_000_000)
		var one Sketch
		parts := make([]Sketch, 1000)
		for i, v := range latencies {
			one.Add(v)
			parts[i%len(parts)].Add(v)
		}
		var merged Sketch
		for i := range parts {
			merged.Merge(&parts[i])
		}
		slices.Sort(latencies)
		for _, q := range []float64{0.5, 0.95, 0.99} {
			exact := latencies[int(rank(q, float64(len(latencies))))-1]
			for name, s := range map[string]*Sketch{"one sketch": &one, "1,000 merged": &merged, "decoded": new(decoded(t, &merged))} {
				got, _ := s.Quantile(q)
				off := math.Abs(got-exact) / exact
				if off > limit {
					t.Errorf("seed %d, %s: p%g is %g, exactly %g: off by %.4f", seed, name, q*100, got, exact, off)
				}
				t.Logf("seed %d, p%g, %s: off by %.3f %%", seed, q*100, name, off*100)
			}
		}
		if one.Count() != 1_000_000 || merged.Count() != 1_000_000 {
			t.Errorf("counted %d and %d", one.Count(), merged.Count())
		}
	}
}

// logNormal is n latencies in milliseconds, with a median of 800 and a long
// tail, in whole microseconds as they arrive.
func logNormal(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Round(math.Exp(math.Log(800)+0.7*r.NormFloat64())*1000) / 1000
	}
	return v
}

func decoded(tb testing.TB, s *Sketch) Sketch {
	tb.Helper()
	d, err := DecodeSketch(s.Append(nil))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// numbers draws what a call may have, the limits of it often.
func numbers() *rapid.Generator[[]float64] {
	return rapid.SliceOf(rapid.OneOf(
		rapid.Float64Range(0, 86_400_000),
		rapid.Float64Range(0, 1),
		rapid.SampledFrom([]float64{0, 0.001, 0.002, 1, 1000, 86_400_000, smallest, largest}),
	))
}

func sketchOf(numbers []float64) *Sketch {
	var s Sketch
	for _, v := range numbers {
		s.Add(v)
	}
	return &s
}

func union(parts ...*Sketch) *Sketch {
	var s Sketch
	for _, p := range parts {
		s.Merge(p)
	}
	return &s
}

func sameSketch(t *rapid.T, what string, a, b *Sketch) {
	t.Helper()
	if x, y := a.Append(nil), b.Append(nil); !bytes.Equal(x, y) {
		t.Fatalf("%s: %x is not %x", what, x, y)
	}
}

func TestMergesOfSketchesDoNotDependOnTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y, z := numbers().Draw(t, "x"), numbers().Draw(t, "y"), numbers().Draw(t, "z")
		a, b, c := sketchOf(x), sketchOf(y), sketchOf(z)
		sameSketch(t, "a+b is b+a", union(a, b), union(b, a))
		sameSketch(t, "(a+b)+c is a+(b+c)", union(union(a, b), c), union(a, union(b, c)))
		sameSketch(t, "a+b+c is the sketch of all", union(a, b, c), sketchOf(slices.Concat(x, y, z)))
		sameSketch(t, "b stays as it was", b, sketchOf(y))
		if n := union(a, b, c).Count(); n != int64(len(x)+len(y)+len(z)) {
			t.Fatalf("counted %d", n)
		}
	})
}

// Of n numbers 1 to n, so that a number is its rank: p99 of a few is the largest,
// and no share of them less than q is at or below what Quantile says.
func TestAQuantileIsTheSmallestThatEnoughAreNotAbove(t *testing.T) {
	for _, tt := range []struct {
		n    int
		q    float64
		want float64
	}{
		{1, 0.5, 1},
		{1, 0.99, 1},
		{2, 0.5, 1},
		{2, 0.95, 2},
		{2, 0.99, 2},
		{3, 0.5, 2},
		{10, 0.5, 5},
		{10, 0.95, 10},
		{20, 0.95, 19},
		{21, 0.95, 20},
		{40, 0.95, 38},
		{20, 0.99, 20},
		{20, 0, 1},
		{20, 1, 20},
	} {
		var s Sketch
		for v := range tt.n {
			s.Add(float64(v + 1))
		}
		if got, ok := s.Quantile(tt.q); !ok || math.Abs(got-tt.want) > limit*tt.want {
			t.Errorf("%g of 1 to %d is %g, not %g", tt.q, tt.n, got, tt.want)
		}
	}
	for n := 1; n <= 10_000; n++ {
		for _, percent := range []int{50, 95, 99} {
			if got, want := rank(float64(percent)/100, float64(n)), float64((percent*n+99)/100); got != want {
				t.Fatalf("rank of p%d of %d is %g, not %g", percent, n, got, want)
			}
		}
	}
}

func TestEveryNumberIsWithinThePromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := numbers().Filter(func(v []float64) bool { return len(v) > 0 }).Draw(t, "numbers")
		s := sketchOf(in)
		slices.Sort(in)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		exact := in[int(rank(q, float64(len(in))))-1]
		got, ok := s.Quantile(q)
		if exact < smallest {
			exact = 0
		}
		if !ok || math.Abs(got-exact) > limit*exact {
			t.Fatalf("%g at %g, exactly %g", got, q, exact)
		}
	})
}

func TestASketchComesBackFromItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sketchOf(numbers().Draw(t, "numbers"))
		behind := s.Append([]byte("before"))
		if !bytes.HasPrefix(behind, []byte("before")) {
			t.Fatal("what stood before is gone")
		}
		back, err := DecodeSketch(behind[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		sameSketch(t, "decoded", &back, s)
		sameSketch(t, "decoded and merged", union(&back, s), union(s, s))

		// The library reads the same in it.
		theirs, err := ddsketch.DecodeDDSketch(s.Append(nil), store.BufferedPaginatedStoreConstructor, mappingOfScale5(t))
		if err != nil || int64(theirs.GetCount()) != s.Count() {
			t.Fatalf("%v, %v numbers", err, theirs.GetCount())
		}
	})
}

func mappingOfScale5(t interface{ Fatal(...any) }) *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMappingWithGamma(math.Exp2(1.0/32), 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The OpenTelemetry data model: bucket i of scale s is (base^i, base^(i+1)],
// base = 2^(2^-s). The library's bounds are closed below instead, which differs
// for the bounds alone.
func TestBucketsAreThoseOfOpenTelemetryAtScale5(t *testing.T) {
	s := sketchOf([]float64{1})
	base := math.Pow(2, math.Pow(2, -5))
	for i := lowestBucket; i <= highestBucket; i++ {
		lower, upper := math.Pow(base, float64(i)), math.Pow(base, float64(i+1))
		if off := math.Abs(s.dd.LowerBound(i)-lower) / lower; off > 1e-12 {
			t.Errorf("bucket %d begins at %g, theirs at %g", i, s.dd.LowerBound(i), lower)
		}
		for _, v := range []float64{lower * (1 + 1e-9), math.Sqrt(lower * upper), upper * (1 - 1e-9)} {
			theirs := int(math.Ceil(math.Log2(v)*32)) - 1 // the mapping by logarithm of the specification
			if ours := s.dd.Index(v); ours != theirs || ours != i {
				t.Errorf("%g is in bucket %d, theirs %d, of bounds %d", v, ours, theirs, i)
			}
		}
	}
}

func TestNumbersThatCannotBeDoNoHarm(t *testing.T) {
	tests := []struct {
		name    string
		v, want float64
	}{
		{"no number counts as 0", math.NaN(), 0},
		{"a negative number counts as 0", -5, 0},
		{"the smallest float counts as 0", math.SmallestNonzeroFloat64, 0},
		{"infinity counts as the largest", math.Inf(1), largest},
		{"1e308 counts as the largest", 1e308, largest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Sketch
			s.Add(tt.v)
			got, ok := s.Quantile(1)
			if !ok || math.Abs(got-tt.want) > limit*tt.want || s.Count() != 1 {
				t.Errorf("%g of %d", got, s.Count())
			}
			d := decoded(t, &s)
			if d.Count() != 1 {
				t.Errorf("%d of 1 came back", d.Count())
			}
		})
	}
}

func TestBytesThatAreNoSketchAreRefused(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
	}{
		{"a flag that we do not write", "\x00"},
		{"a count that is cut off", "\x04\x84"},
		{"numbers below zero", "\x07\x01\x00\x02\x02"},
		{"another base", "\x02\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"a bucket far beyond the last", "\x05\x01\xfe\xff\xff\xff\x0f\x02"},
		{"buckets from one end of integers to the other", "\x05\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
		{"more buckets than there are", "\x0d\xff\xff\xff\xff\x0f\x00\x02"},
		{"a step other than one", "\x0d\x02\x00\x04\x02\x02"},
		{"a count below zero", "\x05\x01\x00\x82\x80\x80\x80\x80\x80\x80\x80\x30"},
		{"half a number", "\x05\x01\x00\x81"},
		{"a bucket without its count", "\x05\x02\x00\x02"},
		{"a sketch and something else", "\x05\x01\x00\x02x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := DecodeSketch([]byte(tt.bytes)); err == nil {
				t.Errorf("it was read as %d numbers: %x", s.Count(), s.Append(nil))
			}
		})
	}
}

func FuzzDecodeSketch(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(sketchOf([]float64{0, 0.001, 1, 1, 1000, largest}).Append(nil))
	f.Add(sketchOf(logNormal(1, 1000)).Append(nil))
	// What took 3 GB in the library's own decoder: buckets far apart.
	f.Add([]byte("\x05\x02\xfe\xff\xff\xff\x07\x02\xff\xff\xff\xff\x0f\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSketch(b)
		if err != nil {
			return
		}
		if s.Count() < 0 || s.Count() > mostCounted {
			t.Fatalf("it has %d numbers", s.Count())
		}
		again := s.Append(nil)
		const most = 16 + 9*(highestBucket-lowestBucket+1)
		if len(again) > most {
			t.Fatalf("%d bytes", len(again))
		}
		back, err := DecodeSketch(again)
		if err != nil || back.Count() != s.Count() || !bytes.Equal(back.Append(nil), again) {
			t.Fatalf("%x came back as %x: %v", again, back.Append(nil), err)
		}
		if v, ok := s.Quantile(0.99); ok != (s.Count() > 0) || v < 0 || v > 1<<27 || math.IsNaN(v) {
			t.Fatalf("p99 is %g of %d numbers", v, s.Count())
		}
	})
}

func BenchmarkSketch(b *testing.B) {
	latencies := logNormal(1, 1<<16)
	full := sketchOf(latencies)
	small := sketchOf(latencies[:500])
	encoded := full.Append(nil)
	b.Run("add", func(b *testing.B) {
		var s Sketch
		i := 0
		for b.Loop() {
			s.Add(latencies[i&(1<<16-1)])
			i++
		}
	})
	b.Run("merge", func(b *testing.B) {
		s := sketchOf(latencies)
		for b.Loop() {
			s.Merge(small)
		}
	})
	b.Run("encode", func(b *testing.B) {
		buf := make([]byte, 0, 1<<12)
		for b.Loop() {
			buf = full.Append(buf[:0])
		}
		b.ReportMetric(float64(len(full.Append(nil))), "B/65536-numbers")
		b.ReportMetric(float64(len(small.Append(nil))), "B/500-numbers")
		b.ReportMetric(float64(len(sketchOf(latencies[:10]).Append(nil))), "B/10-numbers")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeSketch(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("p99", func(b *testing.B) {
		for b.Loop() {
			full.Quantile(0.99)
		}
	})
}
