package ui

import (
	"net/http"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A frame is what stands around a page, and the page.
type frame struct {
	*Page
	Who     registry.Caller
	Known   bool // somebody is signed in
	Writes  bool // who may write some prompt
	Follows bool // and may be told of changes
	Dev     bool
	Path    string // of the page, with its query: where to come back to
	Theme   string // light, dark or system
	Now     time.Time
	Version string
	Did     *did // what the person just did
	Around
}

func (u *UI) frame(r *http.Request, p *Page, around Around) frame {
	who, known := registry.CallerOf(r.Context())
	return frame{
		Page: p, Who: who, Known: known && who.Name != "", Writes: u.writes(who), Follows: who.MaySome(registry.MayRead, registry.MayPropose), Dev: u.config.Dev, Path: r.URL.RequestURI(),
		Theme: themeOf(r), Now: u.config.Now(), Version: u.config.Version, Did: u.didOf(r), Around: around,
	}
}

// writes reports whether somebody may write a prompt here.
func (u *UI) writes(who registry.Caller) bool {
	return u.service.TakesDrafts() && who.MaySome(registry.MayPropose)
}

// themeCookie remembers the theme on this browser. It is a cookie, and not the
// browser's storage, so that the page arrives in its colors and does not
// flash.
const themeCookie = "incipit-theme"

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "system"
}

// SetTheme answers the switch of themes: the cookie, and the page that the
// person was on.
func (u *UI) SetTheme(w http.ResponseWriter, r *http.Request) {
	theme, age := r.PostFormValue("theme"), 365*24*time.Hour
	if theme != "light" && theme != "dark" {
		theme, age = "", -time.Second
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it is no secret, and a page over http needs it too
		Name: themeCookie, Value: theme, Path: "/", MaxAge: int(age / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, back(r.PostFormValue("return")), http.StatusSeeOther) //nolint:gosec // back has seen it
}
