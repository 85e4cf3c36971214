package cli

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// tested is what a release says of its tests: what the report in a file says,
// else what evidence does. A server that cannot be asked holds up no release.
func (e *env) tested(file string) func(context.Context, prompt.ID, string) (source.Tested, error) {
	return func(ctx context.Context, id prompt.ID, digest string) (source.Tested, error) {
		if file != "" {
			return testedByReport(file, id, digest, e.now())
		}
		far, err := e.remote(ctx)
		var all []registry.Evidence
		if err == nil {
			asking, cancel := context.WithTimeout(ctx, serverPatience)
			defer cancel()
			all, err = e.evidenceOf(asking, id)
		}
		switch {
		case err != nil && ctx.Err() == nil && (far != nil || e.ws == nil || e.ws.Config.Server != ""):
			e.talk("The server cannot say whether this text was tested: %s", prompt.Clip(err.Error(), 200))
			return source.Tested{}, nil
		case err != nil:
			return source.Tested{}, err
		}
		for _, ev := range ofDigest(all, digest) {
			if ev.Kind == registry.KindTests {
				return testedByEvidence(ev), nil
			}
		}
		return source.Tested{}, nil
	}
}

func testedByEvidence(ev registry.Evidence) source.Tested {
	t := source.Tested{Status: passedWord(ev.Passed)}
	envelope, err := evidence.ParseEnvelope(ev.Statement)
	if err != nil {
		return t // somebody's word, without a report
	}
	if s, err := envelope.Statement(); err == nil {
		t.SuiteHash, t.Evidence = s.SuiteHash, s.ReportHash
	}
	if ev.SignedBy != "" {
		t.Evidence += " signed by " + ev.SignedBy
	}
	return t
}

func testedByReport(file string, id prompt.ID, digest string, at time.Time) (source.Tested, error) {
	data, err := readReport(file)
	if err != nil {
		return source.Tested{}, err
	}
	r, err := report.Read(data)
	if err != nil {
		return source.Tested{}, err
	}
	statements, _ := statementsOf(r, reportHash(data), at)
	for _, s := range statements {
		if s.Prompt == id && s.Digest == digest {
			return source.Tested{Status: passedWord(s.Kinds.Tests == evidence.TestsPassed), SuiteHash: s.SuiteHash, Evidence: s.ReportHash}, nil
		}
	}
	return source.Tested{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s does not say how %s fares as it is now, with the digest %s", prompt.Visible(file), id, digest), "run incipit ci again, and give its new report")
}
