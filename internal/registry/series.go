package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A SeriesQuery asks how calls fared over time. An empty field asks for all.
type SeriesQuery struct {
	Prompt      prompt.ID // required
	Environment string
	From, To    time.Time     // as in StatsQuery
	Step        time.Duration // between points: one of SeriesSteps; 0 chooses by the length of the period
	By          string        // version, which is what "" says, or arm: of each version
}

// A Series is how calls fared over time: a line for each version, or each arm of
// it, in each environment, and what was deployed meanwhile.
type Series struct {
	Prompt      prompt.ID    `json:"prompt"`
	Environment string       `json:"environment,omitempty"`
	From        time.Time    `json:"from"`
	To          time.Time    `json:"to"`
	Step        Duration     `json:"step"`
	By          string       `json:"by"`
	Lines       []SeriesLine `json:"lines"` // environments in their order, the newest version first
	Marks       []SeriesMark `json:"marks"` // the oldest first
}

// A SeriesLine is a version's calls. Times without calls have no point.
type SeriesLine struct {
	Environment string `json:"environment"`
	Version     string `json:"version"`
	Arm         string `json:"arm,omitempty"`
	Figures
	Points []SeriesPoint `json:"points"` // the oldest first
}

// A SeriesPoint sums up the calls that started in a step. Where minutes or hours
// are not kept any more, it sums up the hour or the day that begins At.
type SeriesPoint struct {
	At time.Time `json:"at"`
	Figures
}

// A SeriesMark is a deployment, to be marked on the axis of time.
type SeriesMark struct {
	Environment string    `json:"environment"`
	Seq         int       `json:"deployment"`
	At          time.Time `json:"at"`
	Action      Action    `json:"action"`
	Version     string    `json:"version"` // the stable release from here on
	Candidate   string    `json:"candidate,omitempty"`
	Share       Share     `json:"share"` // of the candidate
	By          string    `json:"by,omitempty"`
	Reason      string    `json:"reason,omitempty"`
}

// SeriesSteps are the times between two points that can be asked for.
func SeriesSteps() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day}
}

// The points of a line: about as many as a chart has room for, where the step is
// chosen, and as many as are given out at all.
const (
	fewPoints  = 400
	mostPoints = 1500
)

// StepFor is the step of a series over a period: the one that is asked for, or
// the shortest with at most 400 points. It reports, with prompt.ErrInvalid, a
// step that there is not, or that makes more than 1,500 points.
func StepFor(asked, period time.Duration) (time.Duration, error) {
	all := SeriesSteps()
	last := all[len(all)-1]
	for _, step := range all {
		switch {
		case asked == step && period/step <= mostPoints:
			return step, nil
		case asked == step:
			return 0, WithFix(Errorf(prompt.ErrInvalid, "a point each %s makes %d of them in that time, and %d are the most", step, period/step, mostPoints),
				"ask for a longer step, or for none")
		case asked == 0 && (period/step <= fewPoints || step == last && period/step <= mostPoints):
			return step, nil
		}
	}
	if asked == 0 {
		return 0, Errorf(prompt.ErrInvalid, "the period is longer than statistics are told over time: %d weeks", mostPoints)
	}
	return 0, Errorf(prompt.ErrInvalid, "points lie 1m, 5m, 15m, 1h, 6h, 24h or 168h apart, and not %s", asked)
}
