package registry

import "time"

// A Forecast is what to expect of the steps of a rollout, if traffic stays as
// it was.
type Forecast struct {
	CallsPerHour float64        `json:"calls_per_hour"` // in the environment, of all versions
	From         time.Time      `json:"from"`
	To           time.Time      `json:"to"`
	Steps        []ForecastStep `json:"steps"`
}

// A ForecastStep is what to expect of one step. What never is, or is not found,
// is nil.
type ForecastStep struct {
	Share          Share    `json:"share"`
	Hours          *float64 `json:"hours"` // until it is left by itself, if the candidate is no worse
	CandidateCalls *float64 `json:"candidate_calls"`
	// The least that is found with a probability of 90 % by the end of the step.
	ErrorIncrease      *float64 `json:"smallest_error_increase"` // in parts of all calls: 0.01 is one of a hundred
	LatencyIncreasePct *float64 `json:"smallest_latency_increase_pct"`
	SatisfactionDrop   *float64 `json:"smallest_satisfaction_drop"` // of 1 to 5
}
