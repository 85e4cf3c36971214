package calllog

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

func (p *postgres) encode(r *row) { r.wire = r.appendBinary(make([]byte, 0, 320)) }

func (p *postgres) known(ctx context.Context, t *tx, d day, all []*row) error {
	ids := make([][]byte, len(all))
	for i, r := range all {
		ids[i] = r.call.ID[:]
	}
	return rows(ctx, t, func(rs *sql.Rows) error { return there(rs, all) }, d.sql(`SELECT id, seq FROM call_{day} WHERE id = ANY($1)`), ids)
}

// insert copies the rows in the binary format of COPY.
func (p *postgres) insert(ctx context.Context, t *tx, d day, all []*row) error {
	b := append(make([]byte, 0, 320*len(all)), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, r := range all {
		// The number is the first column: behind how many there are and its length.
		binary.BigEndian.PutUint64(r.wire[6:], uint64(r.seq))
		b = append(b, r.wire...)
	}
	b = append(b, 0xff, 0xff)
	err := t.conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("calllog: the driver is not pgx")
		}
		_, err := c.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(b), d.sql(`COPY call_{day} (`+callColumns+`) FROM STDIN BINARY`))
		return err
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23505" {
		return errTaken
	}
	return err
}

// appendBinary appends the values of callColumns, each with its length in front
// and -1 for null.
func (r *row) appendBinary(b []byte) []byte {
	c := r.call
	b = binary.BigEndian.AppendUint16(b, inCallColumns)
	b = appendInteger(b, r.seq)
	b = appendText(b, c.ID[:])
	b = appendInteger(b, r.origin.id)
	b = appendInteger(b, c.StartedAt.UnixMicro())
	b = appendInteger(b, c.Latency.Microseconds())
	b = appendIf(b, c.FirstToken.Known, c.FirstToken.Value.Microseconds())
	b = appendIf(b, c.InputTokens.Known, c.InputTokens.Value)
	b = appendIf(b, c.OutputTokens.Known, c.OutputTokens.Value)
	b = appendIf(b, c.CachedTokens.Known, c.CachedTokens.Value)
	b = appendIf(b, c.Cost.Known, int64(c.Cost.Value))
	b = append(b, 0, 0, 0, 2, 0, byte(outcomeOf(c)))
	b = appendIf(b, r.response.Known, r.response.Value)
	b = appendTextIf(b, c.ResponseID)
	b = appendIf(b, r.satisfaction.Known, int64(math.Float64bits(r.satisfaction.Value)))
	if r.subject == (SubjectHash{}) {
		b = appendNull(b)
	} else {
		b = appendText(b, r.subject[:])
	}
	for _, s := range []string{c.Subject, r.tags, c.Input, c.Output} {
		b = appendTextIf(b, s)
	}
	return b
}

func appendNull(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

func appendInteger(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n))
}

func appendIf(b []byte, known bool, n int64) []byte {
	if !known {
		return appendNull(b)
	}
	return appendInteger(b, n)
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendTextIf(b []byte, s string) []byte {
	if s == "" {
		return appendNull(b)
	}
	return appendText(b, s)
}
