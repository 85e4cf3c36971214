package provider

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// refused is an answer whose status says no.
func (w *wire) refused(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	said := readComplaint(body)
	e := &Error{
		Provider: w.id, Status: resp.StatusCode, After: RetryAfter(resp.Header, w.now()),
		Text: prompt.Clip(w.hide(cmp.Or(said.text, http.StatusText(resp.StatusCode), "it refused")), maxText-20),
	}
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		e.Kind, e.Text, e.Fix = Rejected, "it sends elsewhere, and no redirect is followed", "name the address that it sends to, if you trust it"
	case code == http.StatusTooManyRequests && said.code == "insufficient_quota":
		e.Kind, e.Fix = Denied, "the account has no credit left: see its billing page"
	case code == http.StatusTooManyRequests:
		e.Kind, e.Again, e.Fix = Limited, true, "ask less at once (--concurrency), or raise the limit of the account"
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusPaymentRequired:
		e.Kind, e.Fix = Denied, "check the key in the environment, and what it may use"
	case code == http.StatusRequestTimeout || code == http.StatusConflict || code >= 500: // 529 is Anthropic's for overloaded
		e.Kind, e.Again, e.Fix = Unavailable, true, "try again later, or replay recorded answers"
		e.Sent = code == http.StatusGatewayTimeout
	case code == http.StatusNotFound:
		e.Kind, e.Fix = Rejected, "check the model's name and the base URL"
	default:
		e.Kind, e.Fix = Rejected, "change the request: its parameters, tools or messages"
	}
	if resp.Header.Get("X-Should-Retry") == "false" {
		e.Again = false
	}
	return e
}

// A complaint is what the body of a refusal says.
type complaint struct{ text, code string }

// readComplaint reads the forms in use: {"error": {"message": …, "code": …}},
// {"error": "…"}, {"message": "…"}, a list of one of them, or a text.
func readComplaint(body []byte) complaint {
	body = []byte(strings.ToValidUTF8(string(body), "�"))
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var doc struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return complaint{text: strings.TrimSpace(string(body))}
	}
	var inner struct {
		Message string `json:"message"`
		Code    any    `json:"code"`
		Type    string `json:"type"`
	}
	var plain string
	if json.Unmarshal(doc.Error, &inner) != nil {
		_ = json.Unmarshal(doc.Error, &plain)
	}
	code, _ := inner.Code.(string)
	return complaint{text: cmp.Or(inner.Message, plain, doc.Message, strings.TrimSpace(string(body))), code: cmp.Or(code, inner.Type)}
}
