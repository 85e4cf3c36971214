package source

import (
	"context"
	"errors"
	"io/fs"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// notRun is the test status of a text that nothing is known of.
const notRun = "not-run"

// fillTested fills in what is known of the tests of the planned digest. Where
// nothing is, the metadata's own word stands, unless it came from the evidence
// of another text: that says nothing of this one.
func (w *Workspace) fillTested(ctx context.Context, p *ReleasePlan, req ReleaseRequest, m prompt.Metadata) (err error) {
	if _, shared := p.Prompt.Shared(); shared {
		return nil // it has no metadata and no suite
	}
	if req.Tested != nil {
		if p.tested, err = req.Tested(ctx, p.Prompt, p.Digest); err != nil || p.tested.Status != "" {
			return err
		}
	}
	if p.From == "" || m.TestStatus == "" {
		return nil
	}
	from, err := prompt.ParseVersion(p.From)
	if err != nil {
		return err
	}
	o, err := w.reader(ctx)
	if err != nil {
		return err
	}
	tag, err := o.Tag(p.Prompt.Tag(from))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if last := parseTrailers(tag.Message); last[trailerReport] != "" && last[trailerTests] == oneLine(m.TestStatus) {
		p.tested.Status = notRun
	}
	return err
}
