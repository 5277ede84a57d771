package workflow

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
)

// Prepare brings hosts to where only joining is left.
var Prepare = Workflow{
	Name:  "prepare",
	Use:   "prepare -f FILE --bundle FILE [HOST...]",
	Short: "Put all that a host needs there, and join it to nothing",
	Long: `Bring hosts to where only joining is left: settings, binaries, containerd, images and the
units of kubelet and balancers, not started (but the host's own haproxy, in mode local). Then 'slipway init' and 'slipway join' have less to do in a
maintenance window, and 'kubeadm join' can be typed on the host itself.`,
	Args:   SomeHosts,
	Bundle: true,
	reach:  func(c *cluster.Cluster, r Request) []cluster.Host { return withControlPlanes(c, r.Hosts) },
	plan:   of(phases.Prepare),
	mints:  true,
}
