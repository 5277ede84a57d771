package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

func newImageCommand(p *program) *cobra.Command {
	command := &cobra.Command{
		Use:   "image",
		Short: "The images on the hosts",
	}
	command.AddCommand(newWorkflowCommand(p, workflow.ImageLoad))
	return command
}
