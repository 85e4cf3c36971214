package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// SecretOf is the secret of a webhook: derived from the one of the database, so
// that none is kept, and all replicas and a restored backup know it.
func SecretOf(database []byte, webhook string) []byte {
	mac := hmac.New(sha256.New, database)
	mac.Write([]byte(webhook))
	return mac.Sum(nil)
}

// ShowSecret is a secret as receivers are given it.
func ShowSecret(secret []byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(secret)
}

// Sign is the signature of a body that is sent at a time, by the Standard
// Webhooks specification: v1, HMAC-SHA256 over id, time in seconds and body
// with dots between them. The id has no dot.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sign writes the headers of the specification. The time is that of the
// attempt, by which a receiver tells one that somebody sends again.
func sign(h http.Header, m Message, at time.Time, body []byte) {
	h.Set("webhook-id", m.ID)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", Sign(m.Secret, m.ID, at, body))
}
