package uitest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
)

// asProgram says that this test binary is to be the program.
const asProgram = "INCIPIT_UITEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ(), time.Now))
	}
	os.Exit(withBrowser(m))
}

// browser is the Chromium of all tests. TestMain has no other way to hand it to
// them.
var browser context.Context

// withBrowser runs the tests beside a browser that starts with the first of
// them. Where there is none, they fail: make test-deps installs it.
func withBrowser(m *testing.M) int {
	profile, err := os.MkdirTemp("", "incipit-chromium-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(profile)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, // a container's root has no sandbox, and no pictures leave this process
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.WindowSize(1280, 900),
	)
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	defer release()
	var end context.CancelFunc
	browser, end = chromedp.NewContext(allocator)
	defer end()
	return m.Run()
}
