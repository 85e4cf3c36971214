// Package telemetry says what is counted of calls, and how: calls are added up
// to rollups, rollups merge, and statistics are read from them. It is pure: no
// clock, no store.
package telemetry
