package guard

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// asCSV writes a history of n calls and m calls of the stream.
func asCSV(s stream, seed uint64, n, m int) string {
	var b strings.Builder
	b.WriteString("arm,error,latency_ms,tokens,satisfaction,split,subject\n")
	r := rand.New(rand.NewPCG(seed, 1))
	line := func(o Observation) {
		cell := func(m Metric) string {
			if x, known := o.value(m); known {
				return fmt.Sprintf("%.4g", x)
			}
			return ""
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s,%s,%g,%s\n", arm(o.Candidate), cell(Errors), cell(Latency), cell(Tokens), cell(Satisfaction), o.Share, o.Subject)
	}
	s.history(r, n, line)
	s.run(r, m, func(o Observation) bool { line(o); return true })
	return b.String()
}

// replay runs text and returns what was decided.
func replay(text string, r Replay) (decided string, err error) {
	r.Decide = func(i int, v Verdict) error {
		decided += fmt.Sprintf("%d %s;", i, v.Kind)
		return nil
	}
	_, err = r.Run(strings.NewReader(text))
	return decided, err
}

func TestReplayDecides(t *testing.T) {
	bad := healthy(.1)
	bad.errors = [2]float64{.01, .5}
	got, err := replay(asCSV(bad, 1, 1000, 3000), Replay{Warmup: 1000})
	if err != nil || !strings.HasSuffix(got, " regressed;") {
		t.Errorf("a bad candidate: %q, %v", got, err)
	}
	good := healthy(.5)
	got, err = replay(asCSV(good, 1, 5000, 20_000), Replay{Warmup: 5000})
	if err != nil || !strings.HasSuffix(got, " healthy;") || strings.Contains(got, "regressed") {
		t.Errorf("a good candidate: %q, %v", got, err)
	}
}

// What is decided is said before the next line is asked for.
func TestReplayDecidesAtOnce(t *testing.T) {
	in, out := io.Pipe()
	decided := make(chan int, 1)
	go func() {
		_, err := io.WriteString(out, "arm,error,split\n"+strings.Repeat("stable,0,0.05\n", 500))
		for i := 0; err == nil && i < 8; i++ { // one call of twenty is the candidate's, and fails
			_, err = io.WriteString(out, strings.Repeat("stable,0,0.05\n", 19)+"candidate,1,0.05\n")
		}
		// The end of the last line, and no more, is enough.
	}()
	r := Replay{Warmup: 500, Decide: func(i int, v Verdict) error { decided <- i; return nil }}
	if _, err := r.Run(in); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if len(decided) != 1 {
		t.Error("nothing was decided")
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "there is nothing to read"},
		{"no arm", "error,split\n0,0.1\n", "line 1: there is no column arm"},
		{"no metric", "arm,split\n0,0.1\n", "the header has no metric"},
		{"a column twice", "arm,error,error\n", "line 1: there are two columns error"},
		{"an unknown arm", "arm,error\nblue,0\n", `line 2: the arm is "blue"`},
		{"an error that is neither", "arm,error\n0,0\n0,2\n", `line 3: error is "2"`},
		{"a latency that is no number", "arm,error,latency_ms\n0,0,fast\n", `line 2: latency_ms is "fast"`},
		{"a latency below 0", "arm,error,latency_ms\n0,0,-1\n", "line 2: latency is -1"},
		{"a latency that is not a number", "arm,error,latency_ms\n0,0,NaN\n", "line 2: latency is NaN"},
		{"marks of another scale", "arm,satisfaction\n0,9\n", "line 2: satisfaction is 9"},
		{"a field too many", "arm,error\n0,0,0\n", "line 2: 3 fields; the header has 2"},
		{"a share in words", "arm,error,split\n0,0,some\n", `line 2: split is "some"`},
		{"a share above all", "arm,error,split\n0,0,101\n", `line 2: split is "101"`},
		{"one percent written as 1", "arm,error,split\n0,0,1\n", "line 2: split is 1, but that arm has no calls then"},
		{"a quote that does not end", "arm,error\n0,0\n\"0,0\n", "line "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := replay(c.text, Replay{})
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Shares in percent, other orders of columns, Windows' line ends and names of
// arms mean the same.
func TestReplayReadsWhatMeansTheSame(t *testing.T) {
	var a, b strings.Builder
	a.WriteString("arm,error,split\n")
	b.WriteString("\ufeffSplit,subject, arm ,error\r\n")
	r := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		c, y := r.IntN(10)/9, r.IntN(10)/8
		fmt.Fprintf(&a, "%d,%d,0.1\n", c, y)
		fmt.Fprintf(&b, "10,,%s,%d\r\n", [2]string{"stable", "candidate"}[c], y)
	}
	x, err := replay(a.String(), Replay{})
	if err != nil {
		t.Fatal(err)
	}
	y, err := replay(b.String(), Replay{})
	if err != nil || x != y {
		t.Errorf("%q and %q, %v", x, y, err)
	}
}

// An empty split is the one that there was, as in a late rating. A column of
// them is none. After a second one nobody knows which is meant.
func TestReplayReadsEmptySplits(t *testing.T) {
	text := func(second, empty string) string {
		r := rand.New(rand.NewPCG(3, 3))
		var b strings.Builder
		b.WriteString("arm,error,split\n")
		for i := range 3000 {
			c := r.IntN(10) / 9
			y, split := r.IntN(12-9*c)/(11-9*c), "0.1"
			if i == 1 {
				split = second
			} else if i%7 == 6 {
				split = empty
			}
			fmt.Fprintf(&b, "%d,%d.0,%s\n", c, y, split)
		}
		return b.String()
	}
	want, err := replay(text("0.1", "0.1"), Replay{})
	if err != nil || !strings.Contains(want, "regressed") {
		t.Fatalf("%q, %v", want, err)
	}
	if got, err := replay(text("0.1", ""), Replay{}); err != nil || got != want {
		t.Errorf("%q, want %q; %v", got, want, err)
	}
	if got, err := replay(text("0.2", ""), Replay{}); err != nil || got == want || !strings.Contains(got, "regressed") {
		t.Errorf("%q after a second share, %v", got, err)
	}
	none := strings.ReplaceAll(text("0.1", "0.1"), ",0.1\n", ",\n")
	want, err = replay(strings.ReplaceAll(strings.ReplaceAll(none, ",\n", "\n"), ",split", ""), Replay{})
	if got, bad := replay(none, Replay{}); err != nil || bad != nil || got != want || want == "" {
		t.Errorf("an empty column: %q, want %q; %v, %v", got, want, err, bad)
	}
}

// A late rating is no second call, though its line says that nothing failed.
func TestReplayKnowsLateRatings(t *testing.T) {
	for _, c := range []struct {
		name, text string
		calls      uint64
	}{
		{"nothing else", "0,0,90,,.1\n1,0,90,,.1\n1,,,4,.1\n", 2},
		{"an error of 0", "0,0,90,,.1\n1,0,90,,.1\n1,0,,4,.1\n", 2},
		{"an error", "0,0,90,,.1\n1,0,90,,.1\n1,1,,1,.1\n", 3},
		{"no times at all", "0,0,,,.1\n1,0,,,.1\n1,0,,4,.1\n", 3},
	} {
		d, err := (&Replay{Decide: func(int, Verdict) error { return nil }}).Run(strings.NewReader("arm,error,latency_ms,satisfaction,split\n" + c.text))
		if err != nil || d.calls[0]+d.calls[1] != c.calls || d.seen != 3 {
			t.Errorf("%s: %v calls, want %d; %v", c.name, d.calls, c.calls, err)
		}
	}
}

func TestReplayWatchesWhatTheHistoryHas(t *testing.T) {
	text := "arm,error,tokens,satisfaction\n0,0,100,\n1,0,,4\n1,0,100,\n"
	for warm, want := range map[int]Set{1: Of(Errors, Tokens), 0: Of(Errors, Tokens, Satisfaction)} {
		d, err := (&Replay{Warmup: warm, Decide: func(int, Verdict) error { return nil }}).Run(strings.NewReader(text))
		if err != nil || d.policy.Metrics != want {
			t.Errorf("after %d lines: %s, want %s; %v", warm, d.policy.Metrics, want, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	s := healthy(.1)
	s.users = 5
	f.Add(asCSV(s, 1, 3, 20), uint8(3))
	f.Add("arm,error\n0,1\n1,0\n", uint8(0))
	f.Add("arm,error,split\n0,1,5\n1,,1\n\"0\",1,0.5%\n", uint8(0))
	f.Fuzz(func(t *testing.T, text string, warm uint8) {
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		r := Replay{Warmup: int(warm), Decide: func(i int, v Verdict) error {
			if i <= int(warm) || i > lines || v.Kind < Healthy {
				t.Errorf("line %d of %d: %s", i, lines, v.Kind)
			}
			return nil
		}}
		if d, err := r.Run(strings.NewReader(text)); err == nil {
			if _, err := Restore(d.State()); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, prompt.ErrInvalid) {
			t.Error(err)
		}
	})
}
