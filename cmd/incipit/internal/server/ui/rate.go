package ui

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rateForm is feedback for a call, as a person typed it.
type rateForm struct{ Name, Value, Comment string }

// RateCall takes feedback for a call. A form that is sent twice counts once:
// what is said again under a name replaces what was said.
func (u *UI) RateCall(r *http.Request) (*Page, error) {
	form := rateForm{r.PostForm.Get("name"), r.PostForm.Get("value"), r.PostForm.Get("comment")}
	f, err := form.feedback()
	if err == nil {
		_, err = u.service.Rate(r.Context(), r.PathValue("ref"), f)
	}
	if problem := refused(err); problem != nil {
		return u.traced(r, form, problem)
	}
	if err != nil {
		return nil, err
	}
	return &Page{To: callPath(r.PathValue("ref")) + "#feedback"}, nil
}

// feedback is what the form says. It reports prompt.ErrInvalid.
func (f rateForm) feedback() (registry.Feedback, error) {
	out := registry.Feedback{Name: strings.TrimSpace(f.Name), Comment: strings.ReplaceAll(strings.TrimSpace(f.Comment), "\r\n", "\n")}
	if out.Name == "satisfaction" { // which is what a score without a name is
		out.Name = ""
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(f.Value), 64)
	if err != nil {
		return out, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no number", prompt.Clip(f.Value, 40)), "give one from 1 to 5, or any number under a name of your own")
	}
	out.Value = value
	return out, nil
}
