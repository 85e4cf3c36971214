// Command traffic is an application for the demo: it answers support questions
// with the prompt that the server gives it, records every call, and says what
// came of them. Its model is a stub that does what models do: it ends an answer
// with a status line if the prompt asks for one, and mostly even if not.
//
//	traffic -server URL -env production -prompt customer-support -rate 500
//
// It ends when standard input does, and then prints the response id of an answer
// that the application could not use, if there was one.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/incipit-dev/incipit"
)

func main() {
	var a app
	flag.StringVar(&a.options.Server, "server", "", "the server's `URL`")
	flag.StringVar(&a.options.Environment, "env", "production", "the `ENV`ironment")
	flag.StringVar(&a.prompt, "prompt", "customer-support", "the prompt's `ID`")
	flag.IntVar(&a.rate, "rate", 500, "calls a second")
	flag.Parse()
	if err := a.run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// An app answers questions.
type app struct {
	options incipit.Options
	prompt  string
	rate    int

	random *rand.Rand
	n      int
	bad    string // response id of an answer that could not be used
}

func (a *app) run(until io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan struct{})
	go func() { // ends with its input
		_, _ = io.Copy(io.Discard, bufio.NewReader(until))
		close(ended)
	}()
	a.options.CacheDir, a.options.Logger = "-", slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	client, err := incipit.New(ctx, a.options)
	if err != nil {
		return err
	}
	a.random = rand.New(rand.NewPCG(1, 7))
	pace := time.NewTicker(time.Second / time.Duration(a.rate))
	defer pace.Stop()
	for {
		select {
		case <-ended:
			err := client.Close(ctx)
			fmt.Fprintln(out, a.bad)
			return err
		case <-pace.C:
			if err := a.answer(ctx, client); err != nil {
				return err
			}
		}
	}
}

// answer answers one question of one customer.
func (a *app) answer(ctx context.Context, client *incipit.Client) error {
	a.n++
	p, err := client.Prompt(ctx, a.prompt, incipit.Subject(fmt.Sprintf("customer-%d", a.n)), incipit.Vars{
		"company_name": "Example", "product_name": "Example One", "support_hours": "9 to 5",
		"help_articles": "Hold the button for ten seconds.", "customer_message": "It does not start.",
	})
	if err != nil {
		return err
	}
	call := p.Call()
	call.ResponseID = fmt.Sprintf("resp-%d", a.n)
	call.Latency = time.Duration(600+a.random.IntN(800)) * time.Millisecond
	call.InputTokens, call.OutputTokens = 640, int64(60+a.random.IntN(80))
	call.Outcome = "ok"
	if !a.usable(p) {
		call.Outcome, call.ErrorClass = "error", "prompt"
		if p.Arm == "candidate" {
			a.bad = call.ResponseID
		}
	}
	client.Record(call)
	return nil
}

// usable reports whether the answer's last line is a status, by which the
// application files it.
func (a *app) usable(p incipit.Prompt) bool {
	asked := strings.Contains(p.Messages[0].Content, "STATUS: answered")
	if asked {
		return a.random.Float64() > .01
	}
	return a.random.Float64() > .3
}
