// Package uitest drives the pages of a real server in a real browser: stories
// of people, and what holds for every page. It has no code but tests.
//
// Each test has a Git repository, a server in a process of its own and a window
// of Chromium, which reports whatever a page does that its policy forbids.
package uitest
