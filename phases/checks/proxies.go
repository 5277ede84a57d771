package checks

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// proxied are those of some host:port that the kubelet and containerd of a host would ask a proxy for: systemd gives
// its services the variables, and they take no_proxy as Go's net/http does.
func proxied(facts hosts.Facts, addresses []string) (through string, found []string) {
	if facts.Conditions == nil || len(facts.Conditions.Proxy) == 0 {
		return "", nil
	}
	said := facts.Conditions.Proxy
	config := httpproxy.Config{HTTPProxy: said["http_proxy"], HTTPSProxy: said["https_proxy"], NoProxy: said["no_proxy"]}
	proxyFor := config.ProxyFunc()
	for _, address := range addresses {
		proxy, err := proxyFor(&url.URL{Scheme: "https", Host: address})
		if err == nil && proxy != nil {
			through, found = proxy.Host, addName(found, address)
		}
	}
	return through, found
}

// unproxy is how to have addresses reached without the proxy.
func unproxy(exceptions []string) string {
	return "add " + strings.Join(exceptions, ",") + " to NO_PROXY where systemd's services get it (DefaultEnvironment in /etc/systemd/system.conf.d, /etc/environment of a manager's own), then: systemctl daemon-reexec"
}

// proxiedHosts tells of API servers, and the endpoint, that the kubelet would reach by a proxy.
func proxiedHosts(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	var wanted, exceptions []string
	if endpoint, err := manifests.EndpointAddress(v.Cluster); err == nil {
		wanted = append(wanted, endpoint)
	}
	for _, plane := range v.Cluster.ControlPlanes() {
		wanted = append(wanted, manifests.APIAddress(v.Cluster, plane))
	}
	through, found := proxied(facts, wanted)
	for _, address := range found {
		exceptions = addName(exceptions, strings.Trim(address[:strings.LastIndex(address, ":")], "[]"))
	}
	return when(len(found) > 0, warning(unproxy(exceptions),
		"systemd gives its services the proxy %s: the kubelet would ask it for %s", through, strings.Join(firstFew(found), ", ")))
}

// proxiedSubnets tells of Pods and Services that would be reached by a proxy.
func proxiedSubnets(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	var wanted, exceptions []string
	of := map[string]string{}
	for _, subnet := range subnetsOf(v.Cluster) {
		address := netip.AddrPortFrom(subnet.Masked().Addr().Next(), 443).String()
		wanted, of[address] = append(wanted, address), subnet.String()
	}
	through, found := proxied(facts, wanted)
	for _, address := range found {
		exceptions = addName(exceptions, of[address])
	}
	return when(len(found) > 0, warning(unproxy(exceptions),
		"systemd gives its services the proxy %s: what runs on the host would ask it for Pods and Services (%s)", through, strings.Join(exceptions, ", ")))
}
