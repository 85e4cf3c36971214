package cli

import (
	"fmt"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sandbox"
)

// sandboxChild is the argument by which the program starts itself to run the
// code of suites. It is no command: nobody types it.
const sandboxChild = "sandbox-child"

// serveSandbox is that child. It reads and writes what its parent asks for.
func serveSandbox(std Streams) int {
	if err := sandbox.ServeChild(std.In, std.Out); err != nil {
		fmt.Fprintf(std.Err, "%s: %v\n", sandboxChild, err)
		return api.Failure
	}
	return api.OK
}
