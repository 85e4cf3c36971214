// Package importer reads the prompts of other tools and makes of each a prompt
// with its metadata and suite, one version at a time. It returns values and
// never touches the work tree.
package importer
