package uitest

import (
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
)

// What a column of text holds. Each is in the list below, or the test fails.
const (
	written = "written" // by people and programs outside: it must hold a text of ours
	ours    = "ours"    // nobody outside chooses a byte of it

	// Names of a kind that the texts are not: refused tries to store them.
	aPrompt       = "a prompt"
	anEnvironment = "an environment"
	aVersion      = "a version"
	aDigest       = "a digest"
	aTag          = "a tag of a release"
	aCommit       = "a commit"
	aStrategy     = "a strategy"
	anArm         = "an arm"
	aKind         = "a kind of evidence"
	aKindOfKey    = "a kind of key"
	aFormat       = "a format"
	aName         = "a name of feedback"
	aOnce         = "a key for what counts once"
	aRequest      = "an id of a request"
)

// textColumns are the columns of text of every table, by table.
func textColumns() map[string]map[string]string {
	return map[string]map[string]string{
		"meta":        {"name": ours, "text": ours},
		"environment": {"name": anEnvironment, "rules": written},
		"prompt":      {"id": aPrompt, "version": aVersion, "model": written, "maintainer": written},
		"release": {
			"prompt": aPrompt, "version": aVersion, "tag": aTag, "commit_id": ours, "tag_object": ours, "digest": ours,
			"author": written, "notes": written, "prompt_json": written, "metadata_json": written, "pins_json": aVersion,
		},
		"release_problem": {"tag": aTag, "code": ours, "detail": written},
		"deployment": {
			"environment": anEnvironment, "prompt": aPrompt, "action": ours, "version": aVersion, "digest": ours, "from_version": aVersion,
			"rollout": aStrategy, "actor": written, "reason": written,
		},
		"once":      {"caller": written, "once_key": aOnce, "hash": ours, "answer": written},
		"approval":  {"id": ours, "prompt": aPrompt, "environment": anEnvironment, "version": aVersion, "digest": aDigest, "actor": written, "reason": written},
		"evidence":  {"id": ours, "prompt": aPrompt, "digest": aDigest, "kind": aKind, "note": written, "actor": written},
		"statement": {"evidence": ours, "envelope": written},
		"api_key":   {"id": ours, "kind": aKindOfKey, "name": written, "grants": written, "created_by": written},
		"person":    {"mail": written, "name": ours, "grants": written, "created_by": written},
		"audit": {
			"actor": written, "key_id": ours, "source": ours, "action": ours, "environment": anEnvironment, "prompt": aPrompt, "version": aVersion,
			"reason": written, "request_id": aRequest, "detail": written, "previous": ours, "hash": ours,
		},
		"audit_head": {"hash": ours},
		"mirror":     {"id": ours, "environment": anEnvironment, "prompt": aPrompt, "last_error": written},
		"rollout":    {"environment": anEnvironment, "prompt": aPrompt, "rules": ours, "state": ours},
		"steady":     {"environment": anEnvironment, "prompt": aPrompt},
		"decision":   {"environment": anEnvironment, "prompt": aPrompt, "kind": ours, "actor": written, "verdict": ours, "message": written, "evidence": ours},
		"lease":      {"name": ours, "holder": ours},
		"webhook":    {"id": ours, "url": written, "format": aFormat, "wants": written, "created_by": written, "holder": ours},
		"delivery":   {"webhook": ours, "id": ours, "notice": written, "state": ours, "error": written},
		"draft":      {"prompt": aPrompt, "owner": written, "base": aCommit, "base_files": written, "files": written, "proposed": written},

		// The log of calls; of each day there is one.
		"call":             {"response_id": written, "subject": written, "tags": written, "input": written, "output": written},
		"origin":           {"prompt": aPrompt, "environment": anEnvironment, "version": aVersion, "arm": anArm, "rollout": written, "model": written, "finish_reason": written},
		"rollup":           {"prompt": aPrompt, "environment": anEnvironment, "version": aVersion, "arm": anArm},
		"rollup_kept":      {"prompt": aPrompt, "environment": anEnvironment, "version": aVersion, "arm": anArm},
		"feedback":         {"name": aName, "comment": written, "by_name": written},
		"feedback_waiting": {"ref": written, "name": aName, "by_name": written, "comment": written, "grants": written},

		"goose_db_version": {},
	}
}

// columns holds the databases against the list: whatever is written holds a text
// of ours, whatever is not does not, and there are no others.
func (p *poisoned) columns() {
	p.t.Helper()
	day := regexp.MustCompile(`_\d{8}\.`)
	text := regexp.MustCompile(`ran ?= ?1|ran=|evil\.test`)
	there := make(map[string][]string)
	err := filepath.WalkDir(p.data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".db") {
			for name, values := range storetest.TextsOf(p.t, path) {
				name = day.ReplaceAllString(name, ".")
				there[name] = append(there[name], values...)
			}
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	listed := make(map[string]string)
	for table, columns := range textColumns() {
		for column, why := range columns {
			listed[table+"."+column] = why
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		holds := slices.ContainsFunc(there[name], text.MatchString)
		switch why, ok := listed[name]; {
		case !ok:
			p.t.Errorf("the column %s is new: say in textColumns whether somebody outside can write it, and do", name)
		case why == written && !holds:
			p.t.Errorf("%s holds none of the texts: %q", name, clip(strings.Join(there[name], ", "), 200))
		case why != written && holds:
			p.t.Errorf("%s holds a text, and should be %s", name, why)
		}
		delete(listed, name)
	}
	for name := range listed {
		p.t.Errorf("there is no column %s", name)
	}
}
