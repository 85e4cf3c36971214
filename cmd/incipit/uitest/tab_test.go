package uitest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A tab is a window of the browser. What goes wrong in its pages (a script
// that fails, a request that the policy forbids or the server refuses, a dialog
// that a script opens) fails the test, unless it is expected.
type tab struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // it is the window: chromedp finds it there

	mu       sync.Mutex
	wrong    []string
	expected []string
}

// patience is how long a page may take to come to what a test waits for. It is
// no figure: a loaded machine is slow.
const patience = time.Minute

// newTab is a window of a browser that knows nothing: no cookies, no storage.
func newTab(t testing.TB) *tab {
	t.Helper()
	if err := chromedp.Do(browser); err != nil { // starts it, the first time
		t.Fatalf("there is no Chromium to test the pages with: %v\nmake test-deps installs it", err)
	}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	return openTab(ctx, t, end)
}

// another is a second window of the same browser.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	return openTab(ctx, b.t, end)
}

func openTab(ctx context.Context, t testing.TB, end context.CancelFunc) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.notice); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	t.Cleanup(func() {
		b.mu.Lock()
		for _, w := range b.wrong {
			t.Errorf("in the browser: %s", w)
		}
		b.mu.Unlock()
		end()
	})
	return b
}

func (b *tab) notice(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			said = e.Entry.Text + " " + e.Entry.URL
		}
	case *page.EventJavascriptDialogOpening:
		said = "a script opened a dialog: " + e.Message
		go func() { // or the page waits; ends with the answer
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.expected {
		if strings.Contains(said, x) {
			return
		}
	}
	if said != "" {
		b.wrong = append(b.wrong, said)
	}
}

// expect lets something go wrong whose report holds a text.
func (b *tab) expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, text)
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v\nat %s:\n%s", err, b.at(), b.body())
	}
}

// open goes to a page and waits until it is there.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
}

// click clicks on the first visible element that a CSS selector finds.
func (b *tab) click(selector string) {
	b.t.Helper()
	hit(b, chromedp.CSS(selector))
}

// hit clicks on the first visible element that is found, once the scripts of
// its page run: before, a dialog's link leads to a page, and nobody hears a key.
func hit[S chromedp.Selectable](b *tab, where S) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(where))
	b.until("its scripts run", "true")
	b.do(chromedp.Click(where, chromedp.NodeVisible))
}

// press clicks on a link or button by the text on it.
func (b *tab) press(text string) {
	b.t.Helper()
	hit(b, fmt.Sprintf(`//*[self::a or self::button or self::summary][contains(normalize-space(.), %q)]`, text))
}

// fill types into a field in the place of what stands in it, by the keys.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	b.until("its scripts run", "true")
	value[bool](b, fmt.Sprintf(`((f) => { f.focus(); f.select(); return true; })(document.querySelector(%s))`, quoted(selector)))
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// sees waits until the page shows a text.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.until("it shows "+text, fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted(text)))
}

// until waits until an expression is true in the page, and its scripts run.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	for ctx.Err() == nil {
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && Boolean(`+expression+`)`)); err == nil && is {
			return
		}
		_ = chromedp.Do(ctx, chromedp.Sleep(20*time.Millisecond)) // polls: the page tells nobody
	}
	b.t.Fatalf("waited in vain until %s\nat %s:\n%s", what, b.at(), b.body())
}

// value is that of an expression in the page, once a promise is kept.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	return got(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// got is what an action brings.
func got[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%v\nat %s:\n%s", err, b.at(), b.body())
	}
	return v
}

// text is what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(got(b, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible)))
}

// at is the address of the page.
func (b *tab) at() string { return b.brief(chromedp.Location()) }

// body is what the page shows.
func (b *tab) body() string { return b.brief(chromedp.Evaluate[string](`document.body.innerText`)) }

// brief is for messages about what went wrong: it waits for nothing long.
func (b *tab) brief(action chromedp.Action[string]) string {
	ctx, stop := context.WithTimeout(b.ctx, 5*time.Second)
	defer stop()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		return err.Error()
	}
	return out
}

// size makes the window so large, in pixels.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// picture writes what the window shows to a WebP file, which is a third of a PNG.
func (b *tab) picture(file string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp})
	if err == nil {
		err = os.WriteFile(file, shot.Data, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can be
	}
	return string(text)
}
