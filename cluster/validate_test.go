package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// one is a file of one control plane; what a case changes is put in by name.
const one = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: example
hosts:
  - name: cp-1
    address: 192.0.2.11
    roles: [control-plane]
`

// problemCase is a change to the file one, and what is said of the outcome. Its edits
// replace text (old, new, old, new …); one that replaces nothing is put at the end.
type problemCase struct {
	edits []string
	want  []string
}

var problemCases = map[string]problemCase{
	"name missing":    {[]string{"name: example\n", ""}, []string{"line 1: name: is missing; give the cluster a name, such as demo"}},
	"name upper case": {[]string{"name: example", "name: My_Cluster"}, []string{`line 3: name: "My_Cluster" is not a name for a cluster; write my-cluster, or another name of at most 63 lower-case letters, digits and dashes that begins and ends with a letter or digit`}},
	"version without v": {[]string{"", "kubernetesVersion: 1.36.3\n"}, []string{
		`line 8: kubernetesVersion: "1.36.3" is not a Kubernetes version; write v1.36.3, with a leading v`}},
	"version a number": {[]string{"", "kubernetesVersion: 1.36\n"}, []string{
		`line 8: kubernetesVersion: 1.36 is a number to YAML where text is wanted; write it in quotes: "1.36"`}},
	"version too old": {[]string{"", "kubernetesVersion: v1.35.4\n"}, []string{
		"line 8: kubernetesVersion: this Slipway installs v1.37.x and v1.36.x, not v1.35.4; write v1.37.2"}},
	"version too new": {[]string{"", "kubernetesVersion: v1.38.0\n"}, []string{
		"line 8: kubernetesVersion: this Slipway installs v1.37.x and v1.36.x, not v1.38.0; write v1.37.2"}},
	"what a version has no more": {[]string{"", `extraArgs:
  apiServer: [{name: feature-gates, value: "kube:SidecarContainers=true,HostnameOverride=false,DRAPrioritizedList=true"}]
  etcd: [{name: experimental-corrupt-check-time, value: 1h}, {name: feature-gates, value: SidecarContainers=true}]
  kubelet: [{name: boot-id-file, value: /x}]
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
featureGates: {DisableCPUQuotaWithExclusiveCPUs: false, MemoryQoS: true, NodeDeclaredFeatures: true, SidecarContainers: true}
`}, []string{
		"line 9: extraArgs.apiServer[0].value: there is no feature gate SidecarContainers since v1.37; leave it out",
		"line 9: extraArgs.apiServer[0].value: the feature gate HostnameOverride can only be true since v1.37; leave it out",
		"line 10: extraArgs.etcd[0].name: etcd has no flag experimental-corrupt-check-time since v1.37; leave it out",
		"line 11: extraArgs.kubelet[0].name: kubelet has no flag boot-id-file since v1.37; leave it out",
		"line 15: KubeletConfiguration.featureGates.DisableCPUQuotaWithExclusiveCPUs: the feature gate DisableCPUQuotaWithExclusiveCPUs can only be true since v1.37; leave it out",
		"line 15: KubeletConfiguration.featureGates.SidecarContainers: there is no feature gate SidecarContainers since v1.37; leave it out"}},
	"a field of a later version": {[]string{"", "kubernetesVersion: v1.36.3\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ndefaultPodSysctls: {net.ipv4.ip_forward: \"1\"}\n"}, []string{
		"line 12: KubeletConfiguration.defaultPodSysctls: comes with v1.37; leave it out"}},
	"repository with a scheme": {[]string{"", "imageRepository: https://registry.example.com/k8s\n"}, []string{
		`line 8: imageRepository: "https://registry.example.com/k8s" has a scheme; write registry.example.com/k8s`}},
	"repository with a slash": {[]string{"", "imageRepository: registry.example.com/\n"}, []string{
		`line 8: imageRepository: "registry.example.com/" ends with a slash; write registry.example.com`}},
	"repository with a tag": {[]string{"", "imageRepository: registry.example.com/k8s:v1\n"}, []string{
		`line 8: imageRepository: "registry.example.com/k8s:v1" is not where image names can begin; write it like registry.k8s.io or registry.example.com:5000/k8s`}},

	"id too short to be safe": {[]string{"", "id: 0123456789ab\n"}, []string{
		`line 8: id: "0123456789ab" is not a cluster's ID: 64 hexadecimal digits; leave it out, or write the whole of what slipway status shows`}},

	"unknown field": {[]string{"", "networkng: {}\n"}, []string{"line 8: networkng: unknown field; did you mean networking?"}},
	"unknown field, nothing near": {[]string{"control-plane]", "control-plane]\n    frobnicate: 1"}, []string{
		"line 8: hosts[0].frobnicate: unknown field; known here: address, addresses, hostname, labels, name, roles, ssh, taints"}},
	"unknown field of another tool": {[]string{"", "clusterName: x\n"}, []string{"line 8: clusterName: unknown field; write name"}},
	"a slip hides nothing else": {[]string{"address: 192", "adress: 192", "name: example", "name: Example"}, []string{
		`line 3: name: "Example" is not a name for a cluster; write example, or another name of at most 63 lower-case letters, digits and dashes that begins and ends with a letter or digit`,
		"line 6: hosts[0].adress: unknown field; did you mean address?"}},
	"password in ssh": {[]string{"", "ssh: {password: x}\n"}, []string{
		"line 8: ssh.password: unknown field; use a key, by identityFile or ssh-agent; or write passwordFile, the name of a file, or say --ask-pass: passwords are never in this file"}},
	"given twice": {[]string{"", "name: other\n"}, []string{"line 8: name: is given twice; keep one"}},

	"no hosts": {[]string{one[strings.Index(one, "hosts"):], "hosts: []\n"}, []string{"line 4: hosts: is empty; list at least one, with the role control-plane"}},
	"hosts a mapping": {[]string{one[strings.Index(one, "hosts"):], "hosts: {cp-1: 192.0.2.11}\n"}, []string{
		"line 4: hosts: is a mapping where a list is wanted; write it as a list: [a, b], or one line with a dash for each"}},
	"no control plane": {[]string{"[control-plane]", "[worker]"}, []string{
		"line 4: hosts: none is a control plane; give one of them the role control-plane"}},
	"roles unreadable": {[]string{"[control-plane]", "control-plane"}, []string{
		"line 7: hosts[0].roles: is text where a list is wanted; write it as a list: [a, b], or one line with a dash for each"}},
	"unknown role": {[]string{"[control-plane]", "[control-plane, master]"}, []string{
		`line 7: hosts[0].roles[1]: "master" is not a role; write control-plane`}},
	"only an unknown role": {[]string{"[control-plane]", "[controlplane]"}, []string{
		`line 7: hosts[0].roles[0]: "controlplane" is not a role; write control-plane`}},
	"role with a slip": {[]string{"[control-plane]", "[control-plane, workr]"}, []string{
		`line 7: hosts[0].roles[1]: "workr" is not a role; did you mean worker? write one of control-plane, worker, load-balancer`}},
	"role twice": {[]string{"[control-plane]", "[control-plane, control-plane]"}, []string{
		`line 7: hosts[0].roles[1]: "control-plane" is given twice: it is hosts[0].roles[0] as well`}},
	"no roles": {[]string{"[control-plane]", "[]", "", "  - {name: cp-2, address: 192.0.2.12, roles: [control-plane]}\n"}, []string{
		"line 7: hosts[0].roles: is empty; write [control-plane], [worker] or both, or [load-balancer]"}},

	"host name with underscores": {[]string{"cp-1", "CP_1"}, []string{
		`line 5: hosts[0].name: "CP_1" is not a name for a node; write cp-1, or another name of lower-case letters, digits, dashes and dots that begins and ends with a letter or digit`}},
	"host name missing": {[]string{"name: cp-1", "labels: {}"}, []string{"line 5: hosts[0].name: is missing; give the host a name: it becomes the node's"}},
	"host name too long": {[]string{"cp-1", strings.Repeat("a", 64)}, []string{
		`line 5: hosts[0].name: "` + strings.Repeat("a", 64) + `" is too long to be the node's host name label; use at most 63 characters`}},
	"localhost":     {[]string{"cp-1", "localhost"}, []string{"line 5: hosts[0].name: localhost is every host's name; write the host's own name"}},
	"name twice":    {[]string{"", "  - {name: cp-1, address: 192.0.2.12, roles: [worker]}\n"}, []string{"line 8: hosts[1].name: cp-1 is taken by hosts[0].name; make them differ"}},
	"address twice": {[]string{"", "  - {name: b, address: 192.0.2.11, roles: [worker]}\n"}, []string{"line 8: hosts[1].address: 192.0.2.11 is taken by hosts[0].address; make them differ"}},
	"ssh.host of another host": {[]string{"", "  - {name: b, address: 192.0.2.12, roles: [worker], ssh: {host: 192.0.2.11}}\n"}, []string{
		"line 8: hosts[1].ssh.host: 192.0.2.11 is the address of cp-1: SSH would log in to the wrong host; write where SSH reaches b, or leave it out"}},
	"ssh.host twice": {[]string{"[control-plane]", "[control-plane]\n    ssh: {host: gate}", "", "  - {name: b, address: 192.0.2.12, roles: [worker], ssh: {host: gate}}\n"}, []string{
		"line 9: hosts[1].ssh.host: gate:22 is taken by hosts[0].ssh.host; make them differ"}},
	"address missing": {[]string{"    address: 192.0.2.11\n", ""}, []string{
		"line 1: endpoint.host: is missing; write the control plane's address, or a name for it",
		"line 5: hosts[0].address: is missing; write the address that the other hosts reach it by"}},
	"address a name":        {[]string{"192.0.2.11", "cp-1.example.com"}, []string{`line 6: hosts[0].address: "cp-1.example.com" is not an address; write the address itself; a name may stand in ssh.host`}},
	"address with a length": {[]string{"192.0.2.11", "192.0.2.11/24"}, []string{`line 6: hosts[0].address: "192.0.2.11/24" is not an address; write 192.0.2.11, without the length`}},
	"address with a port":   {[]string{"192.0.2.11", "192.0.2.11:22"}, []string{`line 6: hosts[0].address: "192.0.2.11:22" is not an address; write 192.0.2.11; the port goes to ssh.port`}},
	"address loopback":      {[]string{"192.0.2.11", "127.0.0.1"}, []string{"line 6: hosts[0].address: 127.0.0.1 is not an address that other hosts can reach; write the address that the other hosts reach it by"}},
	"address IPv6, and subnets of IPv4": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 10.244.0.0/16}\n"}, []string{
		"line 6: hosts[0].address: 2001:db8::1 is IPv6, and the cluster's Pods and Services have IPv4 alone; write subnets of IPv6 under networking, too, or leave the address out; see docs/dual-stack.md"}},
	"address IPv4 as IPv6":   {[]string{"192.0.2.11", "::ffff:192.0.2.11"}, []string{"line 6: hosts[0].address: ::ffff:192.0.2.11 is an IPv4 address in the form of IPv6; write 192.0.2.11"}},
	"address of a link":      {[]string{"192.0.2.11", "fe80::1"}, []string{"line 6: hosts[0].address: fe80::1 is not an address that other hosts can reach; write the address that the other hosts reach it by"}},
	"address of a zone":      {[]string{"192.0.2.11", "2001:db8::1%eth0"}, []string{"line 6: hosts[0].address: 2001:db8::1%eth0 is not an address that other hosts can reach; write the address that the other hosts reach it by"}},
	"address twice in forms": {[]string{"192.0.2.11", "2001:db8::1", "", "  - {name: b, address: '2001:DB8:0:0::1', roles: [worker]}\n"}, []string{"line 8: hosts[1].address: 2001:db8::1 is taken by hosts[0].address; make them differ"}},
	"addresses of one family": {[]string{"address: 192.0.2.11", `addresses: [192.0.2.11, 192.0.2.12]`}, []string{
		"line 6: hosts[0].addresses[1]: 192.0.2.12 is a second address of IPv4, beside 192.0.2.11; keep one of each family"}},
	"addresses of two, and subnets of one": {[]string{"address: 192.0.2.11", `addresses: [192.0.2.11, "2001:db8::1"]`, "", "networking: {serviceSubnet: 10.96.0.0/12}\n"}, []string{
		"line 6: hosts[0].addresses[1]: 2001:db8::1 is IPv6, and the cluster's Pods and Services have IPv4 alone; write subnets of IPv6 under networking, too, or leave the address out; see docs/dual-stack.md"}},
	"a host without the second family": {[]string{"address: 192.0.2.11", `addresses: [192.0.2.11, "2001:db8::1"]`, "", "  - {name: b, address: 192.0.2.12, roles: [worker]}\n"}, []string{
		"line 8: hosts[1].address: has no address of IPv6, and the cluster's Pods and Services have IPv4 and IPv6; write addresses: [ONE OF IPv4, ONE OF IPv6]"}},
	"a host in another order": {[]string{"address: 192.0.2.11", `addresses: [192.0.2.11, "2001:db8::1"]`, "", "  - {name: b, addresses: ['2001:db8::2', 192.0.2.12], roles: [worker]}\n"}, []string{
		"line 8: hosts[1].addresses: begins with IPv6, and networking.podSubnets with IPv4: the first family is the one that is preferred; write 192.0.2.12 first"}},
	"address IPv6 in the Pod subnet": {[]string{"192.0.2.11", "fd00:10:244:0:7::1"}, []string{
		"line 6: hosts[0].address: fd00:10:244:0:7::1 is inside the Pod subnet fd00:10:244::/56; choose other subnets under networking: hosts must lie outside of them"}},
	"address and addresses": {[]string{"address: 192.0.2.11", "address: 192.0.2.11\n    addresses: [192.0.2.11]"}, []string{
		"line 6: hosts[0].address: must not be given together with addresses; keep addresses"}},
	"address a list": {[]string{"address: 192.0.2.11", "address: [192.0.2.11]"}, []string{
		"line 6: hosts[0].address: is a list where one value is wanted; call it addresses"}},
	"address in the Pod subnet": {[]string{"192.0.2.11", "10.244.3.4"}, []string{
		"line 6: hosts[0].address: 10.244.3.4 is inside the Pod subnet 10.244.0.0/16; choose other subnets under networking: hosts must lie outside of them"}},
	"address in the Service subnet": {[]string{"192.0.2.11", "10.100.0.4"}, []string{
		"line 6: hosts[0].address: 10.100.0.4 is inside the Service subnet 10.96.0.0/12; choose other subnets under networking: hosts must lie outside of them"}},

	"subnets overlap": {[]string{"", "networking: {podSubnet: 10.96.0.0/16}\n"}, []string{
		"line 8: networking.podSubnet: 10.96.0.0/16 overlaps with the Service subnet 10.96.0.0/12; choose two that have no address in common, like 10.244.0.0/16 and 10.96.0.0/12"}},
	"subnet not masked": {[]string{"", "networking: {podSubnets: [10.10.1.0/16]}\n"}, []string{
		"line 8: networking.podSubnets[0]: 10.10.1.0/16 has bits set beyond its length; write 10.10.0.0/16"}},
	"subnet an address": {[]string{"", "networking: {serviceSubnets: [10.10.0.0]}\n"}, []string{
		`line 8: networking.serviceSubnets[0]: "10.10.0.0" is an address, not a subnet; write the length too, like 10.96.0.0/12`}},
	"subnet no subnet": {[]string{"", "networking: {serviceSubnet: ten}\n"}, []string{`line 8: networking.serviceSubnet: "ten" is not a subnet; write it like 10.96.0.0/12`}},
	"subnets, two of one family": {[]string{"", "networking: {podSubnets: [10.10.0.0/16, 10.11.0.0/16]}\n"}, []string{
		"line 8: networking.podSubnets[1]: 10.11.0.0/16 is a second subnet of IPv4, beside 10.10.0.0/16; keep one of each family"}},
	"subnets of other families": {[]string{"", "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 'fd00:1::/112'}\n"}, []string{
		"line 8: networking.serviceSubnet: has IPv6, and podSubnets IPv4; write subnets of the same families in both, in the same order: the first is the one that is preferred"}},
	"subnets in another order": {[]string{"", "networking: {podSubnets: [10.244.0.0/16, 'fd00:2::/56'], serviceSubnets: ['fd00:1::/112', 10.96.0.0/12]}\n"}, []string{
		"line 8: networking.serviceSubnets: has IPv6 and IPv4, and podSubnets IPv4 and IPv6; write subnets of the same families in both, in the same order: the first is the one that is preferred"}},
	"subnet IPv6, not masked": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 'fd00:1::1/56'}\n"}, []string{
		"line 8: networking.podSubnet: fd00:1::1/56 has bits set beyond its length; write fd00:1::/56"}},
	"subnet IPv6, an address": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 'fd00:1::'}\n"}, []string{
		`line 8: networking.podSubnet: "fd00:1::" is an address, not a subnet; write the length too, like fd00:10:244::/56`}},
	"subnet IPv4 as IPv6": {[]string{"", "networking: {podSubnet: '::ffff:10.1.0.0/112'}\n"}, []string{
		"line 8: networking.podSubnet: ::ffff:10.1.0.0/112 is an IPv4 subnet in the form of IPv6; write it like 10.244.0.0/16"}},
	"subnet of a link": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 'fe80::/64'}\n"}, []string{
		"line 8: networking.podSubnet: fe80::/64 cannot be used for Pods or Services; write a private subnet like fd00:10:244::/56"}},
	"Pod subnet IPv6 too small": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 'fd00:1::/72'}\n"}, []string{
		"line 8: networking.podSubnet: fd00:1::/72 is too small: each node takes a /64 of it; write /64 or larger, like fd00:10:244::/56"}},
	"Pod subnet IPv6 too large": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {podSubnet: 'fd00:1::/32'}\n"}, []string{
		"line 8: networking.podSubnet: fd00:1::/32 is too large to be divided into subnets of /64; write /48 or smaller, like fd00:10:244::/56"}},
	"Service subnet IPv6 too small": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {serviceSubnet: 'fd00:1::/125'}\n"}, []string{
		"line 8: networking.serviceSubnet: fd00:1::/125 has 8 addresses: too few, as the cluster's DNS has the tenth; write /124 or larger, like fd00:10:96::/112"}},
	"Service subnet IPv6 too large": {[]string{"192.0.2.11", "2001:db8::1", "", "networking: {serviceSubnet: 'fd00:1::/64'}\n"}, []string{
		"line 8: networking.serviceSubnet: fd00:1::/64 is larger than the API server can keep; write at least /108, like fd00:10:96::/112"}},
	"node masks of dual stack": {[]string{"address: 192.0.2.11", `addresses: [192.0.2.11, "2001:db8::1"]`, "", "extraArgs: {controllerManager: [{name: node-cidr-mask-size, value: '25'}, {name: node-cidr-mask-size-ipv6, value: '200'}]}\n"}, []string{
		"line 8: extraArgs.controllerManager[0].name: the controller manager does not take node-cidr-mask-size where there are two families; write node-cidr-mask-size-ipv4 and node-cidr-mask-size-ipv6",
		"line 8: extraArgs.controllerManager: node-cidr-mask-size is not the length of a subnet of IPv6; write a number from 1 to 128"}},
	"node mask of a family that Pods lack": {[]string{"", "extraArgs: {controllerManager: [{name: node-cidr-mask-size-ipv6, value: '64'}]}\n"}, []string{
		"line 8: extraArgs.controllerManager[0].name: the controller manager does not take node-cidr-mask-size-ipv6 where Pods have addresses of IPv4 alone; leave it out"}},
	"subnet loopback": {[]string{"", "networking: {podSubnet: 127.0.0.0/16}\n"}, []string{
		"line 8: networking.podSubnet: 127.0.0.0/16 cannot be used for Pods or Services; write a private subnet like 10.244.0.0/16"}},
	"Pod subnet too small": {[]string{"", "networking: {podSubnet: 10.10.0.0/25}\n"}, []string{
		"line 8: networking.podSubnet: 10.10.0.0/25 is too small: each node takes a /24 of it; write /24 or larger, like 10.244.0.0/16"}},
	"Pod subnet too small for the hosts": {[]string{"", "  - {name: b, address: 192.0.2.12, roles: [worker]}\nnetworking: {podSubnet: 10.10.0.0/24}\n"}, []string{
		"line 9: networking.podSubnet: 10.10.0.0/24 has room for 1 of the 2 nodes, at a /24 for each; write a larger one, like 10.244.0.0/16"}},
	"Pod subnet too large": {[]string{"", "networking: {podSubnet: 64.0.0.0/7}\n"}, []string{
		"line 8: networking.podSubnet: 64.0.0.0/7 is too large to be divided into subnets of /24; write /8 or smaller, like 10.244.0.0/16"}},
	"Service subnet too small": {[]string{"", "networking: {serviceSubnet: 10.10.0.0/29}\n"}, []string{
		"line 8: networking.serviceSubnet: 10.10.0.0/29 has 8 addresses: too few, as the cluster's DNS has the tenth; write /28 or larger, like 10.96.0.0/12"}},
	"Service subnet too large": {[]string{"", "networking: {serviceSubnet: 11.0.0.0/8}\n"}, []string{
		"line 8: networking.serviceSubnet: 11.0.0.0/8 is larger than the API server can keep; write at least /12, like 10.96.0.0/12"}},
	"DNS domain": {[]string{"", "networking: {dnsDomain: Cluster_local}\n"}, []string{`line 8: networking.dnsDomain: "Cluster_local" is not a DNS domain; write a domain like cluster.local`}},
	"add-on":     {[]string{"", "networking: {addOn: calico}\n"}, []string{`line 8: networking.addOn: "calico" is not a network add-on of this version; write one of flannel, none`}},

	"endpoint host with a port": {[]string{"", "endpoint: {host: api.example.com:6443}\n"}, []string{
		`line 8: endpoint.host: "api.example.com:6443" is neither an address nor a DNS name; write an address like 192.0.2.10 or a name like api.example.com; the port goes to endpoint.port`}},
	"endpoint port":      {[]string{"", "endpoint: {port: 65536}\n"}, []string{"line 8: endpoint.port: 65536 is not a port; write a number from 1 to 65535"}},
	"endpoint port text": {[]string{"", "endpoint: {port: https}\n"}, []string{`line 8: endpoint.port: is "https" where a whole number is wanted`}},

	"labels": {[]string{"[control-plane]", `[control-plane]
    labels:
      bad key: x
      ok: "no good"
      kubernetes.io/os: linux
      node-role.kubernetes.io/control-plane: ""
      node-role.kubernetes.io/worker: ""
      gpu: true`}, []string{
		`line 9: hosts[0].labels["bad key"]: "bad key" is not a label's key; write a key like disk or example.com/disk`,
		`line 10: hosts[0].labels.ok: "no good" is not a label's value; use at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit`,
		`line 11: hosts[0].labels["kubernetes.io/os"]: the kubelet sets it itself; leave it out`,
		`line 12: hosts[0].labels["node-role.kubernetes.io/control-plane"]: Slipway sets it on control planes itself; leave it out`,
		`line 13: hosts[0].labels["node-role.kubernetes.io/worker"]: a node may not give itself this label: the API server's NodeRestriction and the kubelet refuse it; choose a prefix of your own, such as example.com/; of Kubernetes' own, a node may have topology.kubernetes.io/zone and region, and what begins with node.kubernetes.io/ or kubelet.kubernetes.io/`,
		`line 14: hosts[0].labels.gpu: true is true or false to YAML where text is wanted; write it in quotes: "true"`}},
	"taints": {[]string{"[control-plane]", `[control-plane]
    taints:
      - {key: a, effect: NoScheduling}
      - {key: a b, effect: NoExecute, value: "x y"}
      - {key: c, effect: NoExecute}
      - {key: c, effect: NoExecute, value: again}
      - {key: node.kubernetes.io/not-ready, effect: NoExecute}`}, []string{
		`line 9: hosts[0].taints[0].effect: "NoScheduling" is not a taint's effect; did you mean NoSchedule? write one of NoSchedule, PreferNoSchedule, NoExecute`,
		`line 10: hosts[0].taints[1].key: "a b" is not a taint's key; write a key like gpu or example.com/gpu`,
		`line 10: hosts[0].taints[1].value: "x y" is not a taint's value; use at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter or digit`,
		`line 12: hosts[0].taints[3]: "c:NoExecute" is given twice: it is hosts[0].taints[2] as well`,
		`line 13: hosts[0].taints[4].key: Kubernetes sets and removes taints with this prefix itself; choose a key of your own`}},

	"ssh at the top": {[]string{"", "ssh: {host: gate}\n"}, []string{"line 8: ssh.host: would send every host to the same machine; set it for each host: hosts[…].ssh.host"}},
	"ssh of a host": {[]string{"[control-plane]", `[control-plane]
    ssh: {port: -1, user: "a b", host: root@gate, connectTimeout: -1s, proxyCommand: "a\nb"}`}, []string{
		"line 8: hosts[0].ssh.port: -1 is not a port; write a number from 1 to 65535",
		`line 8: hosts[0].ssh.user: "a b" has a blank in it; write a login name, such as root, jdoe@corp.example.com or 'CORP\jdoe'`,
		"line 8: hosts[0].ssh.connectTimeout: -1s is negative; write a duration such as 10s",
		`line 8: hosts[0].ssh.host: "root@gate" is not a host; write a name or an address alone; the user goes to ssh.user, the port to ssh.port`,
		"line 8: hosts[0].ssh.proxyCommand: is more than one line; write it in one line"}},
	"a duration without a unit": {[]string{"", "ssh: {connectTimeout: 10}\n"}, []string{
		`line 8: ssh.connectTimeout: 10 is not a duration: write a string such as "8760h"; write a duration such as 30s, 10m or 8760h`}},
	"a duration in years": {[]string{"", "certificates: {validity: 1y}\n"}, []string{
		`line 8: certificates.validity: "1y" is not a duration; write a duration such as 30s, 10m or 8760h`}},

	"certificates": {[]string{"", `certificates:
  validity: 1m
  caValidity: 30s
  keyAlgorithm: rsa-2048
  extraSANs: [api.example.com, not a name, api.example.com, "*.example.com"]
`}, []string{
		"line 9: certificates.validity: 1m is too short; write at least 10m; a year is 8760h",
		"line 10: certificates.caValidity: 30s is shorter than the life of the certificates that the CAs sign; write at least validity, 1m",
		`line 11: certificates.keyAlgorithm: "rsa-2048" is not known; did you mean RSA-2048? write one of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384`,
		`line 12: certificates.extraSANs[1]: "not a name" is neither a DNS name nor an address; write a name like api.example.com or *.example.com, or an address like 192.0.2.10`,
		`line 12: certificates.extraSANs[2]: "api.example.com" is given twice: it is certificates.extraSANs[0] as well`}},

	"registries": {[]string{"", `registries:
  - {name: https://docker.io/v2}
  - {name: docker.io/library}
  - {name: quay.io, mirrors: [mirror.example.com, "ftp://x", "https://user:hunter2@m.example.com", "https://m.example.com?x=1"]}
  - {name: quay.io, skipVerify: true, caFile: ca.crt}
  - {mirrors: []}
  - {name: "a b"}
  - {name: gcr.io, mirrors: ["https://user:hunt%er2@m.example.com", "https://user:hunt%er2@m.example.com", "user:hunter2@m.example.com"]}
  - {name: ghcr.io, credentialsFile: auth.json, mirrors: ["http://user:hunter2@m.example.com"]}
`}, []string{
		`line 9: registries[0].name: "https://docker.io/v2" is a URL; write docker.io; URLs go to mirrors`,
		`line 10: registries[1].name: "docker.io/library" has a path: containerd knows registries by host alone; write docker.io`,
		"line 11: registries[2].mirrors[0]: mirror.example.com is not an http or https URL; write https://mirror.example.com",
		"line 11: registries[2].mirrors[1]: ftp://x is not an http or https URL; write a URL like https://mirror.example.com",
		"line 11: registries[2].mirrors[2]: has a user name or password in it; leave them out; write them to a file and name it in credentialsFile",
		"line 11: registries[2].mirrors[3]: has a query or a fragment; end it with the path",
		`line 12: registries[3].name: "quay.io" is given twice: it is registries[2] as well`,
		"line 12: registries[3].skipVerify: makes caFile useless: nothing is verified; keep caFile and leave skipVerify out",
		"line 13: registries[4].name: is missing; write the registry's host as it stands in image names, such as docker.io; * for all others",
		`line 14: registries[5].name: "a b" is not a registry's host; write it like docker.io or registry.example.com:5000; * for all others`,
		"line 15: registries[6].mirrors[0]: the mirror is not an http or https URL; write a URL like https://mirror.example.com",
		"line 15: registries[6].mirrors[1]: the mirror is not an http or https URL; write a URL like https://mirror.example.com",
		`line 15: registries[6].mirrors[1]: "https://m.example.com" is given twice: it is registries[6].mirrors[0] as well`,
		"line 15: registries[6].mirrors[2]: the mirror is not an http or https URL; write a URL like https://mirror.example.com",
		"line 16: registries[7].mirrors[0]: has a user name or password in it; leave them out; write them to a file and name it in credentialsFile",
		"line 16: registries[7].credentialsFile: would be sent in clear text to http://m.example.com; use https for http://m.example.com"}},

	"a file that no volume holds": {[]string{"", `extraArgs:
  apiServer:
    - {name: audit-policy-file, value: /etc/kubernetes/audit.yaml}
    - {name: audit-log-path, value: /var/log/kubernetes/audit.log}
    - {name: oidc-ca-file, value: /etc/ssl/certs/oidc.pem}
    - {name: encryption-provider-config, value: /etc/kubernetes/pki/encryption.yaml}
    - {name: tls-sni-cert-key, value: "/etc/kubernetes/pki/a.crt,/srv/a.key:a.example"}
    - {name: etcd-prefix, value: /registry}
    - {name: cert-dir, value: /var/run/own}
    - {name: runtime-config, value: certificates.k8s.io/v1alpha1=true}
  scheduler: [{name: config, value: scheduler.yaml}]
  etcd: [{name: auth-token, value: "jwt,pub-key=/srv/jwt.pub,sign-method=RS256"}]
`}, []string{
		`line 10: extraArgs.apiServer[0].value: /etc/kubernetes/audit.yaml is on the host and not in the Pod: nothing mounts it, and the component would not find it; add extraVolumes: {apiServer: [{name: audit-policy-file, hostPath: /etc/kubernetes/audit.yaml, mountPath: /etc/kubernetes/audit.yaml, readOnly: true, pathType: File}]}`,
		`line 11: extraArgs.apiServer[1].value: /var/log/kubernetes/audit.log is in the Pod alone: nothing of the host is mounted there, and what the component writes is lost with its container; add extraVolumes: {apiServer: [{name: audit-log-path, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, pathType: DirectoryOrCreate}]}`,
		`line 14: extraArgs.apiServer[4].value: /srv/a.key is on the host and not in the Pod: nothing mounts it, and the component would not find it; add extraVolumes: {apiServer: [{name: tls-sni-cert-key, hostPath: /srv/a.key, mountPath: /srv/a.key, readOnly: true, pathType: File}]}`,
		`line 18: extraArgs.scheduler[0].value: "scheduler.yaml" of config is not an absolute path; write an absolute path, and mount it by extraVolumes.scheduler`,
		`line 19: extraArgs.etcd[0].value: /srv/jwt.pub is on the host and not in the Pod: nothing mounts it, and the component would not find it; add extraVolumes: {etcd: [{name: auth-token, hostPath: /srv/jwt.pub, mountPath: /srv/jwt.pub, readOnly: true, pathType: File}]}`,
	}},
	"extraVolumes": {[]string{"", `extraVolumes:
  apiServer:
    - {name: k8s-certs, hostPath: /srv/a, mountPath: /a}
    - {name: b, hostPath: srv, mountPath: /b/../b}
    - {name: b, hostPath: /srv/c, mountPath: /c, pathType: file}
    - {name: d, hostPath: /srv/d, mountPath: /etc/kubernetes/pki}
    - {name: e, hostPath: /srv/e, mountPath: /}
    - {name: f, hostPath: /srv/f, mountPath: /etc/kubernetes/pki/}
    - {name: g, hostPath: /srv/g, mountPath: /c/}
`}, []string{
		"line 10: extraVolumes.apiServer[0].name: Slipway has a volume k8s-certs of its own in this Pod; write another name",
		`line 11: extraVolumes.apiServer[1].hostPath: "srv" is not an absolute path; write an absolute path`,
		`line 11: extraVolumes.apiServer[1].mountPath: "/b/../b" is not the shortest form of the path; write /b`,
		"line 12: extraVolumes.apiServer[2].name: \"b\" is given twice: it is extraVolumes.apiServer[1] as well",
		`line 12: extraVolumes.apiServer[2].pathType: "file" is not known; write one of DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice`,
		"line 13: extraVolumes.apiServer[3].mountPath: Slipway mounts /etc/kubernetes/pki there itself; leave it out: it is in the Pod already",
		`line 14: extraVolumes.apiServer[4].mountPath: "/" cannot be mounted; write a file or a folder below /, without a colon`,
		`line 15: extraVolumes.apiServer[5].mountPath: "/etc/kubernetes/pki" is given twice: it is extraVolumes.apiServer[3] as well`,
		"line 15: extraVolumes.apiServer[5].mountPath: Slipway mounts /etc/kubernetes/pki there itself; leave it out: it is in the Pod already",
		`line 16: extraVolumes.apiServer[6].mountPath: "/c" is given twice: it is extraVolumes.apiServer[2] as well`,
	}},
	"extraArgs": {[]string{"", `extraArgs:
  apiServer:
    - {name: --v, value: "4"}
    - {name: audit-log-maxage=30, value: ""}
    - {name: v, value: "1"}
    - {name: v, value: "2"}
    - {name: advertise-address, value: 192.0.2.1}
    - {name: client-ca-file, value: /x}
    - {name: Verbosity, value: "1"}
    - {value: "1"}
    - {name: v, value: 3}
  controllerManager: [{name: cluster-cidr, value: x}, {name: node-cidr-mask-size, value: big}]
  etcd: [{name: initial-cluster-state, value: new}]
  kubelet: [{name: node-labels, value: a=b}]
  kubeProxy: []
`}, []string{
		`line 10: extraArgs.apiServer[0].name: "--v" has leading dashes; write v`,
		`line 11: extraArgs.apiServer[1].name: "audit-log-maxage=30" has the value in it; write name: audit-log-maxage and value: "30"`,
		`line 13: extraArgs.apiServer[3].name: "v" is given twice: it is extraArgs.apiServer[2] as well`,
		"line 14: extraArgs.apiServer[4].name: Slipway sets advertise-address itself, and the rest of the cluster relies on it; use hosts[…].address",
		"line 15: extraArgs.apiServer[5].name: Slipway sets client-ca-file itself, and the rest of the cluster relies on it; leave it out",
		`line 16: extraArgs.apiServer[6].name: "Verbosity" is not a flag's name; write it as the component's --help does, without the dashes`,
		"line 17: extraArgs.apiServer[7].name: is missing; write the flag's name",
		`line 18: extraArgs.apiServer[8].value: 3 is a number to YAML where text is wanted; write it in quotes: "3"`,
		`line 18: extraArgs.apiServer[8].name: "v" is given twice: it is extraArgs.apiServer[2] as well`,
		"line 19: extraArgs.controllerManager[0].name: Slipway sets cluster-cidr itself, and the rest of the cluster relies on it; use networking.podSubnets",
		"line 19: extraArgs.controllerManager: node-cidr-mask-size is not the length of a subnet of IPv4; write a number from 1 to 32",
		"line 20: extraArgs.etcd[0].name: Slipway sets initial-cluster-state itself, and the rest of the cluster relies on it; leave it out",
		"line 21: extraArgs.kubelet[0].name: Slipway sets node-labels itself, and the rest of the cluster relies on it; use hosts[…].labels",
		"line 22: extraArgs.kubeProxy: unknown field; add a KubeProxyConfiguration document to this file"}},

	"documents": {[]string{"", `---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPod: 10
nodeStatusUpdateFrequency: soon
evictionHard: [a]
staticPodPath: /elsewhere
clusterDomain: cluster.local
cgroupDriver: systemd
defaultPodSysctls: {net.ipv4.ip_forward: "1"}
authentication: {x509: {clientCAFile: /x}}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: [nftables]
clusterCIDR: 10.0.0.0/8
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
---
apiVersion: kubelet.config.k8s.io/v1
kind: KubeletConfiguration
---
apiVersion: v1
kind: ConfigMap
`}, []string{
		"line 11: KubeletConfiguration.maxPod: unknown field; did you mean maxPods?",
		`line 12: KubeletConfiguration.nodeStatusUpdateFrequency: time: invalid duration "soon"; write a duration such as 30s, 10m or 8760h`,
		"line 13: KubeletConfiguration.evictionHard: is a list where a mapping is wanted; write its entries below it",
		"line 14: KubeletConfiguration.staticPodPath: Slipway's manifests lie in /etc/kubernetes/manifests; leave it out",
		"line 16: KubeletConfiguration.cgroupDriver: containerd says which driver is used, and the kubelet asks it; leave it out",
		"line 18: KubeletConfiguration.authentication.x509.clientCAFile: the cluster's CA is /etc/kubernetes/pki/ca.crt; leave it out",
		"line 22: KubeProxyConfiguration.mode: is a list where text is wanted",
		"line 23: KubeProxyConfiguration.clusterCIDR: follows from networking.podSubnets; leave it out",
		"line 25: KubeProxyConfiguration: there are two documents of this kind; keep one",
		`line 28: KubeletConfiguration.apiVersion: is "kubelet.config.k8s.io/v1"; write kubelet.config.k8s.io/v1beta1`,
		"line 31: a further document is a ConfigMap of v1; only KubeletConfiguration and KubeProxyConfiguration may follow the Cluster"}},

	"another kind": {[]string{one, "apiVersion: v1\nkind: Pod\n"}, []string{
		"line 1: kind: the first document is a Pod of v1; begin the file with apiVersion: slipway.dev/v1alpha1 and kind: Cluster"}},
	"kubeadm's": {[]string{one, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"}, []string{
		"line 1: kind: the first document is a ClusterConfiguration of kubeadm.k8s.io/v1beta4; kubeadm's files are not read; begin the file with apiVersion: slipway.dev/v1alpha1 and kind: Cluster"}},
	"another version": {[]string{"v1alpha1", "v9"}, []string{
		"line 1: apiVersion: slipway.dev/v9 is a version that this Slipway does not know; write slipway.dev/v1alpha1"}},
	"no version": {[]string{"apiVersion: slipway.dev/v1alpha1\n", ""}, []string{"line 1: apiVersion: is missing; write apiVersion: slipway.dev/v1alpha1"}},
	"a list":     {[]string{one, "- a\n"}, []string{"line 1: the file is a list where a mapping is wanted; begin it with apiVersion: slipway.dev/v1alpha1"}},
	"empty":      {[]string{one, "# nothing\n"}, []string{"the file is empty; slipway config print shows one to start from"}},
	"a tag of its own": {[]string{"name: example", "name: !secret example"}, []string{
		"line 3: name: the tag !secret is not for this file; leave it out"}},
	"aliases without end": {[]string{"name: example", "x: &x {y: *x}"}, []string{
		"the file is too large or too deep once its aliases are followed"}},
}

func TestProblems(t *testing.T) {
	for name, test := range problemCases {
		t.Run(name, func(t *testing.T) {
			file := test.file(t)
			if diff := cmp.Diff(test.want, problems(t, file)); diff != "" {
				t.Errorf("problems (-want +got):\n%s\nof\n%s", diff, file)
			}
		})
	}
}

// TestFilesThatVolumesHold: a flag's file is found by the innermost volume that holds it.
func TestFilesThatVolumesHold(t *testing.T) {
	c := load(t, one+`extraArgs:
  apiServer: [{name: audit-policy-file, value: /audit/policy.yaml}, {name: audit-log-path, value: /logs/audit.log}]
extraVolumes:
  apiServer:
    - {name: audit, hostPath: /etc/kubernetes/audit, mountPath: /audit, readOnly: true, pathType: Directory}
    - {name: logs, hostPath: /var/log/kubernetes, mountPath: /logs, pathType: DirectoryOrCreate}
`)
	var found []string
	for _, file := range c.StaticPods()[0].Files() {
		found = append(found, file.Host)
	}
	if want := []string{"/etc/kubernetes/audit/policy.yaml", "/var/log/kubernetes/audit.log"}; !slices.Equal(found, want) {
		t.Errorf("the files lie at %v, want %v", found, want)
	}
}

func TestSecretsInMirrorsAreNotRepeated(t *testing.T) {
	for _, mirror := range []string{"https://user:hunter2@m.example.com", "ftp://user:hunter2@m.example.com"} {
		all := problems(t, one+"registries: [{name: quay.io, mirrors: ['"+mirror+"']}]\n")
		if slices.ContainsFunc(all, func(problem string) bool { return strings.Contains(problem, "hunter2") }) {
			t.Errorf("a password is shown: %v", all)
		}
	}
}

func (c problemCase) file(t *testing.T) string {
	t.Helper()
	return edit(t, one, c.edits)
}

// edit changes a file, as problemCase has it.
func edit(t *testing.T, file string, edits []string) string {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if edits[i] == "" {
			file += edits[i+1]
			continue
		}
		edited := strings.Replace(file, edits[i], edits[i+1], 1)
		if edited == file {
			t.Fatalf("the file has no %q", edits[i])
		}
		file = edited
	}
	return file
}

// TestSSHMayPassThroughAnotherHost: a port that another host forwards, and a command of its
// own, may lead from another host's address to this one.
func TestSSHMayPassThroughAnotherHost(t *testing.T) {
	for _, ssh := range []string{"{host: 192.0.2.11, port: 2202}", "{host: 192.0.2.11, proxyCommand: ssh -W %h:%p gate-2}", "{host: 192.0.2.12}"} {
		if _, err := Load([]byte(one + "  - {name: b, address: 192.0.2.12, roles: [worker], ssh: " + ssh + "}\n")); err != nil {
			t.Errorf("%s: %v", ssh, err)
		}
	}
}

// TestSwapAndTimeAreRefusedWhereTheyCannotBe: by field, with what to write.
func TestSwapAndTimeAreRefusedWhereTheyCannotBe(t *testing.T) {
	const file = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
prepare: {timeZone: "Europe Berlin", ntp: {servers: ["ntp example"]}}
firewall: {hostNetworks: [10.0.0.1, 10.0.0.1/24, "::/0"]}
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
memorySwap: {swapBehavior: LimitedSwap}
`
	_, err := Load([]byte(file))
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		"prepare.timeZone", "prepare.ntp.servers[0]", "write the length too", "write 10.0.0.0/24", "::/0 is everybody", "LimitedSwap needs swap",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
