package registry

import "time"

// A SyncReport is what the last reading of the Git repository came to.
type SyncReport struct {
	At       time.Time `json:"at"`       // of the last one that succeeded
	Releases int       `json:"releases"` // known
	New      []string  `json:"new"`      // tags that it brought
	Problems []Problem `json:"problems"`
	Error    string    `json:"error,omitempty"`    // why the last one failed
	Backlog  int       `json:"backlog,omitempty"`  // changes that registry.json in Git does not have yet
	Deferred string    `json:"deferred,omitempty"` // why it does not have them
}

// A Problem is a tag that is not, or no longer, what was released. What is
// served does not change by it.
type Problem struct {
	Tag    string `json:"tag"`
	Code   string `json:"code"` // tag-moved, tag-vanished, tag-forged, tag-lightweight, tag-invalid
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}
