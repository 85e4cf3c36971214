package otlp

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/incipit-dev/incipit/internal/registry"
)

// outcome says how the call ended, and whose fault an error was. The attributes
// incipit.call.outcome and incipit.call.error_class say it outright, and are the only way
// to say that the answer was not what the prompt asks for.
func (r *reading) outcome() (registry.Outcome, registry.ErrorClass) {
	class := registry.ErrorClass(r.text("incipit.call.error_class"))
	if told := r.text("incipit.call.outcome"); told != "" {
		return registry.Outcome(told), class
	}
	status := r.span.Status().Code()
	if status == ptrace.StatusCodeOk {
		return registry.OK, ""
	}
	kind, reason := r.failure()
	if status != ptrace.StatusCodeError && r.text("error.type") == "" && r.text("langfuse.observation.level") != "ERROR" {
		return registry.OK, ""
	}
	if class != "" {
		return registry.Failed, class
	}
	return classify(kind, reason)
}

// failure is the type of the error and what is said of it.
func (r *reading) failure() (kind, reason string) {
	kind = r.text("error.type")
	reason = r.span.Status().Message() + " " + r.text("langfuse.observation.status_message")
	for _, e := range r.span.Events().All() {
		if e.Name() == "exception" {
			a := gather(e.Attributes())
			kind += " " + a.text("exception.type")
			reason += " " + a.text("exception.message")
		}
	}
	if strings.TrimSpace(kind) == "_OTHER" { // the convention's word for "not known"
		kind = ""
	}
	return strings.TrimSpace(kind), strings.TrimSpace(reason)
}

// classify reads an error's type and what is said of it; of the text, which may
// say anything, only plain phrases count. A timeout comes first: some are told
// as requests that were canceled because of one. An error of which nothing is
// said has no class.
func classify(kind, reason string) (registry.Outcome, registry.ErrorClass) {
	kind, reason = strings.ToLower(kind), strings.ToLower(reason)
	switch {
	case kind == "" && reason == "":
		return registry.Failed, ""
	case kind == "408", kind == "504", contains(kind, "timeout", "timed out", "timed_out", "deadline"),
		contains(reason, "deadline exceeded", "timed out", "timeout exceeded", "request timeout", "read timeout", "connect timeout"):
		return registry.Failed, registry.TimeoutError
	case kind == "499", contains(kind, "cancel", "aborterror"), contains(reason, "context cancel", "was cancel", "was aborted"):
		return registry.Cancelled, ""
	}
	return registry.Failed, registry.ProviderError
}

func contains(s string, some ...string) bool {
	return slices.ContainsFunc(some, func(word string) bool { return strings.Contains(s, word) })
}
