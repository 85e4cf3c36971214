// Package incipit is the home of the Go SDK: the client that gives a program
// the prompt its environment runs, and records what came of it.
//
// The module is small on purpose. Whoever imports it inherits the standard
// library and one dependency, and none of what the program incipit is built
// from:
//
//	internal/prompt      what a prompt is: parse, validate, render, compare, digest
//	internal/registry    what runs where: buckets, rollouts, snapshots, the error kinds
//	internal/strictjson  JSON that decides something: strict reading, canonical writing
//	testdata/vectors     the same rules as data, for programs in other languages
//	cmd/incipit          the program, a module of its own
//
// The packages under internal are values and pure rules: no clock, no disk, no
// network. The program and the SDK share them, so that a prompt means the same
// in both.
package incipit
