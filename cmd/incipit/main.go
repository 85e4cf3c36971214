// Command incipit is release engineering for prompts.
package main

import (
	"os"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ(), time.Now))
}
