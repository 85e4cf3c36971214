package registry

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Texts are the files of a prompt, by their names in its directory. A file that
// does not exist has no key.
type Texts map[string]string

// TextNames are the names that Texts may have, in the order in which a model
// reads them, the metadata last.
func TextNames() []string {
	return []string{prompt.SystemFile, prompt.ExamplesFile, prompt.UserFile, prompt.MetadataFile}
}

// Validate refuses what could not be kept, with ErrInvalid. Whether the texts
// make a prompt is another question: who writes saves what is not finished.
func (t Texts) Validate() error {
	for name, text := range t {
		limit := prompt.MaxTextBytes
		if name == prompt.MetadataFile {
			limit = prompt.MaxMetadataBytes
		}
		switch {
		case !slices.Contains(TextNames(), name):
			return WithFix(Errorf(prompt.ErrInvalid, "%q is no file of a prompt", prompt.Clip(name, 60)), "the files are %v", TextNames())
		case len(text) > limit:
			return WithFix(Errorf(prompt.ErrInvalid, "%s has %d bytes, and at most %d can be kept", name, len(text), limit), "move what is long into a variable, or into an included text")
		case !utf8.ValidString(text):
			return Errorf(prompt.ErrInvalid, "%s is not UTF-8", name)
		case slices.Contains([]byte(text), 0):
			return WithFix(Errorf(prompt.ErrInvalid, "%s holds a zero byte", name), "delete it")
		}
	}
	return nil
}

// Files are the texts as a prompt is parsed from them. dir is for findings.
func (t Texts) Files(dir string) prompt.Files {
	f := prompt.Files{Dir: dir}
	for name, to := range map[string]*[]byte{prompt.SystemFile: &f.System, prompt.UserFile: &f.User, prompt.ExamplesFile: &f.Examples, prompt.MetadataFile: &f.Metadata} {
		if text, ok := t[name]; ok {
			*to = []byte(text)
		}
	}
	return f
}

// A DraftBase is where a draft started: the prompt's files in a commit of the
// branch that is read.
type DraftBase struct {
	Commit  string `json:"commit"`            // "" where the branch had none
	Version string `json:"version,omitempty"` // of the metadata; "" for a new prompt
	Digest  string `json:"digest,omitempty"`  // of the prompt, where it could be read
}

// A Draft is what one person is writing of one prompt. Nobody else sees its
// texts, and nothing runs it: it becomes a release by way of a branch.
type Draft struct {
	Prompt    prompt.ID `json:"prompt"`
	Owner     string    `json:"owner"`
	Number    int64     `json:"number"` // grows with each save; 0 was never saved
	Base      DraftBase `json:"base"`
	Files     Texts     `json:"files"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Proposed  *Proposal `json:"proposed,omitempty"` // what was made of it as it stands

	BaseFiles Texts `json:"-"` // at Base: what a newer state is held against
}

// A DraftNote says that somebody is writing, and not what.
type DraftNote struct {
	Prompt    prompt.ID `json:"prompt"`
	Owner     string    `json:"owner"`
	UpdatedAt time.Time `json:"updated_at"`
	Proposed  bool      `json:"proposed"`
}

// A DraftChange says that a draft was saved, proposed or discarded, and not what
// is written.
type DraftChange struct {
	Seq    int64 // among the changes of all drafts
	Prompt prompt.ID
	Owner  string
}

// A DraftState is a draft beside what happened around it.
type DraftState struct {
	Draft
	New      bool           `json:"new"`                // the branch has no such prompt; a draft that was never saved is then a text to start from
	Others   []DraftNote    `json:"others"`             // who else writes this prompt
	Conflict *DraftConflict `json:"conflict,omitempty"` // nil: the branch has what the draft started from
}

// A DraftConflict is a prompt that changed on its branch since a draft started.
// Nothing of either side is lost: the person puts both together, and saves what
// comes of it with Commit as the new base.
type DraftConflict struct {
	Commit  string       `json:"commit"`
	Version string       `json:"version,omitempty"`
	Clean   bool         `json:"clean"` // every file could be put together
	Files   []DraftMerge `json:"files"` // those in which the three differ
}

// A DraftMerge is one file in its three states. nil: it is not there.
type DraftMerge struct {
	Name   string  `json:"name"`
	Base   *string `json:"base"`
	Theirs *string `json:"theirs"`
	Mine   *string `json:"mine"`
	Merged *string `json:"merged"` // all of both sides, if Clean
	Clean  bool    `json:"clean"`  // false: both changed the same lines
}

// A Delta is a figure before and after.
type Delta struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// A DraftCheck is what is to be said of texts as they stand.
type DraftCheck struct {
	Findings []prompt.Finding `json:"findings"`
	// What follows is filled in where none of the findings is an error.
	Release  string           `json:"release,omitempty"` // the last one, with which they are compared; "" for a first
	Same     bool             `json:"same"`              // they ask of a model what that release asks
	Changes  []prompt.Change  `json:"changes"`
	Required prompt.Bump      `json:"required_bump"`
	Next     string           `json:"next_version,omitempty"`
	Before   []prompt.Message `json:"before"` // of the last release, to show what words changed
	After    []prompt.Message `json:"after"`  // includes expanded
	Tokens   Delta            `json:"tokens"` // estimates

	Variables map[string]prompt.Variable `json:"variables"` // to ask for in a preview
	Moved     bool                       `json:"moved"`     // the caller's saved draft has a conflict
}

// A DraftPreview is texts with values for their variables. There are either
// messages or problems.
type DraftPreview struct {
	Messages []prompt.Message `json:"messages"`
	Missing  []string         `json:"missing"` // required variables without a value
	Problem  string           `json:"problem,omitempty"`
	Tokens   int              `json:"tokens"` // an estimate
}

// A ProposeRequest asks that a saved draft becomes a branch.
type ProposeRequest struct {
	Prompt  prompt.ID
	Number  int64       // of the draft that the person looked at
	Message string      // what changed, and why
	Bump    prompt.Bump // at least; the change may need more
	Once    Once
}

// A Proposal is a draft on a branch of its own, for others to read and merge.
type Proposal struct {
	Branch  string    `json:"branch"`
	Commit  string    `json:"commit"`
	Version string    `json:"version"`       // that it will be released as
	Into    string    `json:"into"`          // the branch it is meant for
	URL     string    `json:"url,omitempty"` // where a pull or merge request is opened; "" where the host is not known
	At      time.Time `json:"at"`
}

// A DraftTest asks that the suite of a prompt is run on texts.
type DraftTest struct {
	Prompt prompt.ID
	Files  Texts
}

// A DraftReport is what came of it.
type DraftReport struct {
	Suite   string           `json:"suite,omitempty"` // the file; "" where there is none
	Live    bool             `json:"live"`            // providers were asked; else recorded answers alone
	Cases   []DraftCase      `json:"cases"`           // at most 500
	Passed  int              `json:"passed"`
	Failed  int              `json:"failed"`
	Errors  int              `json:"errors"`
	Cost    *float64         `json:"cost,omitempty"`    // US dollars; nil: not known
	Nothing string           `json:"nothing,omitempty"` // why no model was asked
	Fix     string           `json:"fix,omitempty"`     // and what to try
	Found   []prompt.Finding `json:"findings"`          // what is wrong with the texts or the suite
}

// A DraftCase is one case of the suite.
type DraftCase struct {
	Number      int      `json:"number"`
	Description string   `json:"description"`
	Outcome     string   `json:"outcome" enum:"pass,fail,error"`
	Reason      string   `json:"reason,omitempty"` // of what did not pass
	Output      string   `json:"output"`           // clipped
	Cost        *float64 `json:"cost,omitempty"`
}
