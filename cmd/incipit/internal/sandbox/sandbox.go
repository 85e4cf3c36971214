// Package sandbox runs the code that suites bring: JavaScript in a child
// process of ourselves with limits of time and memory, nunjucks templates in
// the same child, Python where its interpreter and consent are there, and
// JavaScript's regular expressions under a time limit.
package sandbox

import (
	_ "github.com/dlclark/regexp2/v2"
	_ "github.com/dop251/goja"
)
