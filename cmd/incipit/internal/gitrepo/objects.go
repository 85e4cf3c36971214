package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
)

// Objects reads objects through long-lived git cat-file --batch processes: one
// while reads come in turn, and up to one per processor where they come at
// once. A read takes about a twentieth of a millisecond. Close ends them.
type Objects struct {
	repo  *Repo
	ctx   context.Context //nolint:containedctx // the life of the processes, given to Objects
	idle  chan *batch
	limit chan struct{} // holds a token for each process that may still be started
}

// An Object is what the database holds under an id.
type Object struct {
	ID   string // hex
	Type string // blob, tree, commit or tag
	Data []byte
}

// Objects returns a reader that lives until Close or until ctx is done.
func (r *Repo) Objects(ctx context.Context) *Objects {
	n := runtime.GOMAXPROCS(0)
	o := &Objects{repo: r, ctx: ctx, idle: make(chan *batch, n), limit: make(chan struct{}, n)}
	for range n {
		o.limit <- struct{}{}
	}
	return o
}

// Close ends the processes. No read may be under way.
func (o *Objects) Close() error {
	var errs []error
	for {
		select {
		case b := <-o.idle:
			errs = append(errs, b.close())
		default:
			return errors.Join(errs...)
		}
	}
}

// Get reads what rev names: an id, a ref, or ref:path. It reports
// fs.ErrNotExist if there is no such object.
func (o *Objects) Get(rev string) (obj Object, err error) { return o.GetAtMost(rev, MaxObject) }

// GetAtMost is Get, where an object of more than limit bytes is like one that
// is not there: it never comes into memory.
func (o *Objects) GetAtMost(rev string, limit int64) (obj Object, err error) {
	if err := checkRev(rev); err != nil {
		return Object{}, err
	}
	// Ctrl-C on a terminal ends the processes, too, and what must be taken back
	// is still to be read: by new ones.
	for range cap(o.idle) + 1 {
		if obj, err = o.get(rev, limit); err == nil || errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return obj, err
}

func (o *Objects) get(rev string, limit int64) (Object, error) {
	b, err := o.take()
	if err != nil {
		return Object{}, err
	}
	obj, err := b.get(rev, limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// The position in the stream is unknown from here on.
		o.limit <- struct{}{}
		return obj, errors.Join(err, b.close())
	}
	o.idle <- b
	return obj, err
}

// take waits for a process that is idle, or starts one.
func (o *Objects) take() (*batch, error) {
	select {
	case b := <-o.idle:
		return b, nil
	default:
	}
	select {
	case b := <-o.idle:
		return b, nil
	case <-o.limit:
		b, err := o.repo.batch(o.ctx)
		if err != nil {
			o.limit <- struct{}{}
		}
		return b, err
	}
}

// A TagObject is an annotated tag.
type TagObject struct {
	Target  string // the commit's id
	Type    string // of what it points to: commit, if it is a release's
	Name    string // as it was made: a tag that was renamed betrays itself here
	Tagger  Signature
	Message string
}

// Tag reads the annotated tag name. It reports fs.ErrNotExist if there is no
// such tag, and ErrLightweight if it has no message.
func (o *Objects) Tag(name string) (TagObject, error) {
	obj, err := o.Get("refs/tags/" + name)
	if err != nil {
		return TagObject{}, err
	}
	if obj.Type != "tag" {
		return TagObject{}, fmt.Errorf("tag %s: %w", name, ErrLightweight)
	}
	return ParseTag(obj.Data), nil
}

// ErrLightweight means that a tag is a bare ref, without message and author.
var ErrLightweight = errors.New("is no annotated tag")

// ParseTag reads the content of a tag object.
func ParseTag(data []byte) TagObject {
	head, message, _ := strings.Cut(string(data), "\n\n")
	t := TagObject{Message: message}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "object":
			t.Target = value
		case "type":
			t.Type = value
		case "tag":
			t.Name = value
		case "tagger":
			t.Tagger = parseSignature(value)
		}
	}
	t.Message = withoutSignature(t.Message)
	return t
}

// withoutSignature cuts off the signature that follows a message. What a
// message says about signatures is not cut: a real one ends the object.
func withoutSignature(message string) string {
	trimmed := strings.TrimRight(message, "\n")
	last := trimmed[strings.LastIndex(trimmed, "\n")+1:]
	kind, ok := strings.CutPrefix(last, "-----END ")
	if !ok {
		return message
	}
	if i := strings.LastIndex(message, "\n-----BEGIN "+kind); i >= 0 {
		return message[:i+1]
	}
	return message
}

// A Commit is a commit object.
type Commit struct {
	ID      string
	Tree    string
	Parents []string
	Author  Signature
	Message string
}

// Commit reads the commit that rev names, through a tag if need be.
func (o *Objects) Commit(rev string) (Commit, error) {
	obj, err := o.Get(rev + "^{commit}")
	if err != nil {
		return Commit{}, err
	}
	head, message, _ := strings.Cut(string(obj.Data), "\n\n")
	c := Commit{ID: obj.ID, Message: message}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = parseSignature(value)
		}
	}
	return c, nil
}

// Head is the id of the commit that is checked out, and "" before the first.
func (o *Objects) Head() (string, error) {
	c, err := o.Commit("HEAD")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return c.ID, err
}

// treeEntries parses a tree object: mode, space, name, NUL, raw id.
func treeEntries(obj Object) ([]treeEntry, error) {
	if obj.Type != "tree" {
		return nil, fs.ErrNotExist
	}
	idLen := len(obj.ID) / 2
	var out []treeEntry
	for data := obj.Data; len(data) > 0; {
		mode, rest, ok := bytes.Cut(data, []byte(" "))
		name, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(rest) < idLen {
			return nil, fmt.Errorf("tree %s is damaged; git fsck says more", obj.ID)
		}
		out = append(out, treeEntry{mode: string(mode), name: string(name), id: fmt.Sprintf("%x", rest[:idLen])})
		data = rest[idLen:]
	}
	return out, nil
}
