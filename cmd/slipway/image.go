package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newImageCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "image",
		Short: "The images on the hosts",
	}
	command.AddCommand(newImageLoadCommand())
	return command
}

func newImageLoadCommand() *cobra.Command {
	var (
		flags changeFlags
		name  string
	)
	command := &cobra.Command{
		Use:   "load -f FILE ARCHIVE...",
		Short: "Put your own images onto all hosts, without a registry",
		Long: `Read images from archives and put them into containerd on every host of the cluster file,
pinned against image garbage collection. Use imagePullPolicy IfNotPresent or Never.

An archive is what 'docker save' or 'podman save' write, or an OCI image layout: a tar,
plain or compressed by gzip or zstd, or a layout's folder. An image gets the name under
which the runtime looks for it: app:1 becomes docker.io/library/app:1, as in a Pod. Each
host gets what the image has for its platform; an image that a host cannot run is refused.`,
		Example: `  slipway image load -f my.yaml app.tar
  slipway image load -f my.yaml --name registry.example.com/app:1 oci.tar`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, archives []string) error {
			flags.yes = true // adding an image takes nothing away
			return loadImages(command.Context(), flags, archives, name)
		},
	}
	flags.clusterFlags.add(command)
	command.Flags().StringVar(&name, "name", "", "what to call the one image of the archive, where it has no name there or another")
	command.Flags().StringVarP(&flags.output, "output", "o", formatText, "format: text, or json for one event per step")
	return command
}

func loadImages(ctx context.Context, flags changeFlags, archives []string, name string) error {
	if name != "" {
		if _, err := hosts.ImageName(name); err != nil {
			return usagef("--name: %w", err)
		}
	}
	s, err := flags.open(nil)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.loadImages(ctx, flags, archives, name)
}

// loadImages reads the archives and has every host load what is in them. What was unpacked for
// that, gigabytes perhaps, goes with an interrupt at once: a host may keep the command from
// its end for longer than an interrupt waits.
func (s *session) loadImages(ctx context.Context, flags changeFlags, archives []string, name string) error {
	set, err := images.Read(ctx, archives, name)
	if err != nil {
		return err
	}
	defer set.Close()
	defer context.AfterFunc(ctx, func() { _ = set.Close() })()
	var own []phases.OwnImage
	for _, image := range set.Images() {
		own = append(own, phases.OwnImage{Load: image.Load, Platform: image.Platform})
	}
	s.images = set
	return s.change(ctx, flags, planner{
		workflow: "image load",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Nodes() },
		query:    func(cluster.Host) hosts.Query { return phases.ImageQuery(own) },
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) {
			return phases.Images(in, own)
		},
	})
}
