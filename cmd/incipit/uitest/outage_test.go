package uitest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAPageOutlivesItsServerAndCatchesUp(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.expect("net::ERR_") // which is what an outage looks like
	b.open(s.url + "/")
	b.sees("customer-support")
	address := strings.TrimPrefix(s.url, "http://")
	s.stop()
	b.until("the banner is there", `!document.querySelector("#banner").hidden`)
	b.sees("The server does not answer. What you see is as of")
	b.sees("customer-support") // what was shown can be read on
	s.serve(address)
	b.until("the banner is gone", `document.querySelector("#banner").hidden`)
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	b.until("it follows again", `document.querySelector("#matrix").innerText.split("1.0.0").length > 2`)
}

// A change made in one window shows in another one of the same browser, and in
// another browser. Whether that takes less than a second the benchmark says.
func TestOpenPagesAgree(t *testing.T) {
	s := newSite(t)
	first := newTab(t)
	first.open(s.url + "/")
	second, third := first.another(), newTab(t)
	second.open(s.url + "/")
	third.open(s.url + "/")
	for _, version := range []string{"customer-support@1.0.0", "data-extraction@1.0.0"} {
		s.far("deploy", version, "--env", "staging")
		for _, b := range []*tab{first, second, third} {
			id, _, _ := strings.Cut(version, "@")
			b.until(version+" is shown", `[...document.querySelectorAll("#matrix tr")].some((r) => r.innerText.includes("`+id+`") && r.innerText.split("1.0.0").length > 2)`)
		}
	}
	// The window that listened for the others is closed, and one takes over.
	if err := chromedp.Cancel(first.ctx); err != nil {
		t.Fatal(err)
	}
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	third.until("the third follows", `document.querySelector("#matrix").innerText.split("1.0.0").length > 5`)
}

func TestTheThemeIsThereWithTheFirstByte(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	for _, theme := range themes() {
		b.theme(s, theme)
		b.open(s.url + "/")
		if html := value[string](b, `fetch("/").then((r) => r.text())`); !strings.Contains(html, `data-theme="`+theme+`"`) {
			t.Errorf("the page does not come in %s", theme)
		}
		if background := value[string](b, `getComputedStyle(document.body).backgroundColor`); (background == "rgb(20, 21, 26)") != (theme == "dark") {
			t.Errorf("in %s the page is %s", theme, background)
		}
	}
}
