package auth

import (
	"cmp"
	"errors"
	"mime"
	"net/http"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Key signs a person in to the UI with a key of theirs: JSON {"key"}, or a form
// with key and return.
func (s *SignIn) Key(w http.ResponseWriter, r *http.Request) {
	private(w)
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		s.keyByForm(w, r)
		return
	}
	var key string
	err := readJSON(w, r, map[string]*string{"key": &key})
	if err == nil {
		var c registry.Caller
		if c, err = s.withKey(w, r, key); err == nil {
			writeJSON(w, map[string]string{"name": c.Name, "kind": c.Kind})
			return
		}
	}
	s.config.Fail(w, r, err)
}

func (s *SignIn) keyByForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.config.Fail(w, r, invalid("the form cannot be read"))
		return
	}
	to, ok := localPath(cmp.Or(r.PostForm.Get("return"), "/"))
	if !ok {
		s.config.Fail(w, r, invalid("the place to return to is not on this server"))
		return
	}
	if _, err := s.withKey(w, r, r.PostForm.Get("key")); err != nil {
		s.config.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // localPath has seen it
}

func (s *SignIn) withKey(w http.ResponseWriter, r *http.Request, text string) (registry.Caller, error) {
	c, err := s.config.Verifier.Authenticate(r.Context(), scheme+" "+text, s.config.Remote(r), "ui")
	if err != nil {
		return c, err
	}
	_, err = s.establishSession(r.Context(), w, proof{way: byKey, key: Conceal(text)})
	return c, err
}

// Logout ends the session of a browser. A key that the person brought stays
// theirs; one that was minted for the session is revoked.
func (s *SignIn) Logout(w http.ResponseWriter, r *http.Request) {
	private(w)
	if r.Method != http.MethodPost { // a link or an image must not sign anybody out
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "sign out with POST", http.StatusMethodNotAllowed)
		return
	}
	key, own := s.endSession(w, r)
	if own && s.config.EndSession != nil {
		c, err := s.config.Verifier.Authenticate(r.Context(), scheme+" "+key, s.config.Remote(r), "ui")
		if err == nil {
			err = s.config.EndSession(r.Context(), c)
		}
		if err != nil && !errors.Is(err, ErrUnauthenticated) { // which is what was wanted
			s.config.Fail(w, r, err)
			return
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
