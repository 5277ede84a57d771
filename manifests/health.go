package manifests

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// The ports on which components serve their health.
const (
	controllerPort    = 10257
	schedulerPort     = 10259
	kubeletHealthPort = 10248
)

// HealthURLs are where a control plane's components tell how they are, as seen from the host
// itself, by their names in hosts.Health: where the file has them listen. The API server's is not
// among them.
func HealthURLs(c *cluster.Cluster, host cluster.Host) map[string]string {
	found := map[string]string{
		hosts.ComponentController: healthURL("https", bindAddress(c.ExtraArgs.ControllerManager), controllerPort, "/healthz"),
		hosts.ComponentScheduler:  healthURL("https", bindAddress(c.ExtraArgs.Scheduler), schedulerPort, "/readyz"),
	}
	if c.StackedEtcd() {
		at := etcdMetrics(loopback(host.Address()), c.ExtraArgs.Etcd)
		found[hosts.ComponentEtcd] = healthURL(strings.ToLower(string(at.scheme)), at.host, int(at.port), "/readyz")
	}
	if bind, port := kubeletHealth(c); port != 0 { // by which it is turned off
		found[hosts.ComponentKubelet] = healthURL("http", bind, port, "/healthz")
	}
	return found
}

// kubeletHealth is where kubelets serve their health. A flag goes before the configuration.
func kubeletHealth(c *cluster.Cluster) (bind string, port int) {
	said := overlay(document{"healthzBindAddress": "127.0.0.1", "healthzPort": kubeletHealthPort}, c.Kubelet)
	bind, number := fmt.Sprint(said["healthzBindAddress"]), fmt.Sprint(said["healthzPort"])
	if flag, set := argument(c.ExtraArgs.Kubelet, "healthz-bind-address"); set {
		bind = flag
	}
	if flag, set := argument(c.ExtraArgs.Kubelet, "healthz-port"); set {
		number = flag
	}
	port, _ = strconv.Atoi(number) // what is no number, the kubelet does not take
	return bind, port
}

// healthURL is asked on the loopback where the component listens on all addresses.
func healthURL(scheme, bind string, port int, path string) string {
	if address, err := netip.ParseAddr(bind); err == nil && address.IsUnspecified() {
		bind = loopback(bind)
	}
	return scheme + "://" + join(bind, port) + path
}
