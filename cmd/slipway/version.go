package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set when building.
var version = "dev"

func newVersionCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		value := map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
		return show(command.OutOrStdout(), *format, value, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "slipway %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		})
	}
	return command
}
