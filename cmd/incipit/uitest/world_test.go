package uitest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit"
)

// newWorld is a site in which everything that pages show has happened: prompts
// in folders, releases, a rollout that is open and one that was taken back,
// calls and feedback, evidence, approvals, keys, people and webhooks. callID is
// that of one of the calls.
func newWorld(t testing.TB) (s *site, callID string) {
	t.Helper()
	s = newRepo(t)
	const text = "prompts/customer-support/system-prompt.txt"
	s.edit("incipit.yaml", "    protected: true      # changes need --confirm production\n", "    protected: true\n    guard:\n      limit: 24h\n      bake: 1h\n")
	s.git("commit", "-qam", "the guard of production takes its time")
	s.append(text, "Be warm, and say you are sorry where we were wrong.\n")
	s.run("release", "customer-support", "--patch", "-m", "a warmer tone")
	s.append(text, "\nEnd with one question that helps the customer to go on.\n")
	s.run("release", "customer-support", "--minor", "-m", "asks back")
	for _, id := range []string{"billing/refunds", "billing/invoices", "sales/outreach"} {
		s.run("new", id)
		s.run("release", id, "--major", "-m", "the first one")
	}
	s.args = []string{"--dev", "--webhook-allow", "127.0.0.1", "--keep-content"}
	s.serve("127.0.0.1:0")
	live := []string{"--env", "production", "--confirm", "production", "--reason", "tested in staging"}
	s.far("deploy", "customer-support@1.1.0", "--env", "dev")
	s.far("deploy", "customer-support@1.0.1", "--env", "staging")
	s.far(append([]string{"deploy", "customer-support@1.0.0"}, live...)...)
	s.far(append([]string{"deploy", "customer-support@1.0.1"}, live...)...)
	s.far(append([]string{"rollback", "customer-support"}, live...)...)
	s.far("deploy", "billing/refunds@1.0.0", "--env", "dev")
	s.far("deploy", "data-extraction@1.0.0", "--env", "dev")
	s.far(append([]string{"deploy", "customer-support@1.1.0", "--canary", "20,50"}, live...)...)
	s.post("/v1/webhooks", `{"url":"http://127.0.0.1:9/hook"}`)
	s.post("/v1/keys", `{"kind":"ci","name":"pipeline","grants":[{"permissions":["read","deploy"],"environments":["dev","staging"],"prompts":["*"]}]}`)
	s.traffic("production", 60)
	s.post("/v1/calls/resp-3/feedback", `{"name":"helpful","value":0.5,"comment":"It answered, and did not help."}`)
	return s, "resp-3"
}

// append puts text at the end of a file of the repository.
func (s *site) append(name, text string) {
	s.t.Helper()
	s.write(name, s.read(name)+text)
}

// post sends JSON to the server, and returns the answer.
func (s *site) post(path, body string) string {
	s.t.Helper()
	resp, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("POST %s: %d %s %v", path, resp.StatusCode, answer, err)
	}
	return string(answer)
}

// traffic has an application answer so many customers, and waits until the
// server has its calls. Every seventh answer cannot be used.
func (s *site) traffic(env string, calls int) {
	s.t.Helper()
	var said bytes.Buffer
	client, err := incipit.New(s.t.Context(), incipit.Options{Server: s.url, Environment: env, CacheDir: "-", Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		s.t.Fatal(err)
	}
	for n := range calls {
		p, err := client.Prompt(s.t.Context(), "customer-support", incipit.Subject(fmt.Sprint("customer-", n)), incipit.Vars{
			"company_name": "Example", "product_name": "Example One", "support_hours": "9 to 5",
			"help_articles": "Hold the button for ten seconds.", "customer_message": "It does not start.",
		})
		if err != nil {
			s.t.Fatal(err)
		}
		call := p.Call()
		call.ResponseID, call.Latency, call.Outcome = fmt.Sprint("resp-", n), time.Duration(600+7*n)*time.Millisecond, "ok"
		call.InputTokens, call.OutputTokens = 640, int64(60+n)
		if n%7 == 6 {
			call.Outcome, call.ErrorClass = "error", "prompt"
		}
		client.Record(call)
	}
	if err := client.Close(s.t.Context()); err != nil || said.Len() > 0 {
		s.t.Fatal(err, said.String())
	}
}
