package calllog

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// partOf is how many numbers the index of responses takes together: it has the
// part first and the hash second. So what is written at one time goes into a
// few pages, which stay in memory, however many calls the day has. Whoever
// looks a response up looks into each part: 1,221 of 10 million calls, at 3 µs.
const partOf = 8192

// responses are the numbers of the calls of a day that have the provider's id of
// a response, the newest first, at most limit of them.
func responses(ctx context.Context, q querier, d day, id string, limit int) ([]int64, error) {
	var out []int64
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var seq int64
		err := rs.Scan(&seq)
		out = append(out, seq)
		return err
	}, d.sql(parts(`
		WITH RECURSIVE part(n) AS (
			SELECT MIN(seq) / {part} FROM call_{day}
			UNION ALL
			SELECT (SELECT MIN(seq) FROM call_{day} WHERE seq >= (part.n + 1) * {part}) / {part} FROM part WHERE part.n IS NOT NULL)
		SELECT c.seq FROM part CROSS JOIN call_{day} c
		WHERE part.n IS NOT NULL AND c.seq / {part} = part.n AND c.response_hash = $1 AND c.response_id = $2
		ORDER BY c.seq + 0 DESC LIMIT $3`)), hashText(id), id, limit)
	return out, err
}

// parts puts partOf into a text.
func parts(text string) string { return strings.ReplaceAll(text, "{part}", strconv.Itoa(partOf)) }
