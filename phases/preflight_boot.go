package phases

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

const checkNextBoot = "boot"

// checkBoot tells what the next boot would undo. The kubelet's unit puts it right before the
// kubelet starts; who meant it otherwise should know.
func checkBoot(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(facts.Boot.Sysctls)) {
		set := facts.Boot.Sysctls[key]
		if path.Base(set.File) <= path.Base(manifests.SysctlFile) || manifests.SysctlSuffices(in.Cluster, key, set.Value) {
			continue
		}
		problems = append(problems, warning(checkNextBoot, host, "take the line out of "+set.File,
			"at each boot %s sets %s to %s, after Slipway's own file: the kubelet's unit sets it right again before the kubelet starts", set.File, key, set.Value))
	}
	for _, module := range slices.Sorted(maps.Keys(facts.Boot.Barred)) {
		barred := facts.Boot.Barred[module]
		fix := "take the line out of " + barred.File
		switch {
		case !barred.Always:
			problems = append(problems, warning(checkNextBoot, host, fix,
				"%s keeps the kernel module %s from being loaded at boot: the kubelet's unit loads it before the kubelet starts", barred.File, module))
		case facts.Modules[module]:
			problems = append(problems, warning(checkNextBoot, host, fix,
				"%s keeps the kernel module %s from being loaded: it is there now, and will not be after a reboot", barred.File, module))
		default:
			problems = append(problems, problem(checkNextBoot, host, fix,
				"%s keeps the kernel module %s, which Kubernetes needs, from being loaded", barred.File, module))
		}
	}
	return append(problems, in.hostsFileProblems(host, facts)...)
}

// hostsFileProblems tells what cloud-init takes out of /etc/hosts at the next boot. A line that
// is not Slipway's, nobody puts back.
func (in Input) hostsFileProblems(host cluster.Host, facts hosts.Facts) []Problem {
	if facts.Boot.HostsWriter == "" {
		return nil
	}
	leave := "set manage_etc_hosts to false there"
	if strings.HasPrefix(facts.Boot.HostsWriter, "/var/lib/cloud/") { // cloud-init writes that file itself
		leave = "set manage_etc_hosts to false in the machine's user data, which goes before the vendor's"
	}
	var problems []Problem
	entries := manifests.HostsEntries(in.Cluster, facts)
	if len(entries) > 0 {
		problems = append(problems, warning(checkNextBoot, host,
			leave+", or have the DNS know "+entries[0].Names[0],
			"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line for the endpoint: the kubelet's unit adds it again before the kubelet starts", facts.Boot.HostsWriter))
	}
	for i, name := range view.NeededNames(in.Cluster, host) {
		told := i == 0 && len(entries) > 0 // the first is the endpoint's
		if !told && slices.Contains(facts.Boot.HostsNames, strings.ToLower(name)) {
			problems = append(problems, warning(checkNextBoot, host,
				leave+", have the DNS know "+name+", or write the line into cloud-init's template (/etc/cloud/templates/hosts.*.tmpl) too",
				"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line that it has for %s now", facts.Boot.HostsWriter, name))
		}
	}
	return problems
}
