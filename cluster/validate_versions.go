package cluster

import (
	"maps"
	"slices"
	"strings"
)

// Unknown lists what of a valid file its KubernetesVersion's programs do not know, where that version
// is not the one that the file was read for.
func Unknown(c *Cluster) []Problem {
	k := new(checker)
	k.versionsOf(c)
	var all []Problem
	for _, found := range k.found {
		all = append(all, found.Problem)
	}
	return all
}

// versionsOf refuses what the programs of the file's Kubernetes version do not know: they would not
// start with it.
func (k *checker) versionsOf(c *Cluster) {
	version, err := ParseVersion(c.KubernetesVersion)
	if err != nil {
		return // which is told
	}
	for _, args := range []struct {
		program, path string
		args          []Arg
	}{
		{"kube-apiserver", "extraArgs.apiServer", c.ExtraArgs.APIServer},
		{"kube-controller-manager", "extraArgs.controllerManager", c.ExtraArgs.ControllerManager},
		{"kube-scheduler", "extraArgs.scheduler", c.ExtraArgs.Scheduler},
		{"etcd", "extraArgs.etcd", c.ExtraArgs.Etcd},
		{"kubelet", "extraArgs.kubelet", c.ExtraArgs.Kubelet},
	} {
		for i, arg := range args.args {
			k.goneFlag(version, args.program, arg, index(args.path, i))
		}
	}
	for kind, document := range map[string]map[string]any{KubeletKind: c.Kubelet, KubeProxyKind: c.KubeProxy} {
		k.fieldsOf(version, kind, document)
	}
}

func (k *checker) goneFlag(version Version, program string, arg Arg, path string) {
	gone := func(m Minor) bool { return slices.Contains(m.Gone.Flags[program], arg.Name) }
	if minor, found := sinceMinor(version, gone); found {
		k.wrong(child(path, "name"), leaveOut, "%s has no flag %s since %s", program, arg.Name, minor)
	}
	if arg.Name != "feature-gates" || program == "etcd" {
		return // etcd has gates of its own
	}
	for pair := range strings.SplitSeq(arg.Value, ",") {
		gate, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(pair), "kube:"), "=")
		k.goneGate(version, gate, value == "true", child(path, "value"))
	}
}

func (k *checker) goneGate(version Version, gate string, value bool, path string) {
	gone := func(m Minor) bool { return slices.Contains(m.Gone.FeatureGates, gate) }
	if minor, found := sinceMinor(version, gone); found {
		k.wrong(path, leaveOut, "there is no feature gate %s since %s", gate, minor)
	}
	locked := func(m Minor) bool { only, is := m.Gone.LockedGates[gate]; return is && only != value }
	if minor, found := sinceMinor(version, locked); found {
		k.wrong(path, leaveOut, "the feature gate %s can only be %t since %s", gate, !value, minor)
	}
}

// fieldsOf looks at a configuration's fields, and at the feature gates in it.
func (k *checker) fieldsOf(version Version, kind string, document map[string]any) {
	for _, field := range slices.Sorted(maps.Keys(document)) {
		if minor, later := comesWith(version, kind, field); later {
			k.wrong(kind+"."+field, leaveOut, "comes with %s", minor)
		}
		gone := func(m Minor) bool { return slices.Contains(m.Gone.Fields[kind], field) }
		if minor, found := sinceMinor(version, gone); found {
			k.wrong(kind+"."+field, leaveOut, "is no more since %s", minor)
		}
	}
	gates, _ := document["featureGates"].(map[string]any)
	for _, gate := range slices.Sorted(maps.Keys(gates)) {
		value, _ := gates[gate].(bool)
		k.goneGate(version, gate, value, kind+".featureGates."+gate)
	}
}
