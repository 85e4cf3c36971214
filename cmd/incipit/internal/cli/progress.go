package cli

import (
	"github.com/schollz/progressbar/v3"
)

// A progress shows how far a run is, on a terminal alone: a log keeps what is
// printed, and has no use for it.
type progress struct {
	e   *env
	bar *progressbar.ProgressBar
}

func (e *env) progress() *progress { return &progress{e: e} }

// show is called with numbers that only grow.
func (p *progress) show(done, total int) {
	if !p.e.talkTTY || p.e.quiet {
		return
	}
	if p.bar == nil || p.bar.GetMax() != total || done < 2 {
		p.end()
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.e.stderr), progressbar.OptionSetDescription("asking"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	}
	p.bar.Set(done) //nolint:errcheck // nobody is there to hear it
}

func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish() //nolint:errcheck // nobody is there to hear it
		p.bar = nil
	}
}
