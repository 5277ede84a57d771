package manifests

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// modules are the kernel modules that Kubernetes needs and that nothing loads by itself:
// containerd's file system, and what lets a bridge's traffic be seen by the packet filter,
// without which a Pod can't reach a Service served on its own node.
var modules = []string{"overlay", "br_netfilter"}

// OnDemand are the kernel modules that the cluster's own programs have the kernel load when they come to need them:
// flannel for its interface, kube-proxy in mode ipvs. Slipway loads none of them, but a kernel without one carries no
// such cluster.
func OnDemand(c *cluster.Cluster) []string {
	var needed []string
	if c.Networking.AddOn == cluster.AddOnFlannel {
		needed = append(needed, "vxlan")
	}
	if mode, _ := c.KubeProxy["mode"].(string); mode == "ipvs" {
		scheduler := "rr" // kube-proxy's default
		if ipvs, is := c.KubeProxy["ipvs"].(map[string]any); is {
			if named, _ := ipvs["scheduler"].(string); named != "" {
				scheduler = named
			}
		}
		needed = append(needed, "ip_vs", "ip_vs_"+scheduler)
	}
	return needed
}

// Inotify limits. Each container runtime shim, each follower of a log and each watcher
// in a Pod takes an instance of root's, of which most distributions allow 128 in all:
// a well-filled node runs out, and says "too many open files".
var atLeast = map[string]int{
	"fs.inotify.max_user_instances": 8192,
	"fs.inotify.max_user_watches":   524288,
}

// limits are those of atLeast by their paths below /proc/sys, in a fixed order.
func limits() []setting {
	var found []setting
	for _, key := range slices.Sorted(maps.Keys(atLeast)) {
		found = append(found, setting{strings.ReplaceAll(key, ".", "/"), strconv.Itoa(atLeast[key])})
	}
	return found
}

// SysctlSuffices tells whether a kernel parameter's value is as good as what Slipway sets.
func SysctlSuffices(c *cluster.Cluster, key, value string) bool {
	if want, exact := routing(c)[key]; exact {
		return value == want
	}
	number, err := strconv.Atoi(value)
	return err == nil && number >= atLeast[key]
}

// routing are the settings that Pods' traffic needs. What else the kubelet wants of the
// kernel (vm.overcommit_memory, kernel.panic …) it sets itself. All lie below net: those the
// kubelet's unit sets again at each start.
func routing(c *cluster.Cluster) map[string]string {
	settings := map[string]string{
		"net.ipv4.ip_forward":                 "1",
		"net.bridge.bridge-nf-call-iptables":  "1",
		"net.bridge.bridge-nf-call-ip6tables": "1",
	}
	for _, subnet := range c.Networking.PodPrefixes() {
		if subnet.Addr().Is6() {
			settings[IPv6Forwarding] = "1"
		}
	}
	return settings
}

// sysctls are a host's settings: a limit that somebody already raised further stays.
func sysctls(c *cluster.Cluster, facts hosts.Facts) map[string]string {
	settings := routing(c)
	for key, least := range atLeast {
		found, err := strconv.Atoi(facts.Sysctls[key])
		if err != nil || found < least {
			found = least
		}
		settings[key] = strconv.Itoa(found)
	}
	maps.Copy(settings, keptRoutes(c, facts))
	return settings
}

// IPv6Off are the kernel parameters that turn IPv6 off, where they are 1: on the links that
// there are, and on those to come, such as Pods'.
var IPv6Off = []string{"net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"}

// IPv6Forwarding is the kernel parameter by which a node passes on Pods' packets of IPv6.
const IPv6Forwarding = "net.ipv6.conf.all.forwarding"

// SysctlOf is a kernel parameter's value as it was seen; those of links are seen with the links.
func SysctlOf(facts hosts.Facts, key string) (value string, known bool) {
	for _, link := range facts.Interfaces {
		if key == acceptRA(link.Name) {
			return strconv.Itoa(link.AcceptRA), true
		}
	}
	value, known = facts.Sysctls[key]
	return value, known
}

// OrderedSysctls are the names of kernel parameters in the order in which they are to be set:
// those of links first. When a host begins to forward, the kernel drops the routes that it has
// learnt from routers on all links but those that are to keep them.
func OrderedSysctls(settings map[string]string) []string {
	keys := slices.Sorted(maps.Keys(settings))
	slices.SortStableFunc(keys, func(a, b string) int {
		ofLink := func(key string) int { return map[bool]int{false: 1}[strings.HasPrefix(key, linkSysctls)] }
		return ofLink(a) - ofLink(b)
	})
	return keys
}

// linkSysctls begins the names of links' own parameters of IPv6. They are written with slashes,
// as a link's name may have dots (sysctl.d(5)).
const linkSysctls = "net/ipv6/conf/"

func acceptRA(link string) string { return linkSysctls + link + "/accept_ra" }

// keptRoutes are the settings by which links keep the default routes of IPv6 that the kernel
// learns from routers: a host that forwards, as a node does, otherwise listens to none
// (accept_ra in the kernel's networking/ip-sysctl.rst). One that Slipway has set stays.
func keptRoutes(c *cluster.Cluster, facts hosts.Facts) map[string]string {
	settings := map[string]string{}
	if !c.Networking.Has(cluster.IPv6) {
		return settings
	}
	for _, link := range facts.Interfaces {
		_, noted := facts.Record.PriorOf("sysctl/" + acceptRA(link.Name))
		if noted || link.AcceptRA == 1 && link.AdvertisedRoute {
			settings[acceptRA(link.Name)] = "2"
		}
	}
	return settings
}

// setting is one line of the sysctl file.
type setting struct{ Key, Value string }

func prepareFiles(host cluster.Host) []File {
	return []File{
		templateFile(plan.PhasePrepare, ModulesFile, "modules.conf", func(Input) (any, error) { return modules, nil }),
		templateFile(plan.PhasePrepare, SysctlFile, "sysctl.conf", func(in Input) (any, error) {
			values := sysctls(in.Cluster, in.Facts[host.Name])
			var lines []setting
			for _, key := range OrderedSysctls(values) {
				lines = append(lines, setting{key, values[key]})
			}
			return lines, nil
		}),
	}
}
