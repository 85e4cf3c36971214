package sqlstore

import (
	"bytes"
	"crypto/sha256"
	"strconv"
)

// seal is a digest over the columns of a row. A database does not notice a byte
// that was flipped inside a text; we do, and serve nothing instead of something
// else. It is no signature: the audit log's chain is what tells of people.
func seal(columns ...string) []byte {
	h := sha256.New()
	for _, c := range columns { // with their lengths: ("ab","c") is not ("a","bc")
		h.Write([]byte(strconv.Itoa(len(c)) + ":" + c + ","))
	}
	return h.Sum(nil)
}

// sealed reports a row that is not what was written.
func sealed(what string, want []byte, columns ...string) error {
	if !bytes.Equal(want, seal(columns...)) {
		return &corruptError{what}
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
