package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// MaxObject is the largest object that is read, in bytes. It bounds the trees
// of a repository as well; the texts in it have smaller bounds of their own.
const MaxObject = 16 << 20

// Objects reads objects through one long-lived git cat-file --batch: about a
// tenth of a millisecond each. It is safe for concurrent use; Close ends it.
type Objects struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	bad error // why the process can no longer be used
}

// An Object is what the database holds under an id.
type Object struct {
	ID   string // hex
	Type string // blob, tree, commit or tag
	Data []byte
}

// Objects starts a reader that lives until Close or until ctx is done.
func (r *Repo) Objects(ctx context.Context) (*Objects, error) {
	cmd, err := r.command(ctx, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	return &Objects{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

// Close ends the process.
func (o *Objects) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(o.in.Close(), o.cmd.Wait())
}

// Get reads what rev names: an id, a ref, or ref:path. It reports
// fs.ErrNotExist if there is no such object.
func (o *Objects) Get(rev string) (Object, error) {
	if err := checkRev(rev); err != nil {
		return Object{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bad != nil {
		return Object{}, o.bad
	}
	obj, err := o.get(rev)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.bad = err // the position in the stream is unknown from here on
	}
	return obj, err
}

func (o *Objects) get(rev string) (Object, error) {
	if _, err := io.WriteString(o.in, rev+"\n"); err != nil {
		return Object{}, fmt.Errorf("git cat-file: %w", err)
	}
	head, err := o.out.ReadString('\n')
	if err != nil {
		return Object{}, fmt.Errorf("git cat-file %s: %w", prompt.Visible(rev), err)
	}
	head = strings.TrimSuffix(head, "\n")
	f := strings.Fields(head)
	if len(f) != 3 || strings.HasSuffix(head, " missing") {
		return Object{}, fmt.Errorf("git has no object %s: %w", prompt.Visible(rev), fs.ErrNotExist)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return Object{}, fmt.Errorf("git cat-file answered %q", prompt.Visible(head))
	}
	if size > MaxObject {
		_, err := io.CopyN(io.Discard, o.out, size+1)
		return Object{}, errors.Join(fmt.Errorf("object %s has %d bytes, at most %d are read: %w", prompt.Visible(rev), size, MaxObject, fs.ErrNotExist), err)
	}
	data := make([]byte, size+1) // and the newline behind it
	if _, err := io.ReadFull(o.out, data); err != nil {
		return Object{}, fmt.Errorf("git cat-file %s: %w", prompt.Visible(rev), err)
	}
	return Object{ID: f[0], Type: f[1], Data: data[:size]}, nil
}

// A TagObject is an annotated tag.
type TagObject struct {
	Target  string // the commit's id
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
		case "tag":
			t.Name = value
		case "tagger":
			t.Tagger = parseSignature(value)
		}
	}
	// A signature follows the message it signs.
	for _, mark := range []string{"-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SIGNED MESSAGE-----"} {
		t.Message, _, _ = strings.Cut(t.Message, mark)
	}
	return t
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
