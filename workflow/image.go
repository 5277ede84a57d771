package workflow

import (
	"context"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// ImageLoad puts the user's own images onto all hosts.
var ImageLoad = Workflow{
	Name:  "image load",
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
	Args:    Archives,
	Unasked: true,
	check: func(r Request) error {
		if r.ImageName != "" {
			if _, err := hosts.ImageName(r.ImageName); err != nil {
				return usagef("--name: %w", err)
			}
		}
		return nil
	},
	begin: readImages,
	reach: func(c *cluster.Cluster, _ Request) []cluster.Host { return c.Nodes() },
	query: func(s *Session, _ cluster.Host) hosts.Query { return phases.ImageQuery(s.ownImages()) },
	plan: func(s *Session, in phases.Input) (plan.Plan, plan.Contents, error) {
		return phases.Images(in, s.ownImages())
	},
}

// readImages reads the archives. What was unpacked for that, gigabytes perhaps, goes with an
// interrupt at once: a host may keep the command from its end for longer than an interrupt waits.
func readImages(ctx context.Context, s *Session, r *Run) (err error) {
	if s.images, err = images.Read(ctx, r.Archives, r.ImageName); err == nil {
		context.AfterFunc(ctx, func() { _ = s.images.Close() })
	}
	return err
}

func (s *Session) ownImages() []view.OwnImage {
	var own []view.OwnImage
	for _, image := range s.images.Images() {
		own = append(own, view.OwnImage{Load: image.Load, Platform: image.Platform})
	}
	return own
}
