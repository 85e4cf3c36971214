package server

import (
	"cmp"
	"compress/gzip"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/server/ui"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const maxForm = 256 << 10 // bytes: a form may hold a prompt

// everyPage is the part of the map that people see. What is at /v1 is for
// programs, and in the document.
func (s *Server) everyPage() []route {
	const (
		get, post = http.MethodGet, http.MethodPost
		read      = registry.MayRead
		deploy    = registry.MayDeploy
		place     = "/environments/{environment}/prompts/{prompt}/"
		admin     = registry.MayAdmin
		propose   = registry.MayPropose
		anEdit    = "/prompts/{prompt}/edit"
	)
	u := s.pages
	return []route{
		// What runs where, and finding it.
		{get, "/{$}", "page-home", may(somewhere, read), s.html(u.Home), "What runs where", false},
		{get, "/search", "page-search", may(somewhere, read), s.html(u.Search), "Search", false},

		// A prompt, and what is written of it.
		{get, "/prompts/{prompt}", "page-prompt", may(ofPrompt, read), s.html(u.Prompt), "A prompt, and where it runs", false},
		{get, "/prompts/{prompt}/overview", "page-overview", may(ofPrompt, read), s.html(u.Prompt), "The same, also of a prompt whose id is new", false},
		{get, "/prompts/new", "page-new", may(somewhere, propose), s.html(u.NewPrompt), "Name a prompt to write", false},
		{get, "/prompts/{prompt}/releases", "page-releases", may(ofPrompt, read), s.html(u.Releases), "The releases of a prompt", false},
		{get, "/prompts/{prompt}/diff", "page-diff", may(ofPrompt, read), s.html(u.Diff), "Two releases of a prompt compared", false},
		{get, anEdit, "page-edit", may(ofPrompt, read, propose), s.html(u.Edit), "Write a prompt", false},
		{post, anEdit, "page-save-draft", may(ofPrompt, propose), s.htmlOfDraft(u.SaveEdit), "Keep what was written", true},
		{get, anEdit + "/elsewhere", "page-elsewhere", may(ofPrompt, propose), s.html(u.ElsewhereEdit), "Whether a draft was saved in another window", false},
		{post, anEdit + "/preview", "page-preview-draft", may(ofPrompt, propose), s.htmlOfDraft(u.PreviewEdit), "What was written, with values for its variables", true},
		{post, anEdit + "/test", "page-test-draft", may(ofPrompt, propose), s.htmlOfDraft(u.TestEdit), "Run the suite on what was written", false},
		{get, anEdit + "/merge", "page-merge-draft", may(ofPrompt, propose), s.html(u.MergeEdit), "Put two states of a prompt together", false},
		{post, anEdit + "/merge", "page-save-merge", may(ofPrompt, propose), s.htmlOfDraft(u.SaveMerge), "Keep what two states became", false},
		{get, anEdit + "/propose", "page-propose", may(ofPrompt, propose), s.html(u.ProposeEdit), "Propose what was written", false},
		{post, anEdit + "/propose", "page-propose-draft", may(ofPrompt, propose), s.htmlOfDraft(u.SendProposal), "Make a branch of what was written", false},
		{get, anEdit + "/discard", "page-discard", may(ofPrompt, propose), s.html(u.DiscardEdit), "Whether what was written may go", false},
		{post, anEdit + "/discard", "page-discard-draft", may(ofPrompt, propose), s.html(u.ForgetEdit), "Forget what was written", false},

		// What runs of a prompt in an environment, and changing that.
		{get, "/rollouts", "page-rollouts", may(somewhere, read), s.html(u.Rollouts), "The rollouts that are open", false},
		{get, place + "rollout", "page-rollout", may(inPath, read), s.html(u.Rollout), "How a rollout stands, and why", false},
		{get, place + "deploy", "page-deploy", may(inPath, read), s.html(u.Change(registry.Deploy)), "What a deploy would do", false},
		{post, place + "deploy", "page-deploy-it", may(inPath, deploy), s.changing(u.Change(registry.Deploy)), "Deploy a release", false},
		{get, place + "shift", "page-shift", may(inPath, read), s.html(u.Change(registry.Shift)), "What a shift would do", false},
		{post, place + "shift", "page-shift-it", may(inPath, deploy), s.changing(u.Change(registry.Shift)), "Change the share of a candidate", false},
		{get, place + "promote", "page-promote", may(inPath, read), s.html(u.Change(registry.Promote)), "What a promotion would do", false},
		{post, place + "promote", "page-promote-it", may(inPath, deploy), s.changing(u.Change(registry.Promote)), "Promote a candidate", false},
		{get, place + "rollback", "page-rollback", may(inPath, read), s.html(u.Change(registry.Rollback)), "What a rollback would do", false},
		{post, place + "rollback", "page-rollback-it", may(inPath, deploy), s.changing(u.Change(registry.Rollback)), "Roll back", false},
		{get, place + "retire", "page-retire", may(inPath, read), s.html(u.Change(registry.Retire)), "What it would do to retire a prompt", false},
		{post, place + "retire", "page-retire-it", may(inPath, deploy), s.changing(u.Change(registry.Retire)), "Take a prompt out of an environment", false},
		{get, place + "pause", "page-pause", may(inPath, read), s.html(u.Hold(false)), "What a pause would do", false},
		{post, place + "pause", "page-pause-it", may(inPath, deploy), s.html(u.Hold(false)), "Pause a rollout", false},
		{get, place + "resume", "page-resume", may(inPath, read), s.html(u.Hold(true)), "What it would do to resume a rollout", false},
		{post, place + "resume", "page-resume-it", may(inPath, deploy), s.html(u.Hold(true)), "Let a rollout go on", false},
		{get, place + "approve", "page-approve", may(inPath, read), s.html(u.Approve), "What an approval is for", false},
		{post, place + "approve", "page-approve-it", may(inPath, registry.MayApprove), s.html(u.Approve), "Approve a release", false},

		// Calls and statistics.
		{get, "/calls", "page-calls", may(somewhere, read), s.html(u.Calls), "Recorded calls", false},
		{get, "/calls/{ref}", "page-trace", may(somewhere, read), s.html(u.Trace), "Which exact prompt made a response", false},
		{post, "/calls/{ref}", "page-rate", may(somewhere, registry.MayRecord), s.html(u.RateCall), "Say of a call how it was", false},
		{get, "/prompts/{prompt}/stats", "page-stats", may(ofPrompt, read), s.html(u.Stats), "How the calls of a prompt fare", false},

		// Audit and settings.
		{get, "/audit", "page-audit", may(somewhere, registry.MayAudit), s.html(u.Audit), "Who did what, the newest first", false},
		{get, "/audit/verify", "page-audit-verify", may(everywhere, registry.MayAudit), s.html(u.VerifyAudit), "Whether the audit log is what was written", false},
		{get, "/audit/export", "page-audit-export", may(somewhere, registry.MayAudit), hidden(s.auditLines), "The audit log as a file", false},
		{get, "/settings", "page-settings", may(somewhere, read, admin), s.html(u.Settings), "The server and the environments", false},
		{post, "/settings/sync", "page-sync", may(somewhere, registry.MaySync), s.html(u.SyncNow), "Read the Git repository now", false},
		{get, "/settings/environments/{environment}", "page-environment", may(environment, read), s.html(u.Environment), "The rules of an environment", false},
		{post, "/settings/environments/{environment}", "page-set-environment", may(wholly, admin), s.html(u.SetEnvironment), "Change the rules of an environment", false},
		{get, "/settings/new-environment", "page-new-environment", may(everywhere, admin), s.html(u.NewEnvironment), "Rules for one more environment", false},
		{post, "/settings/new-environment", "page-add-environment", may(everywhere, admin), s.html(u.AddEnvironment), "Add an environment", false},
		{get, "/settings/keys", "page-keys", may(somewhere, read, admin), s.html(u.Keys), "The API keys, or why they are not shown", false},
		{post, "/settings/keys", "page-create-key", may(everywhere, admin), s.html(u.CreateKey), "Make an API key. Its secret is shown this once", false},
		{get, "/settings/keys/{id}/revoke", "page-revoke-key", may(everywhere, admin), s.html(u.RevokeKey), "Whether an API key is to end", false},
		{post, "/settings/keys/{id}/revoke", "page-end-key", may(everywhere, admin), s.html(u.EndKey), "End an API key", false},
		{get, "/settings/people", "page-people", may(somewhere, read, admin), s.html(u.People), "Who may do what, or why it is not shown", false},
		{post, "/settings/people", "page-set-person", may(everywhere, admin), s.html(u.SetPerson), "Say what a person may do", false},
		{get, "/settings/webhooks", "page-webhooks", may(somewhere, read, admin), s.html(u.Webhooks), "The webhooks, or why they are not shown", false},
		{post, "/settings/webhooks", "page-add-webhook", may(everywhere, admin), s.html(u.AddWebhook), "Add a webhook. Its secret is shown this once", false},
		{get, "/settings/webhooks/{id}", "page-webhook", may(everywhere, admin), s.html(u.Webhook), "A webhook, and what it was told", false},
		{post, "/settings/webhooks/{id}/ping", "page-ping-webhook", may(everywhere, admin), s.html(u.PingWebhook), "Try a webhook", false},
		{get, "/settings/webhooks/{id}/remove", "page-remove-webhook", may(everywhere, admin), s.html(u.RemoveWebhook), "Whether a webhook is to end", false},
		{post, "/settings/webhooks/{id}/remove", "page-end-webhook", may(everywhere, admin), s.html(u.EndWebhook), "End a webhook", false},
		{post, "/settings/deliveries/{id}/redeliver", "page-redeliver", may(everywhere, admin), s.html(u.Redeliver), "Send a delivery again", false},

		// What stands around the pages.
		{get, "/login", "page-login", open("is how one says who one is"), s.html(u.Login), "Sign in", false},
		{get, "/signed-in", "page-signed-in", may(signedIn), hidden(s.signedIn), "Whether the session goes on", true},
		{get, "/events", "page-events", may(somewhere, read, propose), hidden(s.events), "What has changed, for the pages that are open", false},
		{post, "/theme", "page-theme", open("changes nothing but a cookie"), hidden(s.theme), "Choose light or dark", false},
		{get, ui.AssetPath, "page-asset", open("is the same for everybody"), hidden(s.asset), "Scripts and styles of the pages", true},
	}
}

// hidden is an endpoint of the pages, which the document does not have.
func hidden(h handler) endpoint {
	return func(rt *routing, op huma.Operation) { rt.handlers[op.OperationID] = h }
}

// html is an endpoint that answers with a page.
func (s *Server) html(h ui.Handler) endpoint { return s.htmlUpTo(maxForm, h) }

// htmlOfDraft is html for a form that holds the texts of a prompt, each byte of
// which may take three there, and for what may take minutes.
func (s *Server) htmlOfDraft(h ui.Handler) endpoint { return s.htmlUpTo(maxDraft, h) }

// htmlUpTo is html for a form of at most so many bytes.
func (s *Server) htmlUpTo(most int64, h ui.Handler) endpoint {
	return hidden(func(w *answer, r *http.Request) error {
		w.caller.Source = "ui"
		r = r.WithContext(registry.WithCaller(r.Context(), w.caller))
		if r.Method == http.MethodPost {
			if err := readForm(w, r, most); err != nil {
				return err
			}
			w.unhurried(s.config.Now())
		}
		seq := s.newsroom.seq.Load() // before the page is made: what happens meanwhile, it is told
		p, err := h(r)
		if err != nil {
			return err
		}
		return s.show(w, r, p, seq)
	})
}

// changing is html for a form that changes what runs: whoever sent it reads
// their own change.
func (s *Server) changing(h ui.Handler) endpoint {
	return s.html(func(r *http.Request) (*ui.Page, error) {
		p, err := h(r)
		if err == nil && p.To != "" {
			s.hub.poke(r.Context(), r.PathValue("environment"))
		}
		return p, err
	})
}

func readForm(w *answer, r *http.Request, most int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	err := r.ParseForm()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &statusError{http.StatusRequestEntityTooLarge, registry.Errorf(prompt.ErrInvalid, "the form is larger than %d bytes", most)}
	}
	if err != nil {
		return registry.Errorf(prompt.ErrInvalid, "the form cannot be read")
	}
	return nil
}

// The headers of a page: it may use what this server sends, and nothing else.
var pagePolicy = []string{strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
	"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types default",
}, "; ")}

// show sends a page, or sends the browser elsewhere.
func (s *Server) show(w *answer, r *http.Request, p *ui.Page, seq int64) error {
	if p.To != "" {
		http.Redirect(w, r, p.To, http.StatusSeeOther) //nolint:gosec // a page names no place of others: ui.back has seen what came from outside
		return nil
	}
	body, err := s.pages.Show(r, p, ui.Around{Request: w.request, Seq: seq})
	if err != nil {
		return err
	}
	status := cmp.Or(p.Status, http.StatusOK)
	h := w.Header()
	h["Content-Security-Policy"] = pagePolicy
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Referrer-Policy") == "" {
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, err = w.Write(body)
		return err
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(body)
		err = errors.Join(err, z.Close())
	}
	return err
}

// failPage answers with the page of an error, from which whoever is signed in
// goes on as from any other. Whoever is not is asked to sign in first, and comes
// back; whoever just tried is told what went wrong, where they can try again.
func (s *Server) failPage(w *answer, r *http.Request, p *problem) {
	page, seq := s.pages.Failed(p.Problem), s.newsroom.seq.Load()
	r = r.WithContext(registry.WithCaller(r.Context(), w.caller))
	switch {
	case p.Status < http.StatusInternalServerError && r.URL.Path == auth.KeyPath:
		page = s.pages.SignIn(r.PostFormValue("return"), &p.Problem)
		r = asIf(r, "/login?return="+url.QueryEscape(r.PostFormValue("return")))
	case r.URL.Path == auth.LoginPath, r.URL.Path == auth.CallbackPath:
		to := r.URL.Query().Get("return")
		page = s.pages.SignIn(to, &p.Problem)
		r = asIf(r, "/login?return="+url.QueryEscape(to))
	case p.Status == http.StatusUnauthorized && r.Method == http.MethodGet:
		page = &ui.Page{To: "/login?return=" + url.QueryEscape(r.URL.RequestURI())}
	}
	if err := s.show(w, r, page, seq); err != nil {
		s.log.ErrorContext(r.Context(), "the page of an error cannot be shown", "request", w.request, "error", err)
	}
}

// Arrive answers whoever has signed in at the issuer with a page that leads on.
func Arrive(w http.ResponseWriter, r *http.Request, a auth.Arrival) {
	if own, ok := w.(*answer); ok && own.arrive != nil {
		own.arrive(own, r, a)
	}
}

func (s *Server) arrive(w *answer, r *http.Request, a auth.Arrival) {
	if err := s.show(w, asIf(r, a.To), s.pages.Arrived(a.To, a.Mail, a.Nothing), 0); err != nil {
		s.log.ErrorContext(r.Context(), "the page after signing in cannot be shown", "request", w.request, "error", err)
	}
}

// asIf is r at another path, for a page that should not lead back to its own:
// it holds a code, or takes only forms.
func asIf(r *http.Request, path string) *http.Request {
	at, err := url.ParseRequestURI(path)
	if err != nil || strings.HasPrefix(path, "//") { // which names another host
		at = &url.URL{Path: "/"}
	}
	out := *r
	out.URL = at
	return &out
}

// wantsPage reports whether a person asks, in a browser.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// signedIn answers whether a session goes on.
func (s *Server) signedIn(w *answer, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) theme(w *answer, r *http.Request) error {
	if err := readForm(w, r, maxForm); err != nil {
		return err
	}
	s.pages.SetTheme(w, r)
	return nil
}

func (s *Server) asset(w *answer, r *http.Request) error {
	if !s.pages.Asset(w, r) {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "this version of the program has no such file"), "load the page again")
	}
	return nil
}
