package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of incipit",
		Example: examples("incipit version", "incipit version --json=version"),
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": programVersion(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			return e.emit(v, func(w io.Writer) {
				fmt.Fprintf(w, "incipit %s (%s, %s)\n", v["version"], v["go"], v["platform"])
			})
		},
	}
}

// programVersion is the module's version, which the go command records.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
