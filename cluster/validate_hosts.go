package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	kubelet "k8s.io/kubelet/pkg/apis"
)

func (k *checker) hosts(c *Cluster) {
	if len(c.Hosts) == 0 {
		k.wrong("hosts", "list at least one, with the role control-plane", "is empty")
		return
	}
	names, addresses, reached := map[string]string{}, map[string]string{}, map[string]string{}
	for i, host := range c.Hosts {
		path := index("hosts", i)
		k.hostName(host.Name, child(path, "name"))
		k.unique(names, host.Name, child(path, "name"))
		k.addresses(host, path, addresses)
		k.roles(host, path)
		if host.Hostname != "" && host.Hostname != HostnameKeep {
			k.wrong(child(path, "hostname"), "write "+HostnameKeep+" to leave the machine's host name as it is; unless said, it is set to name", "%q is not known", host.Hostname)
		}
		k.labels(host.Labels, child(path, "labels"))
		k.taints(host.Taints, child(path, "taints"))
		if host.HasRole(RoleLoadBalancer) {
			k.loadBalancer(host, path)
		}
		ssh := host.SSH.own(c.SSH)
		if ssh.Host == host.Address() {
			ssh.Host = "" // an address is judged where it stands
		}
		k.ssh(ssh, child(path, "ssh"))
		k.reached(reached, host, path)
		k.sshHostOfAnother(c, host, path)
	}
	if len(c.ControlPlanes()) == 0 && !slices.ContainsFunc(c.Hosts, hasUnknownRole) {
		k.wrong("hosts", "give one of them the role control-plane", "none is a control plane").concludedFrom("roles", "hosts")
	}
}

// unique reports a value that another path has already.
func (k *checker) unique(seen map[string]string, value, path string) {
	if value == "" {
		return
	}
	if first, again := seen[value]; again {
		k.wrong(path, "make them differ", "%s is taken by %s", value, first)
		return
	}
	seen[value] = path
}

func (k *checker) hostName(name, path string) {
	switch {
	case name == "":
		k.wrong(path, "give the host a name: it becomes the node's", "is missing")
	case name == "localhost":
		k.wrong(path, "write the host's own name", "localhost is every host's name")
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		k.wrong(path, nodeNameFix(name), "%q is not a name for a node", name)
	case len(name) > validation.LabelValueMaxLength:
		k.wrong(path, fmt.Sprintf("use at most %d characters", validation.LabelValueMaxLength), "%q is too long to be the node's host name label", name)
	}
}

func nodeNameFix(name string) string {
	const rule = "of lower-case letters, digits, dashes and dots that begins and ends with a letter or digit"
	made := strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
	if len(validation.IsDNS1123Subdomain(made)) == 0 {
		return "write " + made + ", or another name " + rule
	}
	return "write a name " + rule
}

func (k *checker) addresses(host Host, path string, seen map[string]string) {
	at := child(path, "addresses")
	if len(host.Addresses) == 0 {
		k.wrong(child(path, "address"), "write the address that the other hosts reach it by", "is missing")
	}
	of := map[Family]string{}
	for i, text := range host.Addresses {
		entry := index(at, i)
		address, err := netip.ParseAddr(text)
		if err != nil {
			k.wrong(entry, addressFix(text), "%q is not an address", text)
			continue
		}
		k.unique(seen, address.Unmap().String(), entry)
		first, again := of[FamilyOf(address)]
		switch {
		case address.Is4In6():
			k.wrong(entry, "write "+address.Unmap().String(), "%s is an IPv4 address in the form of IPv6", text)
		case !reachable(address):
			k.wrong(entry, "write the address that the other hosts reach it by", "%s is not an address that other hosts can reach", text)
		case again && first != text:
			k.wrong(entry, "keep one of each family", "%s is a second address of %s, beside %s", text, FamilyOf(address), first)
		}
		of[FamilyOf(address)] = text
	}
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// reachable tells whether an address may be one that others reach a host by.
func reachable(address netip.Addr) bool {
	return !address.IsUnspecified() && !address.IsLoopback() && !address.IsMulticast() && !address.IsLinkLocalUnicast() &&
		address.Zone() == "" && address != broadcast
}

func addressFix(text string) string {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return "write " + prefix.Addr().String() + ", without the length"
	}
	if port, err := netip.ParseAddrPort(text); err == nil {
		return "write " + port.Addr().String() + "; the port goes to ssh.port"
	}
	if isMistypedAddress(text) {
		return mistypedFix
	}
	if isName(text) {
		return "write the address itself; a name may stand in ssh.host"
	}
	return "write it like 192.0.2.10"
}

// roleWords are other words for the roles.
var roleWords = map[string]Role{
	"master": RoleControlPlane, "controlplane": RoleControlPlane, "control_plane": RoleControlPlane, "controller": RoleControlPlane,
	"server": RoleControlPlane, "etcd": RoleControlPlane, "node": RoleWorker, "agent": RoleWorker, "slave": RoleWorker,
	"loadbalancer": RoleLoadBalancer, "load_balancer": RoleLoadBalancer, "balancer": RoleLoadBalancer, "lb": RoleLoadBalancer,
	"haproxy": RoleLoadBalancer, "keepalived": RoleLoadBalancer, "proxy": RoleLoadBalancer,
}

var allRoles = []string{string(RoleControlPlane), string(RoleWorker), string(RoleLoadBalancer)}

func (k *checker) roles(host Host, path string) {
	at := child(path, "roles")
	if len(host.Roles) == 0 {
		k.wrong(at, fmt.Sprintf("write [%s], [%s] or both, or [%s]", RoleControlPlane, RoleWorker, RoleLoadBalancer), "is empty")
	}
	seen := map[string]int{}
	for i, role := range host.Roles {
		if !known(role) {
			fix := oneOf(string(role), allRoles)
			if meant, ok := roleWords[strings.ToLower(string(role))]; ok {
				fix = "write " + string(meant)
			}
			k.wrong(index(at, i), fix, "%q is not a role", role)
		}
		k.once(seen, string(role), i, index(at, i), at)
	}
}

func known(role Role) bool { return slices.Contains(allRoles, string(role)) }

// loadBalancer checks a host that is to be nothing else: it has no kubelet, so it is no node.
func (k *checker) loadBalancer(host Host, path string) {
	if slices.ContainsFunc(host.Roles, func(role Role) bool { return role != RoleLoadBalancer && known(role) }) {
		k.wrong(child(path, "roles"), "take it away: with endpoint.mode vip the control planes balance the load themselves",
			"%s has no other role beside it", RoleLoadBalancer)
	}
	if len(host.Labels) > 0 {
		k.wrong(child(path, "labels"), leaveOut, "a load balancer is no node, which could have labels")
	}
	if len(host.Taints) > 0 {
		k.wrong(child(path, "taints"), leaveOut, "a load balancer is no node, which could have taints")
	}
}

// hasUnknownRole tells whether a role of the host was meant to be one of ours: then
// nothing can be said of roles that nobody has.
func hasUnknownRole(host Host) bool {
	return slices.ContainsFunc(host.Roles, func(role Role) bool { return !known(role) })
}

// ownLabels are set by the kubelet out of what the host is.
var ownLabels = []string{"kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"}

func (k *checker) labels(labels map[string]string, path string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at := child(path, key)
		switch {
		case len(validation.IsQualifiedName(key)) > 0:
			k.wrong(at, "write a key like disk or example.com/disk", "%q is not a label's key", key)
		case key == LabelControlPlane || key == LabelExcludeFromLoadBalancers:
			k.wrong(at, "leave it out", "Slipway sets it on control planes itself")
		case slices.Contains(ownLabels, key):
			k.wrong(at, "leave it out", "the kubelet sets it itself")
		case isKubernetesKey(key) && !kubelet.IsKubeletLabel(key):
			k.wrong(at, "choose a prefix of your own, such as example.com/; of Kubernetes' own, a node may have topology.kubernetes.io/zone and region, and what begins with node.kubernetes.io/ or kubelet.kubernetes.io/",
				"a node may not give itself this label: the API server's NodeRestriction and the kubelet refuse it")
		}
		if len(validation.IsValidLabelValue(labels[key])) > 0 {
			k.wrong(at, "use at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit", "%q is not a label's value", labels[key])
		}
	}
}

// isKubernetesKey tells whether a key's prefix belongs to Kubernetes.
func isKubernetesKey(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	if !found {
		return false
	}
	for _, domain := range []string{"kubernetes.io", "k8s.io"} {
		if prefix == domain || strings.HasSuffix(prefix, "."+domain) {
			return true
		}
	}
	return false
}

var effects = []string{EffectNoSchedule, EffectPreferNoSchedule, EffectNoExecute}

func (k *checker) taints(taints []Taint, path string) {
	seen := map[string]int{}
	for i, taint := range taints {
		at := index(path, i)
		if len(validation.IsQualifiedName(taint.Key)) > 0 {
			k.wrong(child(at, "key"), "write a key like gpu or example.com/gpu", "%q is not a taint's key", taint.Key)
		}
		if len(validation.IsValidLabelValue(taint.Value)) > 0 {
			k.wrong(child(at, "value"), "use at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit", "%q is not a taint's value", taint.Value)
		}
		if !slices.Contains(effects, taint.Effect) {
			k.wrong(child(at, "effect"), oneOf(taint.Effect, effects), "%q is not a taint's effect", taint.Effect)
		}
		if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			k.wrong(child(at, "key"), "choose a key of your own", "Kubernetes sets and removes taints with this prefix itself")
		}
		k.once(seen, taint.Key+":"+taint.Effect, i, at, path)
	}
}
