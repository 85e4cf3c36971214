package uitest

import (
	"os"
	"testing"
)

func TestHomeShowsWhatRunsWhereAndFollowsIt(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.sees("customer-support")
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	b.until("the deployment is shown", `document.querySelector("#matrix tbody tr td:nth-child(3)")?.innerText.includes("1.0.0")`)
	if dir := os.Getenv("PICTURES"); dir != "" {
		b.picture(dir + "/home.png")
	}
}
