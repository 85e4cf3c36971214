package guard

// A Kind is a kind of verdict.
type Kind uint8

// The kinds of verdicts, those about nothing first.
const (
	// Unmeasured: an arm has no calls, or a metric no values; there is nothing
	// to judge.
	Unmeasured Kind = iota
	// Insufficient: neither worse nor safe so far.
	Insufficient
	// Healthy: no metric is worse by more than its margin. Advance.
	Healthy
	// Regressed: take the candidate back. It is the last word of a rollout.
	Regressed
	// Untrusted: arms do not have the shares they should have, or errors run on
	// one arm. Calls are lost, counted for the wrong arm, or counted for each of
	// their attempts, so neither advance nor take back.
	Untrusted
)

func (k Kind) String() string {
	if k > Untrusted {
		return "unknown"
	}
	return [...]string{"cannot measure", "insufficient evidence", "healthy", "regressed", "data not trusted"}[k]
}

// A Verdict is what is known after an observation.
type Verdict struct {
	Kind Kind
	// Guilty are the metrics that are worse, if it is regressed. That one of
	// them is not is as unlikely as the whole verdict being wrong.
	Guilty Set
}
