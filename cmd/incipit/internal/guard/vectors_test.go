package guard

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
)

var updateVectors = flag.Bool("update", false, "write testdata/vectors/guard.json anew")

const vectorFile = "../../../../testdata/vectors/guard.json"

// vectors are streams and what the guard makes of them.
type vectors struct {
	About   string         `json:"about"`
	Streams []vectorStream `json:"streams"`
}

type vectorStream struct {
	Name    string   `json:"name"`
	Metrics string   `json:"metrics"`
	Alpha   float64  `json:"alpha"`
	Warmup  int      `json:"warmup"`
	Lines   []string `json:"lines"`
	Checks  []check  `json:"checks"`
}

// A check is the state of things behind a line.
type check struct {
	Line    int                `json:"line"`
	Verdict string             `json:"verdict"`
	Capital map[string]float64 `json:"capital"`
	Safe    map[string]float64 `json:"safe"`
	Ratio   float64            `json:"ratio"`
}

const aboutVectors = "lines is CSV, its header first, the first warmup lines of which are the stable release's history. After line (from 1, without the header) verdict holds, capital is what the bets against the candidate made of the metric's part of 1, safe what 1 became in bets that it is within its margin (errors 0.01, latency 0.15, tokens 0.1, satisfaction 0.25), ratio what 1 became in bets against the shares. Numbers agree to 1 part in 1,000,000,000. The last check is at the last line that was read."

func vectorStreams() []vectorStream {
	of := func(name string, change func(*stream)) vectorStream {
		s := plain(name, .2, .05)
		change(&s)
		text := asCSV(s, 1, 150, 250)
		if s.blind {
			var b strings.Builder
			for l := range strings.Lines(text) {
				cells := strings.Split(strings.TrimSpace(l), ",")
				b.WriteString(strings.Join(cells[:5], ",") + "\n")
			}
			text = b.String()
		}
		return vectorStream{Name: name, Metrics: allFour.String(), Alpha: .01, Warmup: 150, Lines: strings.Split(strings.TrimSpace(text), "\n")}
	}
	list := []vectorStream{
		of("healthy, assigned by call", func(*stream) {}),
		of("eight times the errors", func(s *stream) { s.errors[1] = .4 }),
		of("every call fails", func(s *stream) { s.errors[1] = 1 }),
		of("slower, longer and liked less", func(s *stream) {
			s.medium[1], s.tokens[1], s.marks[1], s.rated = 1600, 600, marks43, [2]float64{.5, .5}
		}),
		of("thirty subjects, growing shares", func(s *stream) { s.users, s.ramp = 30, true }),
		of("late ratings", func(s *stream) { s.late, s.rated = [2]float64{10, 30}, [2]float64{.5, .5} }),
		of("no column split", func(s *stream) { s.blind, s.errors[1] = true, .6 }),
	}
	alone := of("errors alone, alpha 0.05", func(s *stream) { s.errors[1] = .4 })
	alone.Metrics, alone.Alpha = "errors", .05
	return append(list, alone)
}

// run fills in the checks.
func (v *vectorStream) run(t *testing.T) {
	t.Helper()
	set, err := ParseSet(v.Metrics)
	must(err)
	v.Checks = nil
	text := func(n int) string { return strings.Join(v.Lines[:n+1], "\n") + "\n" }
	for n := 200; ; n += 50 {
		d, err := (&Replay{Policy: Policy{Alpha: v.Alpha, Metrics: set}, Warmup: v.Warmup, Decide: func(int, Verdict) error { return nil }}).Run(strings.NewReader(text(min(n, len(v.Lines)-1))))
		if err != nil {
			t.Fatal(err)
		}
		c := check{Line: int(d.past + d.seen), Verdict: d.Verdict().Kind.String(), Capital: map[string]float64{}, Safe: map[string]float64{}, Ratio: d.ratio.wealth}
		for _, m := range set.List() {
			c.Capital[m.String()], c.Safe[m.String()] = d.capital[m], d.safeWealth(m)
		}
		v.Checks = append(v.Checks, c)
		if d.Verdict().Kind == Regressed || n >= len(v.Lines)-1 {
			return
		}
	}
}

func TestVectors(t *testing.T) {
	if *updateVectors {
		v := vectors{About: aboutVectors, Streams: vectorStreams()}
		for i := range v.Streams {
			v.Streams[i].run(t)
		}
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetIndent("", " ")
		must(enc.Encode(v))
		must(os.WriteFile(vectorFile, buf.Bytes(), 0o644))
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Streams) < 8 {
		t.Fatalf("only %d streams", len(v.Streams))
	}
	regressed := 0
	for _, want := range v.Streams {
		got := want
		got.run(t)
		if len(got.Checks) != len(want.Checks) {
			t.Errorf("%s: %d checks, want %d", want.Name, len(got.Checks), len(want.Checks))
			continue
		}
		for i, w := range want.Checks {
			g := got.Checks[i]
			same := g.Line == w.Line && g.Verdict == w.Verdict && near(g.Ratio, w.Ratio)
			for m, x := range w.Capital {
				same = same && near(g.Capital[m], x) && near(g.Safe[m], w.Safe[m])
			}
			if !same {
				t.Errorf("%s: %+v, want %+v", want.Name, g, w)
			}
			if w.Verdict == Regressed.String() {
				regressed++
			}
		}
	}
	if regressed < 3 {
		t.Errorf("only %d streams regress", regressed)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }
