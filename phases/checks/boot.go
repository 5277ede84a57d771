package checks

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// undoneAtBoot tells what the next boot would undo. The kubelet's unit puts it right before the
// kubelet starts; who meant it otherwise should know.
func undoneAtBoot(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	for _, key := range slices.Sorted(maps.Keys(facts.Boot.Sysctls)) {
		set := facts.Boot.Sysctls[key]
		if path.Base(set.File) <= path.Base(manifests.SysctlFile) || manifests.SysctlSuffices(v.Cluster, key, set.Value) {
			continue
		}
		all = append(all, warning("take the line out of "+set.File,
			"at each boot %s sets %s to %s, after Slipway's own file: the kubelet's unit sets it right again before the kubelet starts", set.File, key, set.Value))
	}
	for _, module := range slices.Sorted(maps.Keys(facts.Boot.Barred)) {
		barred := facts.Boot.Barred[module]
		fix := "take the line out of " + barred.File
		switch {
		case !barred.Always:
			all = append(all, warning(fix,
				"%s keeps the kernel module %s from being loaded at boot: the kubelet's unit loads it before the kubelet starts", barred.File, module))
		case facts.Modules[module]:
			all = append(all, warning(fix,
				"%s keeps the kernel module %s from being loaded: it is there now, and will not be after a reboot", barred.File, module))
		default:
			all = append(all, finding(fix,
				"%s keeps the kernel module %s, which Kubernetes needs, from being loaded", barred.File, module))
		}
	}
	return append(all, hostsFileProblems(v, host, facts)...)
}

// hostsFileProblems tells what cloud-init takes out of /etc/hosts at the next boot. A line that
// is not Slipway's, nobody puts back.
func hostsFileProblems(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Boot.HostsWriter == "" {
		return nil
	}
	leave := "set manage_etc_hosts to false there"
	if strings.HasPrefix(facts.Boot.HostsWriter, "/var/lib/cloud/") { // cloud-init writes that file itself
		leave = "set manage_etc_hosts to false in the machine's user data, which goes before the vendor's"
	}
	var all []Finding
	entries := manifests.HostsEntries(v.Cluster, facts)
	if len(entries) > 0 {
		all = append(all, warning(leave+", or have the DNS know "+entries[0].Names[0],
			"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line for the endpoint: the kubelet's unit adds it again before the kubelet starts", facts.Boot.HostsWriter))
	}
	for i, name := range view.NeededNames(v.Cluster, host) {
		told := i == 0 && len(entries) > 0 // the first is the endpoint's
		if !told && slices.Contains(facts.Boot.HostsNames, strings.ToLower(name)) {
			all = append(all, warning(leave+", have the DNS know "+name+", or write the line into cloud-init's template (/etc/cloud/templates/hosts.*.tmpl) too",
				"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line that it has for %s now", facts.Boot.HostsWriter, name))
		}
	}
	return all
}
