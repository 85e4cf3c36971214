package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// workflowCommand prints a decision as the command by which a workflow of GitHub
// Actions shows it, if it is one that somebody should see.
func workflowCommand(w io.Writer, r registry.RolloutReport, d registry.Decision) {
	command := ""
	switch d.Kind {
	case registry.DecisionRollback:
		command = "error"
	case registry.DecisionAsk:
		command = "warning"
	case registry.DecisionHold:
		if v := rollout.Verdict(d.Verdict); v == rollout.Unmeasured || v == rollout.Untrusted {
			command = "warning"
		}
	case registry.DecisionAdvance, registry.DecisionPromote:
		command = "notice"
	}
	if command == "" {
		return
	}
	title := fmt.Sprintf("%s of %s at %s: %s", words.CandidateOf(r), r.Place, d.Share, d.Kind)
	fmt.Fprintf(w, "::%s title=%s::%s\n", command, workflowProperty(title), workflowData(d.Text))
}

// workflowData is a text as the value of a command: it cannot end it.
func workflowData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(prompt.Visible(s))
}

// workflowProperty is a text as a property of a command.
func workflowProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(workflowData(s))
}
