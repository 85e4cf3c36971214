package otlp

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A name that follows its sibling is shortened in the document, as in
// "gen_ai.prompt.name, .version".
func TestEveryAttributeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/opentelemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Concat(environmentNames, subjectNames, inputTokenNames, outputTokenNames, cachedTokenNames, costNames, modelNames,
		finishNames, responseNames, firstTokenNames, firstTokenEvents, inputNames, outputNames, []string{usageDetails, costDetails, completionStart, tagPrefix})
	for _, c := range conventions {
		names = slices.Concat(names, c.name, c.version)
	}
	for _, name := range names {
		last := name[strings.LastIndex(name, ".")+1:]
		if doc := string(text); !strings.Contains(doc, name) && !strings.Contains(doc, "`."+last+"`") && !strings.Contains(doc, "`"+last+"`") {
			t.Errorf("docs/opentelemetry.md does not name %s", name)
		}
	}
}
