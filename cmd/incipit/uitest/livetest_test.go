package uitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// aModel stands for a provider of models: it speaks Anthropic's messages, as the
// prompt that incipit init makes wants it, and answers what answers says.
type aModel struct {
	url     string
	asked   atomic.Int64
	gone    atomic.Int64 // who asked and did not wait
	answers atomic.Value // string: a kind below, or the text of an answer
	read    atomic.Value // string: the last body
	key     atomic.Value // string: of the last request
}

const (
	refusesKeys = "refuses keys"
	never       = "never"
)

func newModel(t *testing.T) *aModel {
	t.Helper()
	m := new(aModel)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/messages" {
			http.Error(w, "not how one asks", http.StatusBadRequest)
			return
		}
		m.asked.Add(1)
		m.read.Store(string(body))
		m.key.Store(r.Header.Get("X-Api-Key"))
		switch text := m.answers.Load().(string); text {
		case refusesKeys:
			w.WriteHeader(http.StatusUnauthorized)
			says(w, map[string]any{"type": "error", "error": map[string]string{"type": "authentication_error", "message": "the key " + r.Header.Get("X-Api-Key") + " is not valid"}})
		case never:
			<-r.Context().Done()
			m.gone.Add(1)
		default:
			says(w, map[string]any{
				"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "stop_reason": "end_turn",
				"content": []any{map[string]string{"type": "text", "text": text}}, "usage": map[string]int{"input_tokens": 1000, "output_tokens": 100},
			})
		}
	}))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	return m
}

const twoCases = `defaultTest:
  vars: {company_name: Example, product_name: Example, support_hours: always, help_articles: none, customer_message: It does not work.}
tests:
  - description: asks what does not work
    assert:
      - {type: contains, value: '?'}
  - description: says when it will
    assert:
      - {type: contains, value: tomorrow}
`

// newLiveSite is a site whose editors may ask a model, for so many dollars a run.
func newLiveSite(t *testing.T, dollars string) (*site, *aModel) {
	t.Helper()
	m := newModel(t)
	s := newRepo(t)
	s.write("tests/customer-support.yaml", twoCases)
	s.git("commit", "-qam", "two cases")
	s.env = append(s.env, "ANTHROPIC_BASE_URL="+m.url, "ANTHROPIC_API_KEY=the-servers-own-key")
	s.serveOrigin("--dev", "--test-live", "--test-max-cost", dollars)
	return s, m
}

func TestADraftIsTriedOnAModel(t *testing.T) {
	s, m := newLiveSite(t, "0.50")
	b := newTab(t)
	b.open(s.url + editPath)
	b.adds("system", "\nThank people for their patience.")
	b.untilSaved()
	m.answers.Store("Thank you for your patience. What do you see? <b id='mine'>")
	b.press("Run the tests")
	b.until("one case passed, one did not", `document.querySelector("#test [role=status]")?.innerText.includes("1 passed, 1 failed, 0 errors")`)
	b.sees("asked of providers")
	b.sees("0.0090 US dollars")
	b.click("#test details summary")
	b.sees("Thank you for your patience. What do you see? <b id='mine'>")
	b.fits()
	b.accessible()
	b.clean("a test of a draft")
	if n, read, key := m.asked.Load(), m.read.Load().(string), m.key.Load(); n != 2 || !strings.Contains(read, "Thank people for their patience.") || !strings.Contains(read, "It does not work.") || key != "the-servers-own-key" {
		t.Errorf("%d requests, the last with key %v: %s", n, key, read)
	}

	m.answers.Store(refusesKeys)
	b.press("Run the tests")
	b.until("neither could be asked", `document.querySelector("#test [role=status]")?.innerText.includes("0 passed, 0 failed, 2 errors")`)
	if page := value[string](b, `document.documentElement.outerHTML`); strings.Contains(page, "the-servers-own-key") {
		t.Error("the page has the key")
	}

	m.answers.Store(never)
	b.press("Run the tests")
	s.eventually("the model is asked", func() bool { return m.asked.Load() > 5 })
	b.press("Cancel")
	b.sees("Canceled. Nothing is kept of it.")
	s.eventually("the model is left alone", func() bool { return m.gone.Load() > 0 })
	m.answers.Store("What? I see tomorrow.")
	b.press("Run the tests")
	b.until("the next run is not held up", `document.querySelector("#test [role=status]")?.innerText.includes("2 passed")`)
}

func TestATestOfADraftEndsBeforeItCostsTooMuch(t *testing.T) {
	s, m := newLiveSite(t, "0.001")
	m.answers.Store("What?")
	b := newTab(t)
	b.open(s.url + editPath)
	b.press("Run the tests")
	b.sees("0 passed, 0 failed, 2 errors")
	b.sees("the call could pass the limit of $0.001")
	if n := m.asked.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}
