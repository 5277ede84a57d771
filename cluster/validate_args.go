package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var flagForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// repeatable are flags that may be given more than once.
var repeatable = []string{"service-account-issuer", "service-account-key-file", "tls-sni-cert-key"}

// Reserved flags are Slipway's alone: the rest of what it writes depends on them. Each
// with where it is said instead; empty where there is no choice.
var (
	reservedCommon = map[string]string{
		"kubeconfig": "", "authentication-kubeconfig": "", "authorization-kubeconfig": "",
		"client-ca-file": "", "requestheader-client-ca-file": "",
	}
	reservedAPIServer = map[string]string{
		"advertise-address": "hosts[…].address", "secure-port": "endpoint.port",
		"service-cluster-ip-range": "networking.serviceSubnets",
		"etcd-servers":             "", "etcd-cafile": "", "etcd-certfile": "", "etcd-keyfile": "",
		"tls-cert-file": "", "tls-private-key-file": "",
		"kubelet-client-certificate": "", "kubelet-client-key": "",
		"proxy-client-cert-file": "", "proxy-client-key-file": "",
		"service-account-signing-key-file": "",
	}
	reservedControllerManager = map[string]string{
		"cluster-cidr": "networking.podSubnets", "service-cluster-ip-range": "networking.serviceSubnets",
		"cluster-name": "name", "cluster-signing-cert-file": "", "cluster-signing-key-file": "",
		"root-ca-file": "", "service-account-private-key-file": "", "use-service-account-credentials": "",
	}
	reservedEtcd = map[string]string{
		"name": "hosts[…].name", "data-dir": "", "wal-dir": "", "config-file": "",
		"initial-cluster": "", "initial-cluster-state": "", "initial-cluster-token": "", "force-new-cluster": "",
		"initial-advertise-peer-urls": "hosts[…].address", "advertise-client-urls": "hosts[…].address",
		"listen-peer-urls": "hosts[…].address", "listen-client-urls": "hosts[…].address", "listen-metrics-urls": "",
		"cert-file": "", "key-file": "", "trusted-ca-file": "", "client-cert-auth": "",
		"peer-cert-file": "", "peer-key-file": "", "peer-trusted-ca-file": "", "peer-client-cert-auth": "",
	}
	reservedKubelet = map[string]string{
		"config": "a KubeletConfiguration document in this file", "config-dir": "a KubeletConfiguration document in this file",
		"kubeconfig": "", "bootstrap-kubeconfig": "", "cert-dir": "", "root-dir": "",
		"hostname-override": "hosts[…].name", "node-ip": "hosts[…].address",
		"node-labels": "hosts[…].labels", "register-with-taints": "hosts[…].taints",
		"container-runtime-endpoint": "", "image-service-endpoint": "", "pod-manifest-path": "",
	}
)

func (k *checker) extraArgs(args ExtraArgs) {
	k.args(args.APIServer, "extraArgs.apiServer", reservedCommon, reservedAPIServer)
	k.args(args.ControllerManager, "extraArgs.controllerManager", reservedCommon, reservedControllerManager)
	k.args(args.Scheduler, "extraArgs.scheduler", reservedCommon)
	k.args(args.Etcd, "extraArgs.etcd", reservedEtcd)
	k.args(args.Kubelet, "extraArgs.kubelet", reservedKubelet)
}

func (k *checker) args(args []Arg, path string, reserved ...map[string]string) {
	seen := map[string]int{}
	for i, arg := range args {
		at := child(index(path, i), "name")
		k.argName(arg, at)
		k.argValue(arg, child(index(path, i), "value"))
		for _, table := range reserved {
			if instead, ok := table[arg.Name]; ok {
				fix := "leave it out"
				if instead != "" {
					fix = "use " + instead
				}
				k.wrong(at, fix, "Slipway sets %s itself, and the rest of the cluster relies on it", arg.Name)
			}
		}
		if !slices.Contains(repeatable, arg.Name) {
			k.once(seen, arg.Name, i, at, path)
		}
	}
}

// argValue refuses what no command line, unit or environment file can carry as it is.
func (k *checker) argValue(arg Arg, at string) {
	for _, r := range arg.Value {
		if !unicode.IsPrint(r) {
			k.wrong(at, "write it in one line, with letters, digits, signs and spaces only", "the value of %s has the character %q in it", arg.Name, r)
			return
		}
	}
}

func (k *checker) argName(arg Arg, at string) {
	bare := strings.TrimLeft(arg.Name, "-")
	switch {
	case bare == "":
		k.wrong(at, "write the flag's name", "is missing")
	case strings.Contains(bare, "="):
		name, value, _ := strings.Cut(bare, "=")
		k.wrong(at, fmt.Sprintf("write name: %s and value: %q", name, value), "%q has the value in it", arg.Name)
	case bare != arg.Name:
		k.wrong(at, "write "+bare, "%q has leading dashes", arg.Name)
	case !flagForm.MatchString(arg.Name):
		k.wrong(at, "write it as the component's --help does, without the dashes", "%q is not a flag's name", arg.Name)
	}
}

// components checks the few fields of the further documents that are not theirs to say,
// or that the installed version does not have.
func (k *checker) components(c *Cluster) {
	documents := map[string]map[string]any{KubeletKind: c.Kubelet, KubeProxyKind: c.KubeProxy}
	for _, fixed := range fixedFields {
		value, found := lookup(documents[fixed.kind], fixed.field)
		if !found || fixed.allowed != nil && value == fixed.allowed(c) {
			continue
		}
		k.wrong(fixed.kind+"."+fixed.field, fixed.fix, "%s", fixed.why)
	}
}

// fixedField is a field of a component's configuration that is decided elsewhere.
type fixedField struct {
	kind, field string
	allowed     func(*Cluster) any // the one value that it may repeat; nil: none
	why, fix    string
}

const leaveOut = "leave it out"

var fixedFields = []fixedField{
	{KubeletKind, "staticPodPath", func(*Cluster) any { return "/etc/kubernetes/manifests" }, "Slipway's manifests lie in /etc/kubernetes/manifests", leaveOut},
	{KubeletKind, "authentication.x509.clientCAFile", func(*Cluster) any { return "/etc/kubernetes/pki/ca.crt" }, "the cluster's CA is /etc/kubernetes/pki/ca.crt", leaveOut},
	{KubeletKind, "clusterDomain", func(c *Cluster) any { return c.Networking.DNSDomain }, "contradicts networking.dnsDomain", "set it there, and leave it out here"},
	{KubeletKind, "clusterDNS", nil, "follows from networking.serviceSubnets: the tenth address", leaveOut},
	{KubeletKind, "containerRuntimeEndpoint", nil, "Slipway's containerd is the only one that it installs", leaveOut},
	{KubeletKind, "cgroupDriver", nil, "containerd says which driver is used, and the kubelet asks it", leaveOut},
	{KubeProxyKind, "clusterCIDR", nil, "follows from networking.podSubnets", leaveOut},
	{KubeProxyKind, "hostnameOverride", nil, "is each host's own name", leaveOut},
	{KubeProxyKind, "clientConnection.kubeconfig", nil, "kube-proxy's kubeconfig is in its own ConfigMap", leaveOut},
}

// lookup finds a field by its dotted path. A null is not there.
func lookup(document map[string]any, path string) (any, bool) {
	var value any = document
	for _, name := range strings.Split(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = fields[name]; !ok || value == nil {
			return nil, false
		}
	}
	return value, true
}
