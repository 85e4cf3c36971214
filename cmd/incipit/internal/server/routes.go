package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A route is a line of the map: what is asked, who may ask, and who answers.
type route struct {
	method, path string // as http.ServeMux and OpenAPI write it
	name         string // of the operation, in the document, the log and the metrics
	policy       policy
	endpoint     endpoint
	about        string
	frequent     bool // asked all the time: what went well is for the debug log
}

// page reports whether the route is for people, in a browser: such a one is not
// in the document.
func (r *route) page() bool { return strings.HasPrefix(r.name, "page-") }

// everyRoute is the map of the server: there are no others.
func (s *Server) everyRoute() []route {
	const (
		get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
		aPrompt             = "/v1/prompts/{prompt}"
		anEnvironment       = "/v1/environments/{environment}"
		place               = anEnvironment + "/prompts/{prompt}/"

		aDraft = aPrompt + "/draft"

		read, deploy, admin, record = registry.MayRead, registry.MayDeploy, registry.MayAdmin, registry.MayRecord
		propose                     = registry.MayPropose
	)
	rs := []route{
		{get, "/v1/me", "me", may(signedIn), typed(s.me), "Who asks, and what they may do", false},
		{del, "/v1/me", "end-session", may(signedIn), typed(s.endSession), "End the session of the person who asks", false},

		{get, "/v1/prompts", "list-prompts", may(somewhere, read), typed(s.prompts), "The prompts, and what runs of them where", false},
		{get, "/v1/overview", "overview", may(somewhere, read), typed(s.overview), "What runs where, how far behind it is, and how it fares", false},
		{get, "/v1/search", "search", may(somewhere, read), typed(s.search), "Prompts, releases and texts that hold some words, the best first", false},
		{get, aPrompt + "/releases", "list-releases", may(ofPrompt, read), typed(s.releases), "The releases of a prompt, the newest version last", false},
		{get, aPrompt + "/releases/{version}", "get-release", may(ofPrompt, read), typed(s.release), "A release and what it holds", false},
		{get, aPrompt + "/history", "history", may(ofPrompt, read), typed(s.history), "What was done to a prompt, by environment, the oldest first", false},

		{get, "/v1/drafts", "list-drafts", may(somewhere, propose), typed(s.drafts), "What the caller is writing, the latest first", false},
		{get, aDraft, "get-draft", may(ofPrompt, propose), typed(s.draft), "What the caller is writing of a prompt, or the prompt as the branch has it; who else writes it, and what changed meanwhile", false},
		{put, aDraft, "save-draft", may(ofPrompt, propose), upTo(maxDraft, typed(s.saveDraft)), "Keep what the caller is writing of a prompt", true},
		{del, aDraft, "discard-draft", may(ofPrompt, propose), typed(s.discardDraft), "Forget what the caller is writing of a prompt", false},
		{post, aDraft + "/check", "check-draft", may(ofPrompt, propose), upTo(maxDraft, typed(s.checkDraft)), "What is wrong with texts of a prompt, and what a release of them would be", true},
		{post, aDraft + "/preview", "preview-draft", may(ofPrompt, propose), upTo(maxDraft, typed(s.previewDraft)), "Texts of a prompt, with values for their variables", true},
		{post, aDraft + "/test", "test-draft", may(ofPrompt, propose), upTo(maxDraft, typed(s.testDraft)), "Run the suite of a prompt on texts", false},
		{post, aDraft + "/propose", "propose-draft", may(ofPrompt, propose), typed(s.proposeDraft), "Make a branch of the caller's draft, for others to read and merge", false},

		{get, "/v1/environments", "list-environments", may(somewhere, read), typed(s.environments), "The environments in their order, and their rules", false},
		{put, anEnvironment, "set-environment", may(wholly, admin), typed(s.setEnvironment), "Add an environment, or change its rules", false},
		{get, anEnvironment + "/snapshot", "snapshot", may(environment, maySee()...), plain(s.snapshot, describeSnapshot), "What an environment runs, as far as the caller may see it", false},
		{get, anEnvironment + "/stream", "stream", may(environment, maySee()...), plain(s.stream, describeStream), "What an environment runs, and each change of it, as server-sent events", false},
		{post, anEnvironment + "/resolve", "resolve", may(environment, registry.MayResolve), plain(s.resolve, describeResolve), "A prompt, rendered for a subject", true},

		{post, place + "plan", "plan", may(inPath, read, deploy), typed(s.plan), "What a change would do, and what stands in its way", false},
		{post, place + "deploy", "deploy", may(inPath, deploy), typed(s.change(registry.Deploy)), "Put a release into an environment, at once or behind a rollout", false},
		{post, place + "shift", "shift", may(inPath, deploy), typed(s.change(registry.Shift)), "Change the candidate's share of an open rollout", false},
		{post, place + "promote", "promote", may(inPath, deploy), typed(s.change(registry.Promote)), "Make the candidate the stable release", false},
		{post, place + "rollback", "rollback", may(inPath, deploy), typed(s.change(registry.Rollback)), "Bring an earlier release back, for everybody, at once", false},
		{get, place + "rollout", "rollout", may(inPath, read), typed(s.rollout), "Where a rollout stands, why, and what was decided in it", false},
		{post, place + "hold", "hold-rollout", may(inPath, deploy), typed(s.holdRollout), "Pause a rollout, or let it go on", false},
		{post, place + "replay", "replay-rollout", may(inPath, read), typed(s.replayRollout), "Judge the calls of a rollout again, by its rules or by others", false},
		{post, place + "retire", "retire", may(inPath, deploy), typed(s.change(registry.Retire)), "Take a prompt out of an environment", false},

		{get, "/v1/rollouts", "list-rollouts", may(somewhere, read), typed(s.rollouts), "The open rollouts that the guard follows", false},

		{get, "/v1/registry", "export", may(everywhere, read), plain(s.export, describeExport), "The registry in the shape of registry.json", false},
		{post, "/v1/registry", "import", may(everywhere, deploy), upTo(maxImport, typed(s.importFile)), "Take in what a registry.json says", false},
		{get, "/v1/sync", "sync-status", may(somewhere, read), typed(s.syncStatus), "What the last reading of the Git repository came to", false},
		{post, "/v1/sync", "sync", may(somewhere, registry.MaySync), typed(s.sync), "Read the Git repository now", false},

		{get, "/v1/approvals", "list-approvals", may(somewhere, read), typed(s.approvals), "The open approvals of an environment", false},
		{post, "/v1/approvals", "approve", may(somewhere, registry.MayApprove), typed(s.approve), "Approve that a release may be deployed", false},
		{get, "/v1/evidence", "list-evidence", may(somewhere, read), typed(s.evidence), "What is known of the digests of a prompt", false},
		{post, "/v1/evidence", "file-evidence", may(somewhere, registry.MayEvidence), typed(s.fileEvidence), "File what a report says about a digest", false},

		{post, "/v1/calls", "record", may(somewhere, record), plain(s.record, describeRecord), "Record calls: each counts once, however often it is sent", true},
		{get, "/v1/calls", "list-calls", may(somewhere, read), typed(s.calls), "The recorded calls, in the order in which they were taken", false},
		{post, "/v1/calls/erase", "erase-calls", may(everywhere, admin), typed(s.erase), "Forget the calls of a person", false},
		{post, "/v1/calls/{ref}/feedback", "rate", may(somewhere, record), typed(s.rate), "Say of a call how it was, also before it has arrived", true},
		{post, "/v1/otlp/v1/traces", "record-spans", may(somewhere, record), plain(s.spans, describeSpans), "Record the calls that OpenTelemetry spans tell of", true},
		{get, "/v1/stats", "stats", may(somewhere, read), typed(s.stats), "How the calls of a prompt fared", false},
		{get, "/v1/stats/series", "series", may(somewhere, read), typed(s.series), "How the calls of a prompt fared over time, by version, and what was deployed meanwhile", false},
		{get, "/v1/trace/{ref}", "trace", may(somewhere, read), typed(s.trace), "What a response was made of", false},
		{get, anEnvironment + "/ran", "what-ran", may(environment, read), typed(s.ran), "What an environment ran at a moment", false},

		{get, "/v1/keys", "list-keys", may(everywhere, admin), typed(s.keys), "The API keys, without their secrets", false},
		{post, "/v1/keys", "create-key", may(everywhere, admin), typed(s.createKey), "Make an API key. Its secret is shown this once", false},
		{del, "/v1/keys/{id}", "revoke-key", may(everywhere, admin), typed(s.revokeKey), "End an API key", false},
		{get, "/v1/people", "list-people", may(everywhere, admin), typed(s.people), "The people who sign in, and what they may do", false},
		{put, "/v1/people/{mail}", "set-person", may(everywhere, admin), typed(s.setPerson), "Say what a person may do", false},
		{get, "/v1/webhooks", "list-webhooks", may(everywhere, admin), typed(s.webhooks), "The webhooks, without their secrets", false},
		{post, "/v1/webhooks", "add-webhook", may(everywhere, admin), typed(s.addWebhook), "Tell an address what happens. Its secret is shown this once", false},
		{del, "/v1/webhooks/{id}", "remove-webhook", may(everywhere, admin), typed(s.removeWebhook), "End a webhook, and what it was not told yet", false},
		{post, "/v1/webhooks/{id}/ping", "ping-webhook", may(everywhere, admin), typed(s.pingWebhook), "Try a webhook; one that is paused goes on", false},
		{get, "/v1/webhooks/{id}/deliveries", "list-deliveries", may(everywhere, admin), typed(s.deliveries), "What a webhook was told and will be told, the newest first", false},
		{post, "/v1/deliveries/{id}/redeliver", "redeliver", may(everywhere, admin), typed(s.redeliver), "Send a delivery again, under the same id", false},
		{get, "/v1/audit", "audit", may(somewhere, registry.MayAudit), typed(s.audit), "Who did what, the oldest first", false},
		{get, "/v1/audit/verify", "verify-audit", may(everywhere, registry.MayAudit), typed(s.verifyAudit), "Whether the audit log is what was written", false},

		{post, "/v1/hooks/git/{kind}", "git-hook", open("the request is signed with the secret of the webhook"), plain(s.hook, describeHook), "The host of the repository tells of a push", false},
		{get, "/healthz", "healthz", open("tells only that the process answers"), plain(s.healthz, describeHealth), "The process answers", true},
		{get, "/readyz", "readyz", open("tells only whether the server is ready"), plain(s.readyz, describeHealth), "What runs is loaded, and the database takes writes", true},
		{get, "/metrics", "metrics", may(somewhere, read), plain(s.metrics.serve, describeText), "Figures for Prometheus", true},
		{get, "/openapi.json", "openapi", open("is the same for everybody"), plain(s.document, describeExport), "This document", false},
	}
	if in := s.config.SignIn; in != nil {
		who := open("is how one says who one is")
		rs = append(rs,
			route{get, auth.LoginPath, "login", who, outside(in.Login), "Sign in at the issuer", false},
			route{get, auth.CallbackPath, "login-callback", who, outside(in.Callback), "Come back from the issuer", false},
			route{post, auth.TokenPath, "login-token", who, outside(in.Token), "The command line takes over a sign-in", false},
			route{post, auth.KeyPath, "login-key", who, outside(in.Key), "Sign in with a key", false},
			route{post, auth.LogoutPath, "logout", who, outside(in.Logout), "Sign out", false},
		)
	}
	return rs
}

// outside is an endpoint of another room.
func outside(h http.HandlerFunc) endpoint {
	return plain(func(w *answer, r *http.Request) error {
		h(w, r)
		return nil
	}, func(_ *routing, op *huma.Operation) {
		op.Responses["200"] = &huma.Response{Description: "Done, or a page that leads on"}
		op.Responses["303"] = &huma.Response{Description: "Elsewhere"}
	})
}

// mount makes the routes. It refuses one of which it is not said who may use
// it.
func (s *Server) mount(routes []route) error {
	s.mux, s.routes = http.NewServeMux(), routes
	rt := newRouting(s.config.Version, s.config.Now)
	for i := range routes {
		r := &routes[i]
		if !r.policy.complete(r.path) {
			return fmt.Errorf("server: it is not said who may use %s %s", r.method, r.path)
		}
		r.endpoint(rt, operation(r))
		s.mux.HandleFunc(r.method+" "+r.path, s.guard(r, rt.handlers[r.name]))
	}
	s.mux.HandleFunc("/", s.nothing)
	s.spec = rt.api.OpenAPI()
	var err error
	s.openAPI, err = rt.document()
	return err
}

// operation is what the document says of a route.
func operation(r *route) huma.Operation {
	op := huma.Operation{OperationID: r.name, Method: r.method, Path: r.path, Summary: r.about, Tags: []string{section(r.path)}}
	if r.policy.open == "" {
		op.Security = []map[string][]string{{"key": {}}}
		op.Description = "Needs a key."
		if len(r.policy.any) > 0 {
			words := make([]string, len(r.policy.any))
			for i, p := range r.policy.any {
				words[i] = string(p)
			}
			op.Description = "Needs the permission " + strings.Join(words, " or ") + "."
		}
	}
	return op
}

func section(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v1"), "/")
	return parts[1]
}

// nothing answers what no route answers.
func (s *Server) nothing(rw http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		as := *r
		as.Method = method
		if _, pattern := s.mux.Handler(&as); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
		rw.Header().Set("Allow", strings.Join(allowed, ", "))
		Fail(rw, r, &statusError{http.StatusMethodNotAllowed, registry.Errorf(registry.ErrNotFound, "this path knows %s", strings.Join(allowed, " and "))})
		return
	}
	Fail(rw, r, registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is nothing at this path"), "/openapi.json lists what there is"))
}
