package provider

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// A program answers on its standard output what it is asked by its arguments:
// the prompt, the provider's config, and the request, the latter as JSON.
type program struct {
	id      string
	argv    []string
	config  string // JSON
	dir     string
	env     []string
	allowed bool
	timeout time.Duration
	max     int64
	hide    func(string) string
	now     func() time.Time
}

// maxArg bounds one argument, in bytes: Linux takes 128 KiB, MAX_ARG_STRLEN.
const maxArg = 120 << 10

func openExec(spec Spec, command string, set settings, c Config) (*program, error) {
	argv, err := SplitArgv(command)
	if err != nil || len(argv) == 0 || argv[0] == "" {
		return nil, refuse(spec.ID, `write exec:PROGRAM ARGUMENT "ARGUMENT WITH SPACES"`, "%q is no command", prompt.Clip(command, 80))
	}
	id := "exec:" + command
	if len(set.raw) > 0 {
		id += "#" + fingerprint(set.raw)
	}
	p := &program{
		id: id, argv: argv, config: string(mustJSON(map[string]any{"config": set.raw})), dir: c.Dir, allowed: c.AllowExec,
		timeout: cmp.Or(set.timeout, c.timeout()), max: c.maxResponse(), hide: c.Hider(), now: c.Now,
	}
	for _, name := range []string{"PATH", "HOME", "LANG"} {
		if v := c.Getenv(name); v != "" {
			p.env = append(p.env, name+"="+v)
		}
	}
	return p, nil
}

// fingerprint tells configs apart, for an ID.
func fingerprint(v any) string {
	raw, err := strictjson.Canonical(v)
	if err != nil {
		raw = mustJSON(v)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:6])
}

// ID is exec: and the command.
func (p *program) ID() string { return p.id }

// free is true: what a program costs is not known here, and not of tokens.
func (p *program) free() bool { return true }

// Call runs the program once, without a shell. Its environment is PATH, HOME
// and LANG; its processes end with the call.
func (p *program) Call(ctx context.Context, r Request) (Response, error) {
	if !p.allowed {
		return Response{}, &Error{Kind: Rejected, Provider: p.id, Text: "programs of a suite are not started", Fix: "read what it starts; if you trust it, allow it with --allow exec"}
	}
	text := PromptText(r)
	request := string(mustJSON(map[string]any{"request": r, "vars": map[string]any{}}))
	for _, arg := range []string{text, request, p.config} {
		if len(arg) > maxArg || strings.ContainsRune(arg, 0) {
			return Response{}, refuse(p.id, "send it over HTTP", "the prompt cannot be an argument of a program: it is %d bytes long, or holds a zero byte", len(arg))
		}
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, p.argv[0], append(p.argv[1:len(p.argv):len(p.argv)], text, p.config, request)...) //nolint:gosec // allowed by the user, see AllowExec
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.WaitDelay = time.Second
	endTogether(cmd)
	stdout, stderr := &bounded{max: p.max, full: cancel}, &bounded{max: 64 << 10, full: func() {}}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	began := p.now()
	err := cmd.Run()
	endGroup(cmd)
	if errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		err = nil // it ended; what it left behind kept its output open, and is gone now
	}
	if ctx.Err() != nil {
		return Response{}, ctx.Err()
	}
	return p.answer(limited, stdout, stderr, err, p.now().Sub(began))
}

func (p *program) answer(ctx context.Context, stdout, stderr *bounded, err error, took time.Duration) (Response, error) {
	out, said := stdout.text(), stderr.text()
	switch {
	case stdout.over:
		return Response{}, garbled(p.id, "the program wrote more than %d MiB", p.max>>20)
	case ctx.Err() != nil:
		return Response{}, &Error{Kind: Unavailable, Provider: p.id, Text: fmt.Sprintf("the program did not end within %s", p.timeout), Fix: "raise the provider's timeout, in milliseconds"}
	case err != nil || out == "" && said != "":
		text := "the program failed"
		if err != nil {
			text += ": " + err.Error()
		}
		if said != "" {
			text += ": " + said
		}
		return Response{}, &Error{Kind: Unavailable, Provider: p.id, Text: prompt.Clip(p.hide(text), maxText), Fix: "run it by hand"}
	case !utf8.ValidString(out):
		return Response{}, garbled(p.id, "what the program wrote is not valid UTF-8")
	}
	nothing := 0.0
	return Response{Output: out, FinishReason: "stop", LatencyMS: milliseconds(took), Cost: &nothing}, nil
}

// bounded keeps what is written up to a bound, and tells when there is more.
type bounded struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	max  int64
	over bool
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := b.max - int64(b.buf.Len()); int64(len(p)) > room {
		b.buf.Write(p[:room])
		b.over = true
		b.full()
		return len(p), nil
	}
	return b.buf.Write(p)
}

func (b *bounded) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.buf.String())
}
