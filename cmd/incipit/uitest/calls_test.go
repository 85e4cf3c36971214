package uitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A callSent is a call as an application sends it.
type callSent map[string]any

// newCallSite is a site with two releases of customer-support, a rollout of the
// second in production, and calls of both: of each hour of the last day some,
// the last of them resp_last.
func newCallSite(t testing.TB) *site {
	t.Helper()
	s := newRepo(t)
	s.edit("prompts/customer-support/system-prompt.txt", "Calm, direct, and polite.", "Warm, direct, and polite. Say sorry once where we were wrong.")
	s.run("release", "customer-support", "--patch", "-m", "a warmer tone, after <b>complaints</b>")
	s.args = []string{"--dev", "--keep-content"}
	s.serve("127.0.0.1:0")
	s.far("deploy", "customer-support@1.0.0", "--env", "production", "--confirm", "production", "--reason", "the first one")
	s.far("deploy", "customer-support@1.0.1", "--env", "production", "--confirm", "production", "--reason", "fewer complaints", "--canary", "25,50")
	s.recordCalls(callsOfADay(time.Now().UTC())...)
	return s
}

func callsOfADay(now time.Time) []callSent {
	var out []callSent
	for i := range 24 * 12 {
		c := callSent{
			"prompt": "customer-support", "version": "1.0.0", "arm": "stable", "environment": "production", "outcome": "ok", "model": "model-a",
			"started_at": now.Add(-time.Duration(i)*5*time.Minute - time.Minute).Format(time.RFC3339Nano), "latency_ms": 700 + 37*(i%23), "ttft_ms": 180 + i%60,
			"input_tokens": 600 + i%90, "cached_tokens": 400, "output_tokens": 90 + i%40, "cost_usd": 0.0021, "response_id": fmt.Sprintf("resp_%d", i),
		}
		if i%3 == 0 && i < 60 {
			c["version"], c["arm"], c["latency_ms"] = "1.0.1", "candidate", 900+41*(i%19)
		}
		if i%7 == 2 {
			c["outcome"], c["error_class"] = "error", []string{"provider", "timeout", "prompt"}[i%3]
		}
		if i%5 == 1 {
			c["satisfaction"] = 1 + i%5
		}
		out = append(out, c)
	}
	out[0]["response_id"], out[0]["finish_reason"], out[0]["tags"] = "resp_last", "stop", map[string]string{"page": "checkout"}
	out[0]["started_at"] = now.Format(time.RFC3339Nano) // since what runs was deployed
	out[0]["input"] = `{"company_name":"Example Inc","product_name":"Widget","customer_message":"Where is my order? <script>window.__x=1</script>"}`
	out[0]["output"] = "It is on its way.\u200b\nSTATUS: answered"
	return out
}

// recordCalls sends calls to the server, which takes all of them.
func (s *site) recordCalls(calls ...callSent) {
	s.t.Helper()
	text, err := json.Marshal(calls)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/v1/calls", "application/json", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(answer), fmt.Sprintf(`"accepted":%d`, len(calls))) {
		s.t.Fatalf("%d: %s %v", resp.StatusCode, answer, err)
	}
}

func TestAResponseLeadsToTheExactText(t *testing.T) {
	s := newCallSite(t)
	b := newTab(t)
	b.open(s.url + "/calls")
	b.fits()
	b.fill("#ref", "resp_last")
	b.press("Trace it")
	b.sees("customer-support@1.0.1")
	b.sees("as they were sent")
	b.sees("Where is my order? <script>window.__x=1</script>")
	b.sees("Say sorry once where we were wrong.")
	b.sees("a warmer tone, after <b>complaints</b>")
	b.sees("fewer complaints")
	b.sees("25 % of the subjects got this release")
	b.sees("It is on its way.U+200B")
	b.until("what changed is marked", `[...document.querySelectorAll("ins")].map((e) => e.innerText).join("").includes("Warm") && [...document.querySelectorAll("del")].map((e) => e.innerText).join("").includes("Calm")`)
	b.until("nothing of it ran", `window.__x === undefined`)
	b.press("As it was released")
	b.until("variables are marked", `[...document.querySelectorAll(".variable")].some((e) => e.innerText === "{{company_name}}")`)
	b.fits()

	b.expect("422")
	b.fill("#value", "9")
	b.fill("#comment", "too short")
	b.press("Send feedback")
	b.sees("must be from 1 to 5")
	b.until("what was typed is kept", `document.querySelector("#value").value === "9" && document.querySelector("#comment").value === "too short"`)
	b.fill("#value", "2")
	b.press("Send feedback")
	b.sees("satisfaction 2 of 5")
	b.sees("too short")

	b.expect("404")
	b.open(s.url + "/calls/resp_gone")
	b.sees(`there is no call "resp_gone"`)
	b.sees("30 days")
}

func TestCallsAreChosenByAnAddressThatCanBeShared(t *testing.T) {
	s := newCallSite(t)
	b := newTab(t)
	b.open(s.url + "/calls")
	b.until("the newest come first", `document.querySelectorAll("#calls tbody tr").length === 50 && document.querySelector("#calls tbody tr").innerText.includes("resp_last")`)
	b.press("Older calls")
	b.sees("Newest calls")
	b.until("others are shown", `!document.querySelector("#calls").innerText.includes("resp_last")`)
	value[bool](b, `(document.querySelector("#outcome").value = "error", document.querySelector("#error_class").value = "timeout", true)`)
	b.fill("#prompt", "customer-support")
	b.click("form.filters button")
	b.until("the address says what was chosen", `location.search === "?error_class=timeout&outcome=error&prompt=customer-support"`)
	b.until("timeouts alone are shown", `[...document.querySelectorAll("#calls tbody tr")].every((r) => r.innerText.includes("timeout")) && document.querySelectorAll("#calls tbody tr").length > 3`)
	where := b.at()
	other := newTab(t)
	other.open(where)
	other.until("the other window shows the same", fmt.Sprintf(`document.querySelector("#error_class").value === "timeout" && document.querySelectorAll("#calls tbody tr").length === %d`, value[int](b, `document.querySelectorAll("#calls tbody tr").length`)))
	other.until("the tabs of the prompt say where one is", `document.querySelector(".tabs a[aria-current]").innerText === "Calls"`)

	b.fill("#score", "satisfaction<=1")
	b.click("form.filters button")
	b.sees("No such calls")
	b.fill("#score", "<<")
	b.expect("422")
	b.click("form.filters button")
	b.until("what was typed is kept beside what is wrong", `document.querySelector("#score").value === "<<" && document.querySelector(".problem")`)
}

func TestFiguresOverTimeAreDrawnFromTheirTables(t *testing.T) {
	s := newCallSite(t)
	b := newTab(t)
	at := s.url + "/prompts/customer-support/stats"
	b.open(at)
	b.until("there is a chart of each figure, and it says what it shows",
		`document.querySelectorAll(".chart canvas[role=img]").length >= 8 && document.querySelector("#chart-p95 canvas").ariaLabel.startsWith("Latency, p95: 1.0.1 from ")`)
	b.until("the legend names the lines", `[...document.querySelectorAll("#chart-p95 .legend li[class^=series]")].map((e) => e.innerText.trim()).join() === "1.0.1,1.0.0"`)
	b.until("the last figure of the label is that of the table", `(() => {
		const rows = [...document.querySelector("#chart-p95 table").tBodies[0].rows], last = rows.findLast((r) => r.cells[1].dataset.value !== "");
		return document.querySelector("#chart-p95 canvas").ariaLabel.includes("last " + last.cells[1].textContent + "; 1.0.0");
	})()`)
	b.until("it is not blank", `(() => {
		const c = document.querySelector("#chart-p95 canvas"), data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		let drawn = 0;
		for (let i = 3; i < data.length; i += 4) if (data[i] > 0) drawn++;
		return drawn > 1000;
	})()`)
	b.sees("deploy 1.0.0 → 1.0.1 at 25 %")
	b.press("Latency, p95: the figures")
	b.until("the table opens", `document.querySelector("#chart-p95 table").checkVisibility()`)
	s.far("rollback", "customer-support", "--env", "production", "--confirm", "production", "--reason", "worse")
	b.sees("rollback 1.0.0")
	b.until("charts are drawn again, and what was open stays so", `document.querySelectorAll(".chart canvas[role=img]").length >= 8 && document.querySelector("#chart-p95 table").checkVisibility()`)
	b.fits()
	b.press("30d")
	b.until("the address says so", `location.search === "?since=30d"`)
	b.press("arm")
	b.until("a line is an arm", `document.querySelector("#chart-p95 .legend li").innerText.trim() === "1.0.1 candidate"`)
	b.open(s.url + "/prompts/data-extraction/stats")
	b.sees("No calls in this period")
}
