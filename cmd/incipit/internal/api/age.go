package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ParseAge reads a duration of a second or more, which may be in days: 90d,
// 12h, 30m.
func ParseAge(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days < 100_000 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		return 0, registry.Errorf(prompt.ErrInvalid, "%q is no time: write one such as 12h or 90d", prompt.Clip(prompt.Visible(s), 40))
	}
	return d, nil
}
