// Package ui is the pages of the server: what a person sees of the registry in
// a browser, and the forms by which they change it.
//
// A page reads the same service as the API and shows what it says. No rule
// stands here: whether something may be done, and what comes of it, the service
// answers. Which page is at which path, and who may open it, stands in the
// server's map of routes. Text that users wrote is text everywhere: the
// templates escape it, and nothing here says otherwise.
package ui

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
)

//go:embed views/*.html
var viewFiles embed.FS

// Config is what the pages need. Service, Now and Random are required.
type Config struct {
	Service *lifecycle.Shared
	Now     func() time.Time
	Random  io.Reader // makes what a form counts once by
	Version string    // of the program
	Dev     bool      // whoever asks may do everything
	Keys    bool      // people may sign in with a key
	Issuer  bool      // there is an issuer to sign in at
}

// A UI makes pages. Methods may be called at once.
type UI struct {
	config  Config
	service *lifecycle.Shared
	assets  *assets
	views   map[string]*template.Template
}

// New makes the pages. It reports a template that cannot be read.
func New(c Config) (*UI, error) {
	if c.Service == nil || c.Now == nil || c.Random == nil {
		return nil, errors.New("ui: Config.Service, Now and Random must be set")
	}
	u := &UI{config: c, service: c.Service}
	var err error
	if u.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	u.views, err = loadViews(u.funcs())
	return u, err
}

// loadViews reads every page's template over a copy of what all share: files
// whose names begin with _.
func loadViews(funcs template.FuncMap) (map[string]*template.Template, error) {
	shared, err := template.New("").Option("missingkey=error").Funcs(funcs).ParseFS(viewFiles, "views/_*.html")
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	names, err := fs.Glob(viewFiles, "views/[^_]*.html")
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	out := make(map[string]*template.Template, len(names))
	for _, name := range names {
		own, err := shared.Clone()
		if err == nil {
			own, err = own.ParseFS(viewFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("ui: %w", err)
		}
		out[strings.TrimSuffix(path.Base(name), ".html")] = own
	}
	return out, nil
}

// A Page is what a request is answered with: a view and what it shows, or
// another place to go to.
type Page struct {
	View   string // the file in views, without .html, which defines "main"
	Title  string
	Here   Section
	Body   any     // what the view shows
	Crumbs []Crumb // the way to the page, without the page itself
	Status int     // 200 if 0
	To     string  // a local path: the browser is sent there instead (303)
}

// A Section is an entry of the navigation.
type Section string

// The sections.
const (
	AtHome     Section = "home"
	AtRollouts Section = "rollouts"
	AtCalls    Section = "calls"
	AtAudit    Section = "audit"
	AtSettings Section = "settings"
)

// A Crumb is a step of the way to a page.
type Crumb struct{ Text, Href string }

// A Handler makes the page of a request. The caller stands in its context; a
// form has been read into r.PostForm.
type Handler func(r *http.Request) (*Page, error)

// Around is what the server knows of a request, and a page says or remembers.
type Around struct {
	Request string // its id
	Seq     int64  // of the last event that open pages were told, before the page was made
}

// Show is the page as it is sent, whole: an error leaves nothing half written.
func (u *UI) Show(r *http.Request, p *Page, around Around) ([]byte, error) {
	view, ok := u.views[p.View]
	if !ok {
		return nil, fmt.Errorf("ui: there is no view %q", p.View)
	}
	var b bytes.Buffer
	if err := view.ExecuteTemplate(&b, "layout", u.frame(r, p, around)); err != nil {
		return nil, fmt.Errorf("ui: %s: %w", p.View, err)
	}
	return b.Bytes(), nil
}
