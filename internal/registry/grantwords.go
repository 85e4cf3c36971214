package registry

import (
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// maxGrants bounds what is read as grants, in lines and in bytes.
const (
	maxGrants     = 50
	maxGrantBytes = 16 << 10
)

// String says a grant in words: read,deploy on billing/* in staging.
// ParseGrants reads it again.
func (g Grant) String() string {
	names := make([]string, len(g.Permissions))
	for i, p := range g.Permissions {
		names[i] = string(p)
	}
	may := strings.Join(names, ",")
	if len(names) == len(Permissions()) {
		may = "all"
	}
	return may + " on " + strings.Join(g.Prompts, ",") + " in " + strings.Join(g.Environments, ",")
}

// GrantWords says grants in words, one behind the other; "" is nothing.
func GrantWords(grants []Grant) string {
	out := make([]string, len(grants))
	for i, g := range grants {
		out[i] = g.String()
	}
	return strings.Join(out, "; ")
}

// ParseGrants reads grants as GrantWords says them, behind semicolons or on
// lines of their own. Each is valid.
func ParseGrants(text string) ([]Grant, error) {
	if len(text) > maxGrantBytes {
		return nil, Errorf(prompt.ErrInvalid, "grants are longer than %d bytes", maxGrantBytes)
	}
	var out []Grant
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' }) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(out) == maxGrants {
			return nil, Errorf(prompt.ErrInvalid, "there are more than %d grants", maxGrants)
		}
		g, err := parseGrant(line)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func parseGrant(line string) (Grant, error) {
	words := strings.Fields(line)
	on, in := slices.Index(words, "on"), slices.Index(words, "in")
	if on < 1 || in < on+2 || in == len(words)-1 {
		return Grant{}, WithFix(Errorf(prompt.ErrInvalid, "%q is no grant", prompt.Clip(line, 80)), "write one such as: read,deploy on billing/* in staging")
	}
	g := Grant{Prompts: SplitList(strings.Join(words[on+1:in], " ")), Environments: SplitList(strings.Join(words[in+1:], " "))}
	for _, p := range SplitList(strings.Join(words[:on], " ")) {
		if p == "all" {
			g.Permissions = Permissions()
			break
		}
		g.Permissions = append(g.Permissions, Permission(p))
	}
	return g, g.Validate()
}

// SplitList reads names that stand behind commas, spaces or both.
func SplitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}
