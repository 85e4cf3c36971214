package assertion

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
)

// verdictForm is the form of an answer with a verdict.
const verdictForm = `{"reason": "one or two sentences", "pass": true or false, "score": a number from 0 (worst) to 1 (best)}`

// rubric holds if a judge finds that the output meets a criterion. With a
// threshold the judge's score must reach it as well.
func (c *Checker) rubric(ctx context.Context, q question) (finding, error) {
	criterion := wordOf(q.value)
	return c.judged(ctx, q,
		map[string]any{"output": q.output, "rubric": criterion},
		brief(`Decide whether the text named "output" meets what the text named "criterion" asks for, in full, and by nothing else than that.`, verdictForm,
			block{"criterion", criterion}, block{"output", q.output}))
}

// closedQA holds if a judge finds that an answer meets a criterion, the question
// being the prompt.
func (c *Checker) closedQA(ctx context.Context, q question) (finding, error) {
	criterion := wordOf(q.value)
	return c.judged(ctx, q,
		map[string]any{"input": q.s.Prompt, "criteria": criterion, "completion": q.output},
		brief(`The text named "output" answers the text named "input". Decide whether the answer meets the text named "criterion".`, verdictForm,
			block{"input", q.s.Prompt}, block{"criterion", criterion}, block{"output", q.output}))
}

// judged asks for a verdict: by the assertion's own prompt if it has one, else
// by the one that is given.
func (c *Checker) judged(ctx context.Context, q question, with map[string]any, otherwise []provider.Message) (finding, error) {
	j, err := c.judgeOf(ctx, q.a)
	if err != nil {
		return finding{}, err
	}
	messages, err := c.own(ctx, q, "", with, otherwise)
	if err != nil {
		return finding{}, err
	}
	answer, err := j.ask(ctx, messages)
	if err != nil {
		return finding{spent: j.spent}, err
	}
	v, err := verdictOf(answer)
	if err != nil {
		if v, err = yesOrNo(q, answer, err); err != nil {
			return finding{spent: j.spent}, err
		}
	}
	return j.graded(v, q.a.Threshold)
}

// yesOrNo reads the last letter of an answer to a prompt of promptfoo's
// model-graded-closedqa, which asks for a Y or an N at the end.
func yesOrNo(q question, answer string, otherwise error) (verdict, error) {
	answer = strings.TrimSpace(answer)
	if q.a.Type != "model-graded-closedqa" || answer == "" {
		return verdict{}, otherwise
	}
	last := answer[len(answer)-1]
	if last != 'Y' && last != 'N' {
		return verdict{}, otherwise
	}
	pass := last == 'Y'
	return verdict{pass: &pass, reason: shownReason(answer)}, nil
}

// own is the prompt that the suite gives a judge: a text, a chat as JSON or as
// a list of messages, or for types that ask twice a mapping with one for each
// step. It is rendered with the case's variables and with, which hold the
// output as it is. Without one it is otherwise.
//
// What is a chat is decided before it is rendered, so an output cannot become
// messages of its own.
func (c *Checker) own(ctx context.Context, q question, step string, with map[string]any, otherwise []provider.Message) ([]provider.Message, error) {
	own := q.a.Rubric
	if own == nil {
		own = c.Rubric
	}
	if m, ok := own.(map[string]any); ok {
		own = m[step]
	}
	text, isText := own.(string)
	if own == nil || isText && strings.TrimSpace(text) == "" {
		return otherwise, nil
	}
	if isText {
		var err error
		if own, err = c.chatOr(q.a, text); err != nil {
			return nil, err
		}
	}
	vars := maps.Clone(q.s.Vars)
	if vars == nil {
		vars = map[string]any{}
	}
	maps.Copy(vars, with)
	rendered, err := c.rendered(ctx, own, vars, 0)
	if err != nil {
		return nil, err
	}
	return messagesOf(q.a, rendered)
}

// chatOr is the chat that a text holds as JSON or YAML, or else the text.
func (c *Checker) chatOr(a Assertion, text string) (any, error) {
	if strings.HasPrefix(text, fileScheme) {
		var err error
		if text, _, err = c.source(a, text); err != nil {
			return nil, err
		}
	}
	var chat []any
	if json.Unmarshal([]byte(text), &chat) == nil {
		return chat, nil
	}
	if c.YAML != nil && strings.HasPrefix(strings.TrimSpace(text), "- role:") && len(text) <= maxSchema {
		if v, err := c.YAML(text); err == nil {
			return v, nil
		}
	}
	return text, nil
}

// messagesOf reads a rendered prompt of a judge.
func messagesOf(a Assertion, v any) ([]provider.Message, error) {
	if text, ok := v.(string); ok {
		return []provider.Message{{Role: "user", Content: text}}, nil
	}
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil, invalid(a, "has a rubricPrompt that is neither a text nor a chat", "write a text, or a list of {role, content}")
	}
	messages := make([]provider.Message, 0, len(list))
	for _, e := range list {
		m, _ := e.(map[string]any)
		role, _ := m["role"].(string)
		switch role {
		case "system", "developer", "user", "assistant":
		default:
			return nil, invalid(a, "has a rubricPrompt with a message whose role is "+quote(role), "use system, user or assistant")
		}
		message := provider.Message{Role: role}
		switch content := m["content"].(type) {
		case string:
			message.Content = content
		case []any:
			parts, err := json.Marshal(content)
			if err != nil {
				return nil, invalid(a, "has a rubricPrompt that JSON cannot hold", "correct it")
			}
			message.Parts = parts
		default:
			return nil, invalid(a, "has a rubricPrompt with a message without content", "write a text")
		}
		messages = append(messages, message)
	}
	return messages, nil
}
