package uitest

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// object is a JSON object of names and values.
func object(pairs ...any) string {
	m := make(map[string]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		m[name] = pairs[i+1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // what tests write can be
	}
	return string(text)
}

func contains(s, part string) bool { return strings.Contains(s, part) }
func escape(s string) string       { return url.QueryEscape(s) }
func clip(s string, n int) string  { return s[:min(n, len(s))] }
func now() string                  { return time.Now().UTC().Format(time.RFC3339Nano) }
