package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// revisionWait is how long resolve waits for a revision that is still to come.
const revisionWait = 2 * time.Second

const maxSubject = 1 << 10 // bytes

// An armed release is ready to be rendered; what does not depend on the
// request is encoded already.
type armed struct {
	template   *prompt.Template
	head, tail []byte
}

func newArmed(env string, id prompt.ID, a registry.Arm, p prompt.Prompt) (*armed, error) {
	t, err := prompt.Compile(p)
	if err != nil {
		return nil, err
	}
	out := &armed{template: t, head: []byte{'{'}}
	for _, field := range [][2]string{
		{"prompt", string(id)}, {"version", a.Version.String()}, {"digest", a.Digest}, {"commit", a.Commit}, {"arm", a.Name}, {"environment", env}, {"model", p.Model},
	} {
		out.head = append(append(out.head, '"'), field[0]...)
		out.head = append(appendString(append(out.head, `":`...), field[1]), ',')
	}
	for _, field := range []struct {
		name string
		raw  json.RawMessage
	}{{"parameters", p.Parameters}, {"tools", p.Tools}, {"output_schema", p.OutputSchema}} {
		if len(field.raw) > 0 {
			out.tail = append(append(append(out.tail, `,"`...), field.name...), `":`...)
			out.tail = append(out.tail, field.raw...)
		}
	}
	out.tail = append(out.tail, "}\n"...)
	return out, nil
}

// resolve answers with a prompt, rendered for a subject.
func (s *Server) resolve(w *answer, r *http.Request) error {
	if err := w.read(r, maxBody); err != nil {
		return err
	}
	req, err := readResolve(w.body)
	if err != nil {
		return err
	}
	env := r.PathValue("environment")
	if err := w.caller.May(registry.MayResolve, env, req.Prompt); err != nil {
		return err
	}
	now, err := s.resolvable(r.Context(), env, req.MinRevision)
	if err != nil {
		return err
	}
	e := now.entries[req.Prompt]
	if e == nil || e.Removed {
		_, _, err := registry.Resolve(&registry.Snapshot{Environment: env, Prompts: map[prompt.ID]*registry.Entry{req.Prompt: e.decoded()}}, req.Prompt, req.Subject)
		return registry.WithFix(err, "incipit list --env %s shows what runs there", env)
	}
	a := e.arms[e.Rollout.Assign(req.Subject).Name]
	messages, err := a.template.Render(req.Variables)
	if err != nil {
		return registry.WithFix(err, "incipit show %s names the variables", req.Prompt)
	}
	id, err := s.callID()
	if err != nil {
		return err
	}
	return w.json(a.answer(now, id, messages))
}

func (e *entry) decoded() *registry.Entry {
	if e == nil {
		return nil
	}
	return e.Entry
}

func (a *armed) answer(now *state, callID string, messages []prompt.Message) []byte {
	size := len(a.head) + len(a.tail) + 160
	for _, m := range messages {
		size += len(m.Content) + len(m.Content)/16 + 48
	}
	b := append(make([]byte, 0, size), a.head...)
	b = strconv.AppendInt(append(b, `"generation":`...), now.generation, 10)
	b = strconv.AppendInt(append(b, `,"revision":`...), now.revision, 10)
	b = append(append(append(b, `,"call_id":"`...), callID...), `","messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"role":`...), m.Role)
		b = append(appendString(append(b, `,"content":`...), m.Content), '}')
	}
	return append(append(b, ']'), a.tail...)
}

func (s *Server) callID() (string, error) {
	var random [10]byte
	if _, err := io.ReadFull(s.config.Random, random[:]); err != nil {
		return "", err
	}
	return registry.NewCallID(s.config.Now(), random), nil
}

// resolvable is the state to resolve from: one that is at revision min at
// least. It waits for that a moment, then reports a 412.
func (s *Server) resolvable(ctx context.Context, env string, least int64) (*state, error) {
	f, err := s.hub.feed(ctx, env)
	if err != nil {
		return nil, err
	}
	now := f.now.Load()
	if now.revision >= least {
		return now, nil
	}
	ctx, cancel := context.WithTimeout(ctx, revisionWait)
	defer cancel()
	_ = f.refresh(ctx) // a store that is away may be back in time
	for now = f.now.Load(); now.revision < least; now = f.now.Load() {
		select {
		case <-now.next:
		case <-ctx.Done():
			return nil, &statusError{http.StatusPreconditionFailed, registry.WithFix(
				registry.Errorf(registry.ErrUnavailable, "%s is at revision %d here, not yet at %d", env, now.revision, least), "try again, or ask for a revision that exists")}
		}
	}
	return now, nil
}

// readResolve reads a body strictly, without reflection: each name is written
// exactly so, and stands there once.
func readResolve(body []byte) (req api.ResolveRequest, err error) {
	members, err := strictjson.Members(body)
	if err != nil {
		return req, registry.Errorf(prompt.ErrInvalid, "the body cannot be read: %v", err)
	}
	for _, m := range members {
		value := body[m.Start:m.End]
		switch m.Key {
		case "prompt":
			var id string
			id, err = readString(value)
			req.Prompt = prompt.ID(id)
		case "subject":
			req.Subject, err = readString(value)
		case "variables":
			req.Variables, err = readStrings(value)
		case "min_revision":
			req.MinRevision, err = strconv.ParseInt(string(value), 10, 64)
		default:
			err = errors.New("it is not known here")
		}
		if err != nil {
			return req, registry.Errorf(prompt.ErrInvalid, "%q in the body: %v", prompt.Clip(m.Key, 60), err)
		}
	}
	if _, err := prompt.ParseID(string(req.Prompt)); err != nil {
		return req, err
	}
	if req.Subject == "" || len(req.Subject) > maxSubject {
		return req, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a subject has 1 to %d bytes", maxSubject), "name the user, else the conversation, else the request")
	}
	return req, nil
}

// readStrings reads an object of strings that was checked.
func readStrings(value []byte) (map[string]string, error) {
	if value[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	out := make(map[string]string)
	for at := skip(value, 1); value[at] != '}'; at = skip(value, at) {
		end := closing(value, at)
		key, err := readString(value[at:end])
		if err != nil {
			return nil, err
		}
		at = skip(value, end)
		if value[at] != '"' {
			return nil, fmt.Errorf("the value of %s is not a string", prompt.Clip(key, 60))
		}
		end = closing(value, at)
		if out[key], err = readString(value[at:end]); err != nil {
			return nil, err
		}
		at = end
	}
	return out, nil
}

// skip is where what is neither space nor punctuation between members begins.
func skip(value []byte, at int) int {
	for strings.IndexByte(" \t\r\n,:", value[at]) >= 0 {
		at++
	}
	return at
}

// closing is behind the quote that ends the string at at.
func closing(value []byte, at int) int {
	for at++; value[at] != '"'; at++ {
		if value[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// readString reads a JSON string that was checked.
func readString(value []byte) (s string, err error) {
	if value[0] != '"' {
		return "", errors.New("it is not a string")
	}
	if text := string(value[1 : len(value)-1]); !strings.Contains(text, `\`) {
		return text, nil
	}
	return s, json.Unmarshal(value, &s)
}
