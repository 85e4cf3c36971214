package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A NoticeKind is what a notice is about, in words that endpoints choose by.
type NoticeKind string

// The kinds. Those of deployments are made for every deployment by the store.
const (
	NoticeDeploy   NoticeKind = "deployment.deploy"
	NoticeShift    NoticeKind = "deployment.shift"
	NoticePromote  NoticeKind = "deployment.promote"
	NoticeRollback NoticeKind = "deployment.rollback"
	NoticeRetire   NoticeKind = "deployment.retire"

	NoticeAdvanced      NoticeKind = "rollout.advanced"
	NoticeHeld          NoticeKind = "rollout.held"
	NoticeAsks          NoticeKind = "rollout.asks" // a person has to decide
	NoticeRegressed     NoticeKind = "rollout.regressed"
	NoticeCannotMeasure NoticeKind = "rollout.cannot-measure"
	NoticeUntrusted     NoticeKind = "rollout.untrusted"
	NoticeEnded         NoticeKind = "rollout.ended"

	NoticeReleaseChanged NoticeKind = "release.changed" // what is released is not what it was
	NoticePing           NoticeKind = "ping"            // asked for, to try an endpoint
)

// NoticeKinds are all of them.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{
		NoticeDeploy, NoticeShift, NoticePromote, NoticeRollback, NoticeRetire,
		NoticeAdvanced, NoticeHeld, NoticeAsks, NoticeRegressed, NoticeCannotMeasure, NoticeUntrusted, NoticeEnded,
		NoticeReleaseChanged, NoticePing,
	}
}

// A Notice tells people and programs that something happened. It is told to
// each webhook that wants it, in the order in which notices were made.
type Notice struct {
	// ID names what happened, and is the same each time it is told: a notice that
	// is made twice is told once.
	ID          string            `json:"id"`
	Kind        NoticeKind        `json:"kind"`
	At          time.Time         `json:"at"`
	Environment string            `json:"environment,omitempty"`
	Prompt      prompt.ID         `json:"prompt,omitempty"`
	Version     string            `json:"version,omitempty"` // what it is about
	By          string            `json:"by,omitempty"`
	Text        string            `json:"text"` // one sentence, for people
	Detail      map[string]string `json:"detail,omitempty"`
}

// maxNotice bounds the ID and the text of a notice, in bytes.
const maxNotice = 4000

// Validate reports a notice that nobody could be told.
func (n Notice) Validate() error {
	switch {
	case n.ID == "" || len(n.ID) > maxNotice || n.Text == "" || len(n.Text) > maxNotice:
		return Errorf(prompt.ErrInvalid, "a notice needs an id and a text, each of at most %d bytes", maxNotice)
	case !slices.Contains(NoticeKinds(), n.Kind):
		return Errorf(prompt.ErrInvalid, "%q is no kind of notice; kinds are %s", prompt.Clip(string(n.Kind), 40), kindList())
	}
	return nil
}

func kindList() string {
	kinds := NoticeKinds()
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return strings.Join(out, ", ")
}

// NoticeOf tells of a deployment, which came after those of before. Its
// revision must be set: it is what the notice is named by.
func NoticeOf(env string, id prompt.ID, before Track, d Deployment) Notice {
	n := Notice{
		ID: fmt.Sprintf("%s/%d", env, d.Revision), Kind: NoticeKind("deployment." + string(d.Action)), At: d.At,
		Environment: env, Prompt: id, Version: d.Version.String(), By: d.By,
		Detail: map[string]string{"deployment": fmt.Sprint(d.Seq), "revision": fmt.Sprint(d.Revision)},
	}
	from := ""
	if last, ok := before.Current(); ok {
		from = last.Version.String()
		if last.Rollout != nil && len(last.Rollout.Arms) > 0 && d.Action == Rollback {
			from = last.Rollout.Candidate().Version.String() // what is taken away
		}
	}
	how := ", " + d.Action.Done()
	if r := d.Rollout; r != nil && len(r.Arms) > 0 {
		n.Version = r.Candidate().Version.String()
		n.Detail["strategy"], n.Detail["share"] = string(r.Strategy), r.Candidate().Share().Number()
		how = fmt.Sprintf(", %s at %s", r.Strategy, r.Candidate().Share())
		if d.Action == Deploy {
			how += ", started"
		}
	}
	for key, value := range map[string]string{"from": from, "digest": d.Digest, "reason": prompt.Clip(d.Reason, 1000)} {
		if value != "" {
			n.Detail[key] = value
		}
	}
	moved := n.Version
	if from != "" && from != n.Version {
		moved = from + " -> " + n.Version
	}
	n.Text = fmt.Sprintf("%s: %s %s%s", env, id, moved, how)
	if d.By != "" {
		n.Text += " by " + prompt.Clip(d.By, 200)
	}
	if d.Reason != "" {
		n.Text += ": " + prompt.Clip(strings.Join(strings.Fields(d.Reason), " "), 1000)
	}
	// Written out, a character may be longer: nothing in it keeps a deployment
	// from being recorded.
	if len(n.Text) > maxNotice {
		n.Text = strings.ToValidUTF8(n.Text[:maxNotice], "")
	}
	return n
}

// Done is the action in words, once it is done: rolled back.
func (a Action) Done() string {
	switch a {
	case Deploy:
		return "deployed"
	case Shift:
		return "shifted"
	case Promote:
		return "promoted"
	case Rollback:
		return "rolled back"
	case Retire:
		return "retired"
	}
	return string(a)
}

// Notice is what people are told of a decision, and false if what is told of its
// deployment, or of what a person did, says all there is to say.
func (d Decision) Notice() (Notice, bool) {
	kind := map[string]NoticeKind{
		DecisionAdvance: NoticeAdvanced, DecisionPromote: NoticeAdvanced, DecisionRollback: NoticeRegressed,
		DecisionHold: NoticeHeld, DecisionAsk: NoticeAsks, DecisionChanged: NoticeReleaseChanged, DecisionEnd: NoticeEnded,
	}[d.Kind]
	if kind == NoticeHeld {
		switch d.Verdict {
		case "cannot measure":
			kind = NoticeCannotMeasure
		case "data not trusted":
			kind = NoticeUntrusted
		case "regressed":
			kind = NoticeRegressed
		}
	}
	if kind == "" || d.By != GuardName && d.Kind != DecisionEnd {
		return Notice{}, false
	}
	return Notice{
		ID: fmt.Sprintf("%s/%s/rollout-%d/decision-%d", d.Environment, d.Prompt, d.Opened, d.Seq), Kind: kind, At: d.At,
		Environment: d.Environment, Prompt: d.Prompt, By: d.By,
		Text: fmt.Sprintf("%s: %s %s", d.Environment, d.Prompt, d.Text),
		Detail: map[string]string{
			"rollout": fmt.Sprint(d.Opened), "decision": fmt.Sprint(d.Seq), "verdict": d.Verdict, "share": d.Share.Number(), "deployment": fmt.Sprint(d.Deployment),
		},
	}, true
}
