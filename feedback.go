package incipit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Feedback is what somebody says of a call: a Score, a Thumb, or a Value under
// a Name of the program's choice, such as relevance.
type Feedback struct {
	Score   float64 // of satisfaction, from 1 to 5
	Thumb   string  // up or down: a score of 5 or 1
	Name    string
	Value   float64
	Comment string
}

// Rate sends feedback for a call, by its id or by the provider's ResponseID,
// now or days later, even before the call itself has arrived. What is sent
// again for the same call and name replaces what was sent before.
//
// It asks the server at once, and waits for the answer, for 30 seconds at most.
// It reports ErrInvalid for feedback that cannot be, ErrForbidden if the key
// may not record, and ErrUnavailable.
func (c *Client) Rate(ctx context.Context, ref string, f Feedback) error {
	switch {
	case c.remote == nil:
		return unavailable("there is no server to send feedback to: set Options.Server")
	case c.calls.ended():
		return unavailable("the client is closed")
	case ref == "." || ref == "..": // in a path these have a meaning of their own
		return registry.Errorf(ErrInvalid, "%q names no call: give the id of the call or of the response", ref)
	}
	if err := registry.CheckRef(ref); err != nil {
		return err
	}
	body, err := f.body()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.sendLimit)
	defer cancel()
	header := make(http.Header)
	header.Set("Content-Type", "application/json")
	var receipt registry.FeedbackReceipt
	status, e := c.remote.post(ctx, c.remote.root.JoinPath("v1", "calls", url.PathEscape(ref), "feedback"), header, body, &receipt)
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return registry.Errorf(ErrInvalid, "%v", e.err)
	case http.StatusNotFound:
		return registry.Errorf(ErrNotFound, "%v", e.err)
	}
	return e.err
}

// body is the feedback as JSON.
func (f Feedback) body() ([]byte, error) {
	said := registry.Feedback{Comment: f.Comment}
	wire := make(map[string]any)
	switch {
	case f == Feedback{Score: f.Score, Comment: f.Comment}:
		said.Value = f.Score
		wire["score"] = f.Score
	case f == Feedback{Thumb: f.Thumb, Comment: f.Comment} && (f.Thumb == "up" || f.Thumb == "down"):
		said.Value = 5
		wire["thumb"] = f.Thumb
	case f.Score == 0 && f.Thumb == "" && f.Name != "":
		said.Name, said.Value = f.Name, f.Value
		wire["name"], wire["value"] = f.Name, f.Value
	default:
		return nil, registry.Errorf(ErrInvalid, "feedback is a Score, a Thumb that is up or down, or a Name with a Value, and one of them alone")
	}
	if err := said.Check(); err != nil {
		return nil, err
	}
	if f.Comment != "" {
		wire["comment"] = f.Comment
	}
	return json.Marshal(wire)
}
