package ui

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

// deliveriesShown is how many deliveries the page of a webhook shows.
const deliveriesShown = 100

// A webhookList is the page of the webhooks.
type webhookList struct {
	Refused  *refusal
	Webhooks []registry.Webhook
	Form     url.Values
	Kinds    []registry.NoticeKind
	Made     *api.CreatedWebhook // just now; its secret is shown this once
	Problem  *api.Problem
}

// Webhooks is the addresses that are told what happens.
func (u *UI) Webhooks(r *http.Request) (*Page, error) {
	return u.webhookPage(r, &webhookList{Form: newWebhook()})
}

func newWebhook() url.Values {
	return url.Values{"kinds": {"*"}, "environments": {"*"}, "prompts": {"*"}}
}

// AddWebhook adds one, and answers with the page that shows its secret.
func (u *UI) AddWebhook(r *http.Request) (*Page, error) {
	form := r.PostForm
	req := api.WebhookRequest{
		URL: strings.TrimSpace(form.Get("url")), Format: registry.WebhookFormat(form.Get("format")),
		Kinds: registry.SplitList(form.Get("kinds")), Environments: registry.SplitList(form.Get("environments")), Prompts: registry.SplitList(form.Get("prompts")),
	}
	secret, w, err := u.service.AddWebhook(r.Context(), req.Webhook())
	if err == nil {
		return u.webhookPage(r, &webhookList{Form: newWebhook(), Made: &api.CreatedWebhook{Secret: secret.Reveal(), Webhook: w}})
	}
	body := &webhookList{Form: form}
	page, failed := u.webhookPage(r, body)
	if failed != nil {
		return nil, failed
	}
	return page, page.mend(err, &body.Problem)
}

func (u *UI) webhookPage(r *http.Request, body *webhookList) (*Page, error) {
	body.Kinds = registry.NoticeKinds()
	page := &Page{View: "webhooks", Title: "Webhooks", Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}}, Body: body}
	if body.Refused = refuse(r.Context()); body.Refused != nil {
		return page, nil
	}
	var err error
	body.Webhooks, err = u.service.Webhooks(r.Context())
	return page, err
}

// A webhookView is a webhook, and what it was told.
type webhookView struct {
	registry.Webhook
	Deliveries []registry.Delivery
	Waiting    bool // something is under way
}

// Webhook is one, and what it was told and will be told.
func (u *UI) Webhook(r *http.Request) (*Page, error) {
	w, err := u.service.Webhook(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	all, err := u.service.Deliveries(r.Context(), w.ID, deliveriesShown)
	return &Page{
		View: "webhook", Title: w.URL, Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}, {"Webhooks", "/settings/webhooks"}},
		Body: webhookView{w, all, w.Waiting > 0 && w.PausedAt.IsZero()},
	}, err
}

// PingWebhook tries one; one that is paused goes on.
func (u *UI) PingWebhook(r *http.Request) (*Page, error) {
	id := r.PathValue("id")
	if _, err := u.service.PingWebhook(r.Context(), id); err != nil {
		return nil, err
	}
	return &Page{To: webhookPath(id)}, nil
}

// RemoveWebhook asks whether one is to end.
func (u *UI) RemoveWebhook(r *http.Request) (*Page, error) {
	w, err := u.service.Webhook(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return &Page{
		View: "webhookremove", Title: "Remove a webhook", Here: AtSettings,
		Crumbs: []Crumb{{"Settings", "/settings"}, {"Webhooks", "/settings/webhooks"}, {w.URL, webhookPath(w.ID)}}, Body: w,
	}, nil
}

// EndWebhook ends one, and what it was not told yet.
func (u *UI) EndWebhook(r *http.Request) (*Page, error) {
	if err := u.service.RemoveWebhook(r.Context(), r.PathValue("id")); err != nil {
		return nil, err
	}
	return &Page{To: "/settings/webhooks"}, nil
}

// Redeliver has a delivery sent again.
func (u *UI) Redeliver(r *http.Request) (*Page, error) {
	d, err := u.service.Redeliver(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return &Page{To: webhookPath(d.Webhook)}, nil
}

func webhookPath(id string) string { return "/settings/webhooks/" + url.PathEscape(id) }
