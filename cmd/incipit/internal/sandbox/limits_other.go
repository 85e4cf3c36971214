//go:build !linux

package sandbox

// lower leaves it to watch: what other systems count differs too much.
func lower(limits) error { return nil }

func tired() bool { return false }
