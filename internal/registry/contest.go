package registry

// An ArmStanding is how an arm of an experiment stands beside the stable release.
type ArmStanding string

// The standings.
const (
	ArmBetter     ArmStanding = "better" // on the primary metric, and on none worse
	ArmWorse      ArmStanding = "worse"  // on a metric, whichever
	ArmUndecided  ArmStanding = "insufficient evidence"
	ArmUnmeasured ArmStanding = "cannot measure" // it has no calls, or the stable release has none
	ArmUntrusted  ArmStanding = "data not trusted"
)

// A ContestReport is how an experiment stands, and what that rests on. Arms are
// compared with the stable release, and not with each other.
type ContestReport struct {
	Primary string  `json:"primary"` // the metric on which an arm must be better
	Alpha   float64 `json:"alpha"`   // how likely any arm is called worse, or any better, that is not
	// Winner is the arm that was the first shown to be better, and is not
	// worse; "" as long as there is none.
	Winner string       `json:"winner,omitempty"`
	Arms   []ContestArm `json:"arms"`
}

// A ContestArm is how one arm stands.
type ContestArm struct {
	Name        string      `json:"name"`
	Standing    ArmStanding `json:"standing"`
	Calls       uint64      `json:"calls"`
	StableCalls uint64      `json:"stable_calls"` // that they were compared with
	// Worse are the metrics that it is worse on.
	Worse []string `json:"worse,omitempty"`
	// PBetter and PWorse are p-values, at the most convincing moment so far,
	// that the arm is not better, or not worse. Each decides when it falls to
	// Alpha divided by the number of arms.
	PBetter float64         `json:"p_better"`
	PWorse  float64         `json:"p_worse"`
	Metrics []ContestMetric `json:"metrics"`
}

// A ContestMetric is an arm minus the stable release, of the means. It decides
// nothing. The bounds are null while there is too little.
type ContestMetric struct {
	Metric       string   `json:"metric"`
	Values       uint64   `json:"values"`
	StableValues uint64   `json:"stable_values"`
	Difference   *float64 `json:"difference"`
	Low          *float64 `json:"low"`
	High         *float64 `json:"high"`
}
