// Command incipit is release engineering for prompts.
package main

import (
	"os"
	"time"
	_ "time/tzdata" // freeze windows name time zones, and a bare machine knows none

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ(), time.Now))
}
