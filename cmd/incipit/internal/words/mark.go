package words

import (
	"fmt"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Mark is what a deployment on an axis of time did.
func Mark(m registry.SeriesMark) string {
	if m.Candidate != "" {
		return fmt.Sprintf("%s %s → %s at %s", m.Action, m.Version, m.Candidate, m.Share)
	}
	return fmt.Sprintf("%s %s", m.Action, m.Version)
}
