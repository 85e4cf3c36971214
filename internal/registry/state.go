package registry

import (
	"encoding/json"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Place is a prompt in an environment.
type Place struct {
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment"`
}

// A State is what a decision about one prompt in one environment is made from.
type State struct {
	Environment Environment
	Track       Track      // of the prompt in the environment
	Revision    int64      // of the environment
	Before      Track      // of the prompt in Environment.After
	Approvals   []Approval // of the prompt in the environment that were not used up or taken back
	Evidence    []Evidence // of the prompt, the newest of each digest and kind
}

// An Approval is a person's word that a digest may be deployed.
type Approval struct {
	ID          string    `json:"id"`
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment"`
	Version     string    `json:"version"`
	Digest      string    `json:"digest"`
	By          string    `json:"by"` // the person
	At          time.Time `json:"at"`
	Reason      string    `json:"reason,omitempty"`
}

// Evidence is what a report says about a digest.
type Evidence struct {
	ID     string    `json:"id"`
	Prompt prompt.ID `json:"prompt"`
	Digest string    `json:"digest"`
	Kind   string    `json:"kind"` // tests, review, …; what an environment may require
	Passed bool      `json:"passed"`
	Note   string    `json:"note,omitempty"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`

	Statement json.RawMessage `json:"statement,omitempty"` // what was signed, in DSSE's envelope; nil: somebody's word
	SignedBy  string          `json:"signed_by,omitempty"` // the fingerprint of the trusted key that did; found out by who reads, and not kept
}

// A Change is what a decision comes to. It is recorded whole or not at all.
type Change struct {
	Deployment *Deployment // nil: what runs stays as it is
	Message    string      // the commit's, where the registry is a file
	Event      Event       // where there is an audit log; its time, number and hashes are the store's
	Described  []byte      // the entry of a prompt that a file does not know yet, without its deployments
	Answer     any         // what the caller is told, now and when it asks again with the same key
	Watched    *Watched    // where there is a guard: how it goes on
	Decisions  []Decision  // of the guard; their numbers are the store's
	Notices    []Notice    // that webhooks are told beside the one of the deployment, which the store makes
}

// Once makes a request that is sent again count once: the answer is kept under
// the caller and the key they chose. The zero Once keeps nothing.
type Once struct {
	Caller string
	Key    string
	Hash   string // of the request: the same key with another request is refused
}

// KeptFor is how long an answer is kept under its key.
const KeptFor = 7 * 24 * time.Hour

// A Record is a deployment of a prompt, as an environment's log holds it.
type Record struct {
	Prompt prompt.ID `json:"prompt"`
	Deployment
}

// Standing is what is known of a prompt: its last release, and what runs where.
type Standing struct {
	Prompt     prompt.ID
	Version    string // of the last release; "" for a draft
	Model      string
	Maintainer string
	Running    map[string]Deployment // by environment
}

// Recorded is what became of a Change.
type Recorded struct {
	Commit   string // where the registry is a file
	Replayed []byte // JSON of the answer that was given before; nil the first time
}

// Current is the last record of each prompt in an environment, of those that
// were retired too.
type Current struct {
	Generation int64
	Revision   int64
	Prompts    map[prompt.ID]Deployment
}
