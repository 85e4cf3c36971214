package calllog

import (
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// callColumns are those of call_{day}, in the order in which they are written.
const callColumns = `seq, id, origin, started_us, latency_us, ttft_us, input_tokens, output_tokens, cached_tokens, cost_nano, outcome,
	response_hash, response_id, satisfaction, subject_hash, subject, tags, input, output`

// inCallColumns is how many.
const inCallColumns = 19

// values writes n tuples of placeholders for columns values each: ($1,$2),($3,$4).
func values(n, columns int) string { return tuples(n, strings.Repeat(",$", columns)[1:]) }

// tuples writes a tuple n times, with numbers behind the dollars.
func tuples(n int, tuple string) string {
	var b strings.Builder
	number := 0
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for _, c := range []byte(tuple) {
			b.WriteByte(c)
			if c == '$' {
				number++
				b.WriteString(strconv.Itoa(number))
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// pieces cuts n things into pieces of a few sizes, so that there are few
// statements, each of which is prepared once.
func pieces(n int, each func(from, to int) error, sizes ...int) error {
	for from := 0; from < n; {
		for _, size := range sizes {
			if from+size <= n {
				if err := each(from, from+size); err != nil {
					return err
				}
				from += size
				break
			}
		}
	}
	return nil
}

// orNull is a value for a column that may be null.
func orNull[T any](o registry.Opt[T], value func(T) any) any {
	if !o.Known {
		return nil
	}
	return value(o.Value)
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
