package uitest

import (
	"os"
	"path/filepath"
	"testing"
)

// pictured takes pictures of a page for whoever looks at them: in both themes,
// narrow and wide.
func pictured(b *tab, name string) {
	b.t.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	for _, theme := range []string{"light", "dark"} {
		value[bool](b, `(document.documentElement.dataset.theme = `+quoted(theme)+`, true)`)
		b.size(1280, 900)
		b.picture(filepath.Join(dir, name+"-"+theme+".png"))
		b.size(320, 700)
		b.picture(filepath.Join(dir, name+"-"+theme+"-narrow.png"))
	}
	b.size(1280, 900)
}

func TestHomeShowsWhatRunsWhereAndFollowsIt(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.sees("customer-support")
	b.sees("Nothing runs anywhere yet")
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	b.until("the deployment is shown", `document.querySelector("#matrix tbody tr td:nth-child(3)")?.innerText.includes("1.0.0")`)
	pictured(b, "home")
}
