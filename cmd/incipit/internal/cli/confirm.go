package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// confirm asks a person at a terminal to type the name of a protected
// environment, after showing what would happen. Anywhere else the flag must be
// given, and nothing waits.
func (e *env) confirm(ctx context.Context, svc backend, req *registry.Request) error {
	if req.Confirm != "" || !e.talkTTY {
		return nil
	}
	p, err := svc.Plan(ctx, *req)
	if err != nil || !p.Protected || p.Already != "" {
		return err
	}
	printPlan(e.stderr, p)
	req.Confirm, err = e.ask(ctx, fmt.Sprintf("\n%s is protected. Type its name to go on: ", p.Environment))
	return err
}

// ask asks the person at the terminal, and returns what they typed. No answer
// is "".
func (e *env) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(e.stderr, question)
	answer := make(chan string, 1)
	go func() { // waits for the person; ends with the answer, or when we are gone
		line, err := bufio.NewReader(e.in).ReadString('\n')
		if err != nil {
			line = ""
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case typed := <-answer:
		return typed, nil
	case <-ctx.Done():
		fmt.Fprintln(e.stderr)
		return "", context.Cause(ctx)
	}
}
