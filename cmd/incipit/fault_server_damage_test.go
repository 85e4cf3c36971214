package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/incipit-dev/incipit"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// copied is the server over a copy of its data, at an address of its own.
func (v *serving) copied() *serving {
	v.Helper()
	w := v.beside()
	w.db = sqliteAtHand(v.fault)
	if out, err := exec.Command("cp", "-a", v.db.dir, w.db.dir).CombinedOutput(); err != nil {
		v.Fatalf("%v\n%s", err, out)
	}
	return w
}

func (v *serving) dropped() {
	v.killAll()
	os.RemoveAll(v.db.dir) //nolint:errcheck // the test's own directory goes later
}

// refuses reports whether a server that did not start said how to get the data
// back.
func (v *serving) refuses() bool {
	return v.status > 0 && strings.Contains(v.said(), "restore the last backup: incipit restore FILE --data "+v.db.dir)
}

// flippedBytes flips a byte of the database. The server refuses it with the
// command that restores a backup, or serves what was there before; never
// anything else.
func flippedBytes(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	l.settle(ws, v.url())
	l.hold(v)
	want := make(map[string][]byte)
	for _, path := range told() {
		if want[path] = v.tells(path); want[path] == nil {
			f.Fatalf("%s has no answer", path)
		}
	}
	c := v.sdk()
	l.audit(v)
	whole, err := os.ReadFile(v.db.file())
	if err != nil {
		f.Fatal(err)
	}
	offsets := []int{
		3, 4096, 9 * 4096, // what the file begins with, and what pages begin with
		bytes.Index(whole, []byte("one task: Greeting")), bytes.LastIndex(whole, []byte("one task: Greeting")),
		bytes.LastIndex(whole, []byte("writer-1-")), bytes.LastIndex(whole, []byte("sha256:")) + 20,
	}
	for range f.times(6, 60) {
		offsets = append(offsets, rand.N(len(whole)))
	}
	refused, withheld, same := 0, 0, 0
	for _, at := range offsets {
		if at < 0 || at >= len(whole) {
			f.Fatal("a text is not in the file")
		}
		f.Runs++
		w := v.copied()
		w.at = v.at
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << rand.N(8)
		if err := os.WriteFile(w.db.file(), damaged, 0o600); err != nil {
			f.Fatal(err)
		}
		switch {
		case !w.launch() && w.refuses():
			refused++
			f.Hit++
		case w.hasEnded():
			f.Errorf("byte %d: the server ended with %d, without a word on how to restore\n%s", at, w.status, w.said())
		case w.serves(want):
			same++
		default:
			withheld++
			f.Hit++
		}
		w.dropped()
		for _, p := range served() { // a client takes no harm from any of them
			if _, err := c.Prompt(f.Context(), p.id, "ada", nil); err != nil && !errors.Is(err, incipit.ErrInvalid) {
				f.Errorf("byte %d: a client: %v", at, err)
			}
		}
	}
	f.Logf("of %d flipped bytes %d were refused at the start, %d withheld what they damaged, %d changed nothing that is served", len(offsets), refused, withheld, same)
	if refused == 0 || withheld == 0 {
		f.Error("the damage was never noticed")
	}
}

const auditLog = "/v1/audit"

// told are the questions by which a damage is looked for. Those that follow
// name the prompts alone.
func told() []string {
	paths := []string{"/v1/environments/" + servedIn + "/snapshot", "/v1/audit/verify", "/v1/registry", auditLog}
	for _, w := range served() {
		paths = append(paths, "/v1/prompts/"+w.id+"/history", "/v1/prompts/"+w.id+"/releases", "/v1/prompts/"+w.id+"/releases/"+w.first, "/v1/prompts/"+w.id+"/releases/"+w.second)
	}
	return paths
}

// tells is an answer of the server, nil if there is none.
func (v *serving) tells(path string) []byte {
	v.Helper()
	resp, err := http.Get(v.url() + path) //nolint:noctx // it ends with the server
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// serves reports whether all is told as it was before. What is told otherwise
// is an error: an answer may be missing, and not differ.
func (v *serving) serves(want map[string][]byte) bool {
	v.Helper()
	all := v.resolve(v.Context()) == nil
	for _, path := range told() {
		switch got := v.tells(path); {
		case got == nil:
			all = false
		case bytes.Equal(got, want[path]):
		case path == told()[0]:
			all = false
			v.missing(got, want[path])
		case path == auditLog && v.tells("/v1/audit/verify") == nil: // the log shows what is there, and verify tells
			all = false
		default:
			v.Errorf("%s is told as\n%.1000s\nand was\n%.1000s", path, got, want[path])
		}
	}
	return all
}

// missing holds a snapshot against what it was: a prompt may be missing, and
// not differ.
func (v *serving) missing(got, want []byte) {
	v.Helper()
	var g, w struct{ Prompts map[string]json.RawMessage }
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		v.Error(err)
	}
	for id, e := range g.Prompts {
		if !bytes.Equal(e, w.Prompts[id]) {
			v.Errorf("%s is served as something else: %.1000s", id, e)
		}
	}
}

// cutLogs cuts the write-ahead log of a server that was killed, as a file
// system may that lost its end. What was in the part that is gone is lost; what
// is left is one whole moment.
func cutLogs(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	l.during(ws, v.everyone(), func() { l.more(40) })
	l.settle(ws, v.url())
	n := l.hold(v).n
	v.killAll()
	info, err := os.Stat(v.db.file() + "-wal")
	if err != nil || info.Size() == 0 {
		f.Fatalf("there is no write-ahead log: %v", err)
	}
	refused, behind, whole := 0, 0, 0
	for i := range f.times(4, 24) {
		f.Runs++
		w := v.copied()
		wal := w.db.file() + "-wal"
		if i == 0 {
			err = os.Remove(wal)
		} else {
			err = os.Truncate(wal, rand.N(info.Size()))
		}
		if err != nil {
			f.Fatal(err)
		}
		if !w.launch() {
			if !w.refuses() {
				f.Errorf("the server ended with %d\n%s", w.status, w.said())
			}
			refused++
			f.Hit++
			w.dropped()
			continue
		}
		b := l.read(w)
		f.Hit++
		if b.n < n {
			behind++
		} else {
			whole++
		}
		for _, in := range l.intents { // those that are there are those that were told, up to a revision
			if rs := b.records[in.key]; len(rs) > 1 || len(rs) == 1 && (rs[0].Revision != in.revision || rs[0].Seq != in.seq) || len(rs) == 0 && in.revision <= b.n {
				f.Errorf("%s was revision %d, and of the %d that are left it is %+v", in.key, in.revision, b.n, rs)
			}
		}
		w.dropped()
	}
	f.Logf("of %d cut logs %d were refused, %d gave an earlier moment, %d all", f.Runs, refused, behind, whole)
}

// secondServer starts another server over the same file.
func secondServer(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	for range f.times(2, 20) {
		f.Runs++
		second := v.beside()
		l.during(ws, v.everyone(), func() {
			l.more(3)
			if second.launch() {
				f.Fatal("a second server listens")
			}
			l.more(3)
		})
		if want := fmt.Sprintf("process %d serves from", v.cmd.Process.Pid); second.status != 5 || !strings.Contains(second.said(), want) {
			f.Errorf("exit status %d, want 5 and %q\n%s", second.status, want, second.said())
		}
		f.Hit++
		v.kill() // its lock goes with it
		l.settle(ws, second.start().url())
		l.hold(second)
		v = second
	}
}

// breakGlass rolls back in the database itself, with the server down, and
// beside it.
func breakGlass(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	c := v.client(nil)
	deploy := func(n int) {
		f.Helper()
		in := &intent{key: fmt.Sprintf("change %d", l.acked()), req: served()[2].inTurn(n)}
		in.req.Reason, in.req.Quarantined = in.key, true
		l.add(in)
		r, err := c.Do(l.Context(), in.req)
		if err != nil {
			f.Fatal(err)
		}
		l.ack(in, r)
	}
	rollback := func(n int) {
		f.Helper()
		in := &intent{key: fmt.Sprintf("break glass %d", n), req: registry.Request{Action: registry.Rollback, Prompt: "greeting", Environment: servedIn}}
		l.add(in)
		before := l.acked()
		f.must(v.local("rollback", "greeting", "--env", servedIn, "--reason", in.key, "--local"))
		in.acked, in.seq, in.revision = true, before+1, int64(before)+1
		l.acks++
		f.Runs, f.Hit = f.Runs+1, f.Hit+1
	}
	runs := func(version string) {
		f.Helper()
		if got := l.hold(v).last[prompt.ID("greeting")].Version.String(); got != version {
			f.Errorf("%s runs, want %s", got, version)
		}
	}
	deploy(0)
	deploy(1)
	if status := v.terminate(); status != 0 {
		f.Errorf("the server ended with %d", status)
	}
	rollback(0)
	v.start()
	runs("0.1.0")
	for n := range f.times(3, 30) {
		deploy(1)
		l.besides(v, func() { rollback(n + 1) })
		runs("0.1.0")
	}
	v.kill()
	rollbackAgain := v.local("rollback", "greeting", "--env", servedIn, "--reason", "again", "--local")
	if f.must(rollbackAgain); !strings.Contains(rollbackAgain.out+rollbackAgain.err, "already rolled back") {
		f.Errorf("a second rollback: %s", rollbackAgain)
	}
	v.start()
	runs("0.1.0")
	l.audit(v)
}
