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
	fmt.Fprintf(e.stderr, "\n%s is protected. Type its name to go on: ", p.Environment)
	answer := make(chan string, 1)
	go func() { // waits for the person; ends with the answer, or when we are gone
		line, err := bufio.NewReader(e.in).ReadString('\n')
		if err != nil {
			line = "" // no answer is no confirmation, which the service says
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case req.Confirm = <-answer:
		return nil
	case <-ctx.Done():
		fmt.Fprintln(e.stderr)
		return context.Cause(ctx)
	}
}
