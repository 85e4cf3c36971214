package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// MaxObject is the largest object that is read, in bytes. It bounds the trees
// of a repository as well; the texts in it have smaller bounds of their own.
const MaxObject = 64 << 20

// A batch is one git cat-file --batch. It serves one read at a time.
type batch struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (r *Repo) batch(ctx context.Context) (*batch, error) {
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
		return nil, explainStart(err)
	}
	return &batch{cmd, in, bufio.NewReaderSize(out, 64<<10)}, nil
}

// close ends the process. How it ended is of no interest: what it was asked is
// answered.
func (b *batch) close() error {
	err := errors.Join(b.in.Close(), b.cmd.Wait())
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// get asks for one object. The answer is a line "id type size", the content
// and a newline; or "rev missing". One of more than limit bytes is passed over.
func (b *batch) get(rev string, limit int64) (Object, error) {
	if _, err := io.WriteString(b.in, rev+"\n"); err != nil {
		return Object{}, fmt.Errorf("git cat-file: %w", err)
	}
	head, err := b.out.ReadString('\n')
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
	if size > limit {
		_, err := io.CopyN(io.Discard, b.out, size+1)
		return Object{}, errors.Join(fmt.Errorf("object %s has %d bytes, at most %d are read: %w", prompt.Visible(rev), size, limit, fs.ErrNotExist), err)
	}
	data := make([]byte, size+1) // and the newline behind it
	if _, err := io.ReadFull(b.out, data); err != nil {
		return Object{}, fmt.Errorf("git cat-file %s: %w", prompt.Visible(rev), err)
	}
	return Object{ID: f[0], Type: f[1], Data: data[:size]}, nil
}
