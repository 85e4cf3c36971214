package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// withID is a command whose one argument is a prompt's id.
func withID(run func(context.Context, prompt.ID) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		id, err := prompt.ParseID(args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), id)
	}
}

// parseRef splits ID, ID@VERSION.
func parseRef(s string) (id prompt.ID, version string, err error) {
	name, version, _ := strings.Cut(s, "@")
	if id, err = prompt.ParseID(name); err != nil {
		return "", "", err
	}
	if version != "" {
		if _, err := prompt.ParseVersion(version); err != nil {
			return "", "", err
		}
	} else if strings.HasSuffix(s, "@") {
		return "", "", fmt.Errorf("%q is %w: a version must follow the @", prompt.Clip(s, 80), prompt.ErrInvalid)
	}
	return id, version, nil
}
