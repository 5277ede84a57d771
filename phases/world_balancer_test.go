package phases

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// balancer is what a host's haproxy and keepalived run with: what their files said when
// they were last started or reloaded.
type balancer struct {
	backends []string // host:port of API servers, sorted
	peers    []string // addresses, sorted
	holds    bool     // keepalived runs
}

// loadBalancer has one of the two units read its file.
func (w *world) loadBalancer(host, unit string) {
	b := w.balancer[host]
	switch unit {
	case manifests.HAProxyUnit:
		b.backends = nil
		if w.unitActive(host, unit) {
			content, _, _ := w.machines[host].ReadFile(manifests.HAProxyConfig)
			b.backends = backendsOf(string(content))
		}
	case manifests.KeepalivedUnit:
		b.peers, b.holds = nil, w.unitActive(host, unit)
		if b.holds {
			content, _, _ := w.machines[host].ReadFile(manifests.KeepalivedConfig)
			b.peers = peersOf(string(content))
		}
	default:
		return
	}
	w.balancer[host] = b
}

// backendsOf reads the servers out of haproxy's configuration, each once: the same are there
// as its last resort.
func backendsOf(config string) []string {
	var found []string
	for line := range strings.Lines(config) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "server" && !strings.HasSuffix(words[1], ":unready") {
			found = append(found, words[2])
		}
	}
	slices.Sort(found)
	return found
}

// everyone stands for the group that a keepalived tells which has no peers in its configuration.
const everyone = "*"

// tells tells whether adverts come to a host.
func (b balancer) tells(address string) bool {
	return slices.Contains(b.peers, address) || slices.Contains(b.peers, everyone)
}

// peersOf reads the peers out of keepalived's configuration. One without any has itself:
// it knows no empty list.
func peersOf(config string) []string {
	if strings.Contains(config, "mcast_src_ip ") {
		return []string{everyone}
	}
	_, rest, _ := strings.Cut(config, "unicast_peer {")
	block, _, _ := strings.Cut(rest, "}")
	var found []string
	for line := range strings.Lines(block) {
		if words := strings.Fields(line); len(words) > 0 && !strings.ContainsAny(words[0], "#!") && words[0] != "127.0.0.1" {
			found = append(found, words[0])
		}
	}
	slices.Sort(found)
	return found
}

// leads tells whether a host's balancer leads to an API server that is well enough.
func (w *world) leads(host string, well func(name string) bool) bool {
	if !w.unitActive(host, manifests.HAProxyUnit) {
		return false
	}
	for name := range w.machines {
		if well(name) && slices.Contains(w.balancer[host].backends, w.addressOf(name)) {
			return true
		}
	}
	return false
}

// addressOf is where a control plane's API server listens; it may have left the file.
func (w *world) addressOf(name string) string {
	return manifests.APIAddress(w.cluster, cluster.Host{Name: name, Addresses: []string{w.address[name]}})
}

// reaches tells whether the API answers on the endpoint as seen from a host.
func (w *world) reaches(from string) bool { return w.reachesOne(from, w.serves) }

// mayRegister tells whether a kubelet reaches an API server by the endpoint, be it one that
// starts: a balancer of ours leads there where there is no better.
func (w *world) mayRegister(from string) bool {
	if len(w.cluster.Balancers()) == 0 {
		return w.reaches(from)
	}
	return w.reachesOne(from, func(name string) bool { return w.runs(name, manifests.APIServerManifest) })
}

func (w *world) reachesOne(from string, well func(name string) bool) bool {
	switch w.cluster.Endpoint.Mode {
	case cluster.EndpointLocal:
		return w.leads(from, well)
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers:
		for name := range w.machines {
			if w.unitActive(name, manifests.KeepalivedUnit) && w.leads(name, well) {
				return true
			}
		}
		return false
	case cluster.EndpointControlPlane, cluster.EndpointExternal:
	}
	return w.apiUp()
}

// giveVIP has one of those whose keepalived runs hold the virtual address.
func (w *world) giveVIP(facts map[string]hosts.Facts) {
	address := w.cluster.VirtualAddress()
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if address == "" || !w.unitActive(name, manifests.KeepalivedUnit) {
			continue
		}
		holder := facts[name]
		holder.Interfaces = slices.Clone(holder.Interfaces)
		link := &holder.Interfaces[len(holder.Interfaces)-1]
		link.Addresses = append(slices.Clone(link.Addresses), address+"/32")
		facts[name] = holder
		return
	}
}

// deaf names two keepalived that run, of which one would hear nothing if the other held the
// virtual address, and would take it too.
func (w *world) deaf() string {
	if w.cluster.VirtualAddress() == "" {
		return ""
	}
	for name, one := range w.balancer {
		for other, b := range w.balancer {
			if name != other && one.holds && b.holds && !one.tells(w.address[other]) {
				return name + " does not tell " + other + " that it holds the virtual address"
			}
		}
	}
	return ""
}
