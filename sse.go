package incipit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// An event is one message of a text/event-stream, or a comment of it.
type event struct {
	name    string // "" for the default, message
	data    []byte
	id      string
	comment string // set for a comment alone: a colon and the start of its text
}

var errEventTooLarge = errors.New("an event of the stream is larger than is allowed")

// An eventReader reads the events of a text/event-stream (HTML Living
// Standard, Server-sent events). An event that the stream breaks off in is
// never returned.
type eventReader struct {
	r      *bufio.Reader
	limit  int    // bytes of a line, and of an event's data
	line   []byte // of which a part was read
	skipLF bool   // the line before ended in CR
	begun  bool   // the byte order mark was looked for
}

func newEventReader(r io.Reader, limit int) *eventReader {
	return &eventReader{r: bufio.NewReaderSize(r, 32<<10), limit: limit}
}

// next returns the next event or comment. An event without data, and fields
// that the standard does not know, are passed over.
func (s *eventReader) next() (event, error) {
	var e event
	hasData := false
	for {
		line, err := s.readLine()
		if err != nil {
			return event{}, err
		}
		if !s.begun {
			s.begun = true
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			if hasData {
				return e, nil
			}
			e = event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "":
			if !hasData && e.name == "" { // one inside an event says nothing that cannot wait
				return event{comment: ":" + string(value[:min(len(value), 100)])}, nil
			}
		case "event":
			e.name = string(value[:min(len(value), 100)])
		case "id":
			e.id = string(value[:min(len(value), 100)])
		case "data":
			if hasData {
				e.data = append(e.data, '\n')
			}
			if len(e.data)+len(value) > s.limit {
				return event{}, errEventTooLarge
			}
			if !hasData && len(value) > 64<<10 {
				s.line = nil // the line is given away and not copied
				e.data = value
			} else {
				e.data = append(e.data, value...)
			}
			hasData = true
		}
	}
}

// readLine returns a line without its end, which is CR, LF or both. It is good
// until the next call.
func (s *eventReader) readLine() ([]byte, error) {
	s.line = s.line[:0]
	for {
		if _, err := s.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := s.r.Peek(s.r.Buffered())
		if s.skipLF {
			s.skipLF = false
			if chunk[0] == '\n' {
				_, _ = s.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		part := chunk
		if end >= 0 {
			part = chunk[:end]
		}
		if len(s.line)+len(part) > s.limit {
			return nil, errEventTooLarge
		}
		s.line = append(s.line, part...)
		if end >= 0 {
			s.skipLF = chunk[end] == '\r'
			_, _ = s.r.Discard(end + 1)
			return s.line, nil
		}
		_, _ = s.r.Discard(len(chunk))
	}
}
