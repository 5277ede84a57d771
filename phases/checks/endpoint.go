package checks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// kubeadmConfigKey is the object that keeps what the cluster was made with.
var kubeadmConfigKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kubeadm-config"}

// movedEndpoint is a cluster that has another endpoint than the file: every host and the
// API servers' certificates go by it, and nothing moves them all at once.
func movedEndpoint(v view.View) []Finding {
	want, err := manifests.EndpointAddress(v.Cluster)
	if err != nil {
		return nil
	}
	have, known := endpointOf(v)
	if !known || have == want || have == "" && v.Cluster.Endpoint.Mode == cluster.EndpointControlPlane {
		return nil
	}
	if have == "" {
		have = "its only control plane's address"
	}
	return []Finding{finding("set endpoint back to "+have+"; moving the endpoint of a running cluster is not supported yet",
		"the cluster's endpoint is %s, the file says %s", have, want)}
}

// endpointOf is the endpoint that the cluster has: as the API says or, while no API server
// answers, as the control planes' admin.conf do. Where one of those has the file's, it is that.
func endpointOf(v view.View) (endpoint string, known bool) {
	if v.Completed() {
		have, err := manifests.EndpointOf(v.ClusterFacts.Objects[kubeadmConfigKey])
		return have, err == nil && v.ClusterFacts.Objects[kubeadmConfigKey] != nil
	}
	if v.ClusterFacts.Reachable {
		return "", false // init has not completed: a wrong endpoint may be why
	}
	want, _ := manifests.EndpointAddress(v.Cluster)
	for _, host := range v.Cluster.ControlPlanes() {
		facts, seen := v.Facts[host.Name]
		server := strings.TrimPrefix(facts.Kubeconfigs[manifests.AdminConf].Server, "https://")
		if !seen || server == "" || !v.HasCome(host, facts) {
			continue
		}
		if endpoint, known = server, true; server == want {
			break
		}
	}
	return endpoint, known
}

// lostBalancer is a balancer of Slipway's that the file takes from a host while no API server
// answers: what goes by it could not be brought to another.
func lostBalancer(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if v.ClusterFacts.Reachable || !v.HasCome(host, facts) {
		return nil
	}
	wanted := manifests.Skeleton(v.Cluster, v.Bill, host).Units
	lost := slices.DeleteFunc(slices.Clone(view.BalancerUnits), func(name string) bool {
		return !view.Owns(facts.Record, manifests.UnitsFolder+"/"+name) ||
			slices.ContainsFunc(wanted, func(unit manifests.Unit) bool { return unit.Name == name })
	})
	return when(len(lost) > 0, finding("set endpoint back as it was, and change it when an API server answers",
		"no API server answers, and the file would take %s from the host", strings.Join(lost, " and ")))
}

// ownBalancer is a load balancer that the file calls the user's, and that is Slipway's own: it
// answers only as long as nothing is changed.
func ownBalancer(v view.View) []Finding {
	if v.Cluster.Endpoint.Mode != cluster.EndpointExternal {
		return nil
	}
	leadsTo := map[string]bool{v.Cluster.Endpoint.Host: true}
	for _, facts := range v.Facts {
		for _, address := range facts.Names[v.Cluster.Endpoint.Host] {
			leadsTo[address] = true
		}
	}
	for _, host := range v.Cluster.Hosts {
		facts := v.Facts[host.Name]
		if facts.Record == nil || !view.CarriesBalancer(facts.Record) {
			continue
		}
		for _, address := range addressesOf(facts) {
			if leadsTo[address.String()] {
				return []Finding{finding("let the endpoint's name lead to your load balancer first; where the endpoint is an address, set endpoint.mode back",
					"the load balancer at %s is Slipway's own, which mode external would remove", address).on(host.Name)}
			}
		}
	}
	return nil
}

// wrongEndpointName looks whether the endpoint, where it is a name, leads where it must. What
// Slipway knows the address of, it writes into /etc/hosts where the name does not resolve.
func wrongEndpointName(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	name := v.Cluster.Endpoint.Host
	if _, err := netip.ParseAddr(name); name == "" || err == nil {
		return nil
	}
	found := facts.Names[name]
	why, unanswered := facts.Unresolved[name]
	ask := "see what is wrong with the name servers of the host: `getent hosts " + name + "` there asks them"
	if unanswered && manifests.NeedsHostsEntry(v.Cluster) && len(manifests.HostsEntries(v.Cluster, facts)) == 0 {
		return []Finding{warning(ask,
			"the endpoint's name %s cannot be looked up now (%s): it is taken to lead where it led when the host came into the cluster", name, why)}
	}
	want := v.Cluster.VirtualAddress()
	switch v.Cluster.Endpoint.Mode {
	case cluster.EndpointControlPlane: // the name of the only one is written where it leads elsewhere, too
		if len(v.Cluster.ControlPlanes()) == 1 {
			return nil
		}
	case cluster.EndpointLocal:
		want = "127.0.0.1"
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers, cluster.EndpointExternal:
	}
	if want == "" && unanswered {
		return []Finding{finding(ask, "the endpoint's name %s cannot be looked up now (%s)", name, why)}
	}
	if want == "" && len(found) == 0 {
		return []Finding{finding("add it to the DNS, or to /etc/hosts of every host",
			"the endpoint's name %s does not resolve", name)}
	}
	others := slices.DeleteFunc(slices.Clone(found), func(address string) bool { return address == want })
	if want == "" || len(others) == 0 {
		return nil
	}
	return []Finding{finding("correct the DNS or /etc/hosts of the host, or take another name for the endpoint (endpoint.host)",
		"the endpoint's name %s has to lead to %s, and leads to %s", name, want, strings.Join(found, ", "))}
}

// unreachedBalancer is the user's own balancer in front of the API, where the host does not reach
// it. One that refuses may just have no API server to go to yet.
func unreachedBalancer(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	address, err := manifests.EndpointAddress(v.Cluster)
	if err != nil || v.Cluster.Endpoint.Mode != cluster.EndpointExternal {
		return nil
	}
	why := facts.Reach[address]
	_, failed := facts.Reach[address]
	_, nameless := facts.Unresolved[v.Cluster.Endpoint.Host]
	switch {
	case !failed || why == "", nameless: // which the check of names tells
		return nil
	case strings.HasPrefix(why, "connection refused") && !v.ClusterFacts.Reachable: // and not by a name server
		return []Finding{warning("see that it listens there; it may do so only when an API server answers",
			"the load balancer at %s refuses connections: %s", address, why)}
	}
	return []Finding{finding("see that it listens there, and that nothing between filters it",
		"it does not reach the load balancer at %s: %s", address, why)}
}
