package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// nodePorts are who listens on every node, wherever their flags do not say otherwise.
var nodePorts = map[int]string{
	10248: "the kubelet", 10250: "the kubelet",
	10249: "kube-proxy", 10256: "kube-proxy",
}

// planePorts are who listens on control planes besides.
var planePorts = map[int]string{
	10257: "kube-controller-manager", 10259: "kube-scheduler",
}

// etcdPorts are who listens on control planes where etcd is theirs.
var etcdPorts = map[int]string{2379: "etcd", 2380: "etcd", 2381: "etcd"}

// The API server's own default of service-node-port-range.
const firstNodePort, lastNodePort = 30000, 32767

// sharedPort looks who else wants the endpoint's port, where the endpoint is on hosts of
// the cluster: haproxy's, or in mode controlPlane the API server's.
func (k *checker) sharedPort(c *Cluster) {
	if c.Endpoint.Mode == EndpointExternal || c.Endpoint.Mode == EndpointLoadBalancers {
		return // then they share no host
	}
	port := c.Endpoint.Port
	taken := maps.Clone(nodePorts)
	maps.Copy(taken, planePorts)
	if c.StackedEtcd() {
		maps.Copy(taken, etcdPorts)
	}
	who := "haproxy"
	if c.Endpoint.Mode == EndpointControlPlane {
		who = "the API server"
	} else {
		taken[DefaultEndpointPort] = "the API server"
	}
	if other, found := taken[port]; found {
		k.wrong("endpoint.port", portFix(c.Endpoint.Mode), "%d is used by %s, which runs on the same host as %s", port, other, who).concludedFrom("mode")
	}
	if first, last, ok := nodePortRange(c.ExtraArgs.APIServer); ok && first <= port && port <= last {
		k.wrong("endpoint.port", portFix(c.Endpoint.Mode), "%d is one of those that Services of type NodePort get, %d to %d", port, first, last).concludedFrom("mode", "apiServer")
	}
}

func portFix(mode EndpointMode) string {
	return fmt.Sprintf("write %d, or another", mode.defaultPort())
}

// nodePortRange is what Services of type NodePort choose from.
func nodePortRange(apiServer []Arg) (first, last int, ok bool) {
	at := slices.IndexFunc(apiServer, func(arg Arg) bool { return arg.Name == "service-node-port-range" })
	if at < 0 {
		return firstNodePort, lastNodePort, true
	}
	from, to, found := strings.Cut(apiServer[at].Value, "-")
	first, err := strconv.Atoi(from)
	if !found || err != nil {
		return 0, 0, false // in another of its forms: the API server's to judge
	}
	last, err = strconv.Atoi(to)
	return first, last, err == nil
}
