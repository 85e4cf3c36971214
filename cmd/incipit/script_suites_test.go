package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// evilOutput is what a model says to whoever shows it: it closes fences, talks
// to a CI system and to a terminal, and holds what XML cannot.
const evilOutput = "```\n</details>\n::add-mask::x\n\x1b[31mred\x1b]0;title\x07 <script>alert(1)</script> ]]> \x00\x01 ![x](http://example.com/x.png)\n````\n<!-- incipit:report -->"

// answering starts a provider with the wire of OpenAI. The first part of a path
// says how it behaves. Whatever it is sent as a key makes it answer "stolen".
func answering(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Key") != "" {
			chatAnswer(w, "stolen")
			return
		}
		behave(w, r, strings.Split(r.URL.Path, "/")[1])
	}))
	ts.Defer(s.Close)
	ts.Setenv("PROVIDER", s.URL)
}

func behave(w http.ResponseWriter, r *http.Request, how string) {
	switch how {
	case "limited":
		w.Header().Set("Retry-After", "3600")
		http.Error(w, `{"error":{"message":"slow down"}}`, http.StatusTooManyRequests)
	case "half":
		fmt.Fprint(w, `{"id":"x","choices":[{"mess`)
	case "large":
		chatAnswer(w, strings.Repeat("x", 50_000_000))
	case "garbled":
		fmt.Fprint(w, "{\"id\":\"\xff\xfe\"}")
	case "elsewhere":
		http.Redirect(w, r, "/fine/v1/chat/completions", http.StatusFound)
	case "endless":
		blanks := strings.Repeat(" ", 64<<10)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, blanks); err != nil {
				return
			}
		}
	case "silent":
		<-r.Context().Done()
	case "evil":
		chatAnswer(w, evilOutput)
	case "prose":
		chatAnswer(w, "It is fine, really.")
	default:
		chatAnswer(w, "hi")
	}
}

func chatAnswer(w http.ResponseWriter, text string) {
	content, err := json.Marshal(text)
	if err != nil {
		panic(err) // of a constant
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":`+
		string(content)+`}}],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}`)
}

// vast makes a file of 1 GiB of which nothing is on disk.
func vast(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(f.Truncate(1 << 30))
	ts.Check(f.Close())
}
