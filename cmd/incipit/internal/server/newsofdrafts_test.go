package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A draftLog is the changes of drafts, in memory.
type draftLog struct {
	last    int64
	changes []registry.DraftChange
	away    error
	asked   int
}

func (l *draftLog) newsroom() *newsroom {
	return newNewsroom(newsSource{
		LastDraftChange: func(context.Context) (int64, error) {
			l.asked++
			return l.last, l.away
		},
		DraftChanges: func(_ context.Context, after int64, limit int) (out []registry.DraftChange, _ error) {
			for _, c := range l.changes {
				if c.Seq > after && len(out) < limit {
					out = append(out, c)
				}
			}
			return out, nil
		},
	}, quiet())
}

func (l *draftLog) changed(owner string, id prompt.ID) {
	l.last++
	l.changes = append(l.changes, registry.DraftChange{Seq: l.last, Prompt: id, Owner: owner})
}

// told is what a reader was told, and has not read: kinds and prompts.
func (r *reader) told() (out []string) {
	for {
		select {
		case n := <-r.news:
			out = append(out, n.Kind+":"+string(n.Prompt))
		default:
			return out
		}
	}
}

func TestWritersAreToldOfTheirOwnDraftsWhileAnEditorIsOpen(t *testing.T) {
	log := &draftLog{last: 7}
	n := log.newsroom()
	join := func(writer string) *reader {
		r, ok := n.add(writer)
		if !ok {
			t.Fatal("there is no room")
		}
		return r
	}
	seen := int64(notFollowed)
	look := func() {
		t.Helper()
		var err error
		if seen, err = n.lookAtDrafts(t.Context(), seen); !errors.Is(err, log.away) {
			t.Fatal(err)
		}
	}
	tells := func(r *reader, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, r.told()); diff != "" {
			t.Error(diff)
		}
	}
	page := join("") // no editor
	look()
	if log.asked > 0 {
		t.Error("it is looked, though nobody has an editor open")
	}
	ada, bob := join("ada"), join("bob")
	look()
	tells(ada, "draft:") // of what was changed before, any may be hers
	tells(bob, "draft:")
	log.changed("ada", "support")
	log.changed("ada", "billing/refunds")
	look()
	tells(ada, "draft:support", "draft:billing/refunds")
	tells(bob)
	look()
	tells(ada)

	log.away = errAway
	log.changed("bob", "support")
	look()
	log.away = nil
	look()
	tells(ada)
	tells(bob, "draft:support")

	log.last, log.changes = 3, nil // a backup is restored
	look()
	tells(ada, "draft:")
	for range newsAtOnce {
		log.changed("carol", "support")
	}
	look()
	tells(ada, "draft:") // too much to tell
	tells(bob, "draft:", "draft:")

	n.remove(ada)
	n.remove(bob)
	log.changed("ada", "support")
	look()
	ada = join("ada")
	look()
	tells(ada, "draft:")
	tells(page)
}

// Whoever does not keep up is told that all may have changed, also where what
// comes then is nothing that they may know.
func TestAReaderWhoDoesNotKeepUpIsToldThatAllMayHaveChanged(t *testing.T) {
	n := new(draftLog).newsroom()
	r, ok := n.add("ada")
	if !ok {
		t.Fatal("there is no room")
	}
	for range unread + 10 {
		n.tell(news{Kind: "changed", Environment: "dev", Prompt: "secret"})
	}
	var last news
	for len(r.news) > 0 {
		last = <-r.news
	}
	nobody := registry.Caller{Name: "ada"}
	if want := (news{Kind: "all"}); last != want || !last.mayKnow(nobody) {
		t.Errorf("the last is %+v", last)
	}
}

func TestAStreamTellsWhereADraftWasSavedAndNeverWhat(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada, bob := r.writer("ada@example.com", registry.MayPropose, registry.MayRead), r.writer("bob@example.com", registry.MayPropose)
	listen := func(path, key string) *listener {
		t.Helper()
		l := r.listenAt(path, key)
		l.want("beat", "")
		return l
	}
	hers, another, his := listen("/events?drafts", ada), listen("/events?drafts", ada), listen("/events?drafts", bob)
	page, reader := listen("/events", ada), listen("/events?drafts", r.key([]registry.Permission{registry.MayRead}, "*", "*"))
	for told := 0; told < 2; { // when she came, and when the drafts were looked at for the first time: from now on each change is told
		if hers.next().name == "draft" {
			told++
		}
	}
	base := r.draftOf(ada).Base.Commit
	save := func(key, path, text string) {
		t.Helper()
		r.atEditor(key, path, "number", "0", "base", base, "system", text).editorHolds(t, 303)
	}
	save(ada, editGreeting, warm)
	// next is the first news of a draft that names it.
	next := func(l *listener) string {
		t.Helper()
		for {
			e := l.next()
			if e.name == "draft" && !strings.Contains(e.data, `"prompt":""`) {
				return e.data
			}
			if e.name == "" {
				t.Fatal("the stream is over")
			}
		}
	}
	for _, l := range []*listener{hers, another} {
		if data := next(l); !strings.Contains(data, `"prompt":"greeting"`) || strings.Contains(data, "ada") || strings.Contains(data, "warm") {
			t.Errorf("told %s", data)
		}
	}
	save(bob, newEdit, "You greet whoever writes to you, and Bob wrote this.")
	if data := next(his); !strings.Contains(data, `"prompt":"greet/hello"`) { // Ada's was before
		t.Errorf("bob is told %s", data)
	}
	r.key([]registry.Permission{registry.MayRead}, "*", "*") // an event that they are told behind what was before
	last := fmt.Sprintf(`{"seq":%d,`, r.events())
	for _, l := range []*listener{page, reader} { // who follow no drafts
		for e := l.next(); e.name != "changed" || !strings.HasPrefix(e.data, last); e = l.next() {
			if e.name == "draft" || e.name == "" {
				t.Fatalf("told %q %s", e.name, e.data)
			}
		}
	}
}

func TestAnOpenEditorIsToldWhetherItsDraftWasSavedElsewhere(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	ada, bob := r.writer("ada@example.com", registry.MayPropose), r.writer("bob@example.com", registry.MayPropose)
	base := r.draftOf(ada).Base.Commit
	const at = editGreeting + "/elsewhere?number="
	r.atEditor(ada, editGreeting).editorHolds(t, 200, `data-live="draft:greeting"`, "!Saved elsewhere")
	r.atEditor(ada, at+"0").editorHolds(t, 200, "!Saved elsewhere", "!Discarded elsewhere", "as this window has it")
	r.atEditor(ada, editGreeting, "number", "0", "base", base, "system", warm).editorHolds(t, 303)
	r.atEditor(ada, at+"0").editorHolds(t, 200, "Saved elsewhere", "by ada@example.com", "See the difference", "!warm")
	r.atEditor(ada, at+"1").editorHolds(t, 200, "!Saved elsewhere")
	r.atEditor(ada, at+"x").editorHolds(t, 200, "Saved elsewhere")
	r.atEditor(bob, at+"0").editorHolds(t, 200, "!Saved elsewhere")
	r.atEditor(ada, editGreeting+"/discard", "number", "1").editorHolds(t, 303)
	r.atEditor(ada, at+"1").editorHolds(t, 200, "Discarded elsewhere")
	r.atEditor(ada, at+"0").editorHolds(t, 200, "!Discarded elsewhere")
	r.atEditor(r.writer("carol@example.com", registry.MayRead), at+"0").editorHolds(t, 403)
	r.atEditor(ada, "/prompts/support/edit/elsewhere?number=0").editorHolds(t, 403)
}
