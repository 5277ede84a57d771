package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// three is a file of three control planes and a worker, whose endpoint nothing is said of.
const three = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: demo
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
  - {name: cp-2, address: 192.0.2.12, roles: [control-plane]}
  - {name: cp-3, address: 192.0.2.13, roles: [control-plane]}
  - {name: worker-1, address: 192.0.2.21, roles: [worker]}
`

func TestEndpointDefaults(t *testing.T) {
	const virtual = "192.0.2.100"
	for name, test := range map[string]struct {
		file string
		want Endpoint
	}{
		"one control plane":          {one, Endpoint{Mode: EndpointControlPlane, Host: "192.0.2.11", Port: 6443}},
		"one with a name":            {one + "endpoint: {host: api.example.com}\n", Endpoint{Mode: EndpointControlPlane, Host: "api.example.com", Port: 6443}},
		"one that is to grow":        {one + "endpoint: {mode: vip, host: 192.0.2.100}\n", Endpoint{Mode: EndpointVIP, Host: virtual, Address: virtual, Port: 16443}},
		"one, local":                 {one + "endpoint: {mode: local}\n", Endpoint{Mode: EndpointLocal, Host: "api.example.internal", Port: 16443}},
		"one, external":              {one + "endpoint: {mode: external, host: lb}\n", Endpoint{Mode: EndpointExternal, Host: "lb", Port: 6443}},
		"several":                    {three + "endpoint: {host: 192.0.2.100}\n", Endpoint{Mode: EndpointVIP, Host: virtual, Address: virtual, Port: 16443}},
		"several, the address alone": {three + "endpoint: {address: 192.0.2.100}\n", Endpoint{Mode: EndpointVIP, Host: virtual, Address: virtual, Port: 16443}},
		"several, a name": {three + "endpoint: {host: api.example.com, address: 192.0.2.100, port: 8443}\n",
			Endpoint{Mode: EndpointVIP, Host: "api.example.com", Address: virtual, Port: 8443}},
		"several, local":        {three + "endpoint: {mode: local}\n", Endpoint{Mode: EndpointLocal, Host: "api.demo.internal", Port: 16443}},
		"several, local, named": {three + "endpoint: {mode: local, host: k8s.corp}\n", Endpoint{Mode: EndpointLocal, Host: "k8s.corp", Port: 16443}},
		"several, external":     {three + "endpoint: {mode: external, host: 192.0.2.9}\n", Endpoint{Mode: EndpointExternal, Host: "192.0.2.9", Port: 6443}},
		"load balancers":        {balanced, Endpoint{Mode: EndpointLoadBalancers, Host: virtual, Address: virtual, Port: 16443}},
		"load balancers may have the API servers' port": {strings.Replace(balanced, "host: 192.0.2.100", "host: 192.0.2.100, port: 6443", 1),
			Endpoint{Mode: EndpointLoadBalancers, Host: virtual, Address: virtual, Port: 6443}},
	} {
		if got := load(t, test.file).Endpoint; got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Where there are several control planes, none of them is the endpoint unasked.
func TestDefaultsWithSeveralControlPlanesChooseNone(t *testing.T) {
	c := &Cluster{Hosts: []Host{
		{Name: "a", Addresses: []string{"192.0.2.1"}, Roles: []Role{RoleControlPlane}},
		{Name: "b", Addresses: []string{"192.0.2.2"}, Roles: []Role{RoleControlPlane}},
	}}
	for _, mode := range []EndpointMode{"", EndpointControlPlane} {
		c.Endpoint = Endpoint{Mode: mode}
		Defaults(c)
		if c.Endpoint.Host != "" || c.Endpoint.Address != "" {
			t.Errorf("mode %q: the endpoint is %+v: one control plane among equals", mode, c.Endpoint)
		}
	}
	for _, host := range c.Hosts {
		if host.SSH.Host != host.Address() || host.SSH.Port != 0 || host.SSH.User != "" {
			t.Errorf("%s is reached by %+v", host.Name, host.SSH)
		}
	}
}

func TestBalancers(t *testing.T) {
	for name, test := range map[string]struct {
		file    string
		want    []string
		virtual string
	}{
		"controlPlane":  {one, nil, ""},
		"vip":           {three + "endpoint: {host: 192.0.2.100}\n", []string{"cp-1", "cp-2", "cp-3"}, "192.0.2.100"},
		"loadBalancers": {balanced, []string{"lb-1", "lb-2"}, "192.0.2.100"},
		"local":         {three + "endpoint: {mode: local}\n", []string{"cp-1", "cp-2", "cp-3", "worker-1"}, ""},
		"external":      {outside, nil, ""},
	} {
		c := load(t, test.file)
		var got []string
		for _, host := range c.Balancers() {
			got = append(got, host.Name)
		}
		if !slices.Equal(got, test.want) || c.VirtualAddress() != test.virtual {
			t.Errorf("%s: %v hold %q, want %v and %q", name, got, c.VirtualAddress(), test.want, test.virtual)
		}
	}
	if load(t, outside).StackedEtcd() || !load(t, one).StackedEtcd() {
		t.Error("whose etcd it is, is not told")
	}
	if nodes := load(t, balanced).Nodes(); len(nodes) != 3 {
		t.Errorf("%d nodes, want 3: load balancers are none", len(nodes))
	}
}

// endpointCase is a change to a file, as problemCase has it, and what is said of the outcome.
type endpointCase struct {
	of    string
	edits []string
	want  []string
}

const (
	modes   = "vip (keepalived and haproxy on the control planes), loadBalancers (the same on hosts of the role load-balancer), local (haproxy on every host's loopback, where the network has no VRRP) or external (a load balancer of your own)"
	addRole = "write endpoint.mode: loadBalancers, or take the host out of the file"
	noVIP   = "leave it out, or choose mode vip or loadBalancers"
	free    = "write an address of the hosts' own subnet that nobody has"
)

var endpointCases = map[string]endpointCase{
	"an unknown mode": {three, []string{"", "endpoint: {mode: keepalived}\n"}, []string{
		`line 9: endpoint.mode: "keepalived" is not known; write one of vip, loadBalancers, local, external, controlPlane`}},
	"a mode with a slip": {three, []string{"", "endpoint: {mode: loadbalancer}\n"}, []string{
		`line 9: endpoint.mode: "loadbalancer" is not known; did you mean loadBalancers? write one of vip, loadBalancers, local, external, controlPlane`}},
	"several control planes, nothing said": {three, nil, []string{
		"line 1: endpoint.host: is missing; mode vip needs one; " + free + ": keepalived gives it to one of them. Where VRRP is not allowed, write endpoint.mode: local or external"}},
	"several control planes, one of them the endpoint": {three, []string{"", "endpoint: {host: 192.0.2.11}\n"}, []string{
		"line 9: endpoint.host: 192.0.2.11 is cp-1's own address; write an address of the same subnet that nobody has: keepalived gives it to one of the hosts"}},
	"mode controlPlane of several": {three, []string{"", "endpoint: {mode: controlPlane, host: 192.0.2.11}\n"}, []string{
		"line 9: endpoint.mode: controlPlane is for one control plane, and the file has 3: an endpoint which is one of theirs would be lost with it; write " + modes}},

	"a virtual address of a worker": {three, []string{"", "endpoint: {host: 192.0.2.21}\n"}, []string{
		"line 9: endpoint.host: 192.0.2.21 is worker-1's own address; write an address of the same subnet that nobody has: keepalived gives it to one of the hosts"}},
	"a virtual address among Pods": {three, []string{"", "endpoint: {host: 10.244.0.9}\n"}, []string{
		"line 9: endpoint.host: 10.244.0.9 is inside the Pod subnet 10.244.0.0/16; choose other subnets under networking: hosts must lie outside of them"}},
	"a virtual address among Services": {three, []string{"", "endpoint: {host: api.example.com, address: 10.96.0.9}\n"}, []string{
		"line 9: endpoint.address: 10.96.0.9 is inside the Service subnet 10.96.0.0/12; choose other subnets under networking: hosts must lie outside of them"}},
	"a virtual address of IPv6": {three, []string{"", `endpoint: {host: "2001:db8::100"}` + "\n"}, []string{
		"line 9: endpoint.host: 2001:db8::100 is IPv6, and the hosts have IPv4 alone; write an address of IPv4, or addresses and subnets of IPv6 for all hosts, Pods and Services"}},
	"an address in brackets": {three, []string{"", `endpoint: {host: "[2001:db8::100]"}` + "\n"}, []string{
		`line 9: endpoint.host: "[2001:db8::100]" is not an address; write 2001:db8::100, without the brackets`}},
	"a virtual address of nobody else's": {three, []string{"", "endpoint: {host: 127.0.0.1}\n"}, []string{
		"line 9: endpoint.host: 127.0.0.1 is not an address that other hosts can reach; " + free}},
	"a virtual address that is none": {three, []string{"", "endpoint: {host: api.example.com, address: 192.0.2.100/24}\n"}, []string{
		`line 9: endpoint.address: "192.0.2.100/24" is not an address; write it like 192.0.2.100`}},
	"a name without an address": {three, []string{"", "endpoint: {host: api.example.com}\n"}, []string{
		"line 9: endpoint.address: is missing; mode vip needs one; write the virtual address that api.example.com leads to: one of the hosts' own subnet that nobody has"}},
	"an address with a slip alone": {three, []string{"", "endpoint: {host: 10.0.0.300}\n"}, []string{
		`line 9: endpoint.host: "10.0.0.300" is not an address, nor a name: it has nothing but digits and dots; write four numbers from 0 to 255, without leading zeros, like 192.0.2.10`}},
	"two virtual addresses": {three, []string{"", "endpoint: {host: 192.0.2.100, address: 192.0.2.101}\n"}, []string{
		"line 9: endpoint.address: is 192.0.2.101, and endpoint.host is another address; leave it out, or write the endpoint's name to endpoint.host"}},
	"a virtual address with a slip, beside another": {three, []string{"", "endpoint: {host: 192.0.2.100, address: 192.0.2.300}\n"}, []string{
		`line 9: endpoint.address: "192.0.2.300" is not an address; write four numbers from 0 to 255, without leading zeros, like 192.0.2.10`}},
	"a virtual address that is none, beside another": {three, []string{"", "endpoint: {host: 192.0.2.100, address: 192.0.2.101/24}\n"}, []string{
		`line 9: endpoint.address: "192.0.2.101/24" is not an address; write it like 192.0.2.100`}},
	"a host's name": {three, []string{"", "endpoint: {host: cp-1, address: 192.0.2.100}\n"}, []string{
		"line 9: endpoint.host: cp-1 is a host's own name; write a name of its own, like api.example.com"}},
	"everything at once": {three, []string{"", "endpoint:\n  mode: vip\n  host: api_example\n  port: 6443\n  address: 192.0.2.21\n  vrrp: {interface: a b, routerID: 256}\n"}, []string{
		`line 11: endpoint.host: "api_example" is neither an address nor a DNS name; write an address like 192.0.2.10 or a name like api.example.com; the port goes to endpoint.port`,
		"line 12: endpoint.port: 6443 is used by the API server, which runs on the same host as haproxy; write 16443, or another",
		"line 13: endpoint.address: 192.0.2.21 is worker-1's own address; write an address of the same subnet that nobody has: keepalived gives it to one of the hosts",
		`line 14: endpoint.vrrp.interface: "a b" is not the name of an interface; write it as ip link shows it, such as eth0; at most 15 letters, digits, dots, dashes and underscores`,
		"line 14: endpoint.vrrp.routerID: 256 is not a virtual router's ID; write a number from 1 to 255 that no other virtual router of the network has, or leave it out"}},
	"an interface as ip shows it": {three, []string{"", "endpoint: {host: 192.0.2.100, vrrp: {interface: eth0@if7, routerID: -1}}\n"}, []string{
		`line 9: endpoint.vrrp.interface: "eth0@if7" is not the name of an interface; write eth0: what follows the @ is not part of the name`,
		"line 9: endpoint.vrrp.routerID: -1 is not a virtual router's ID; write a number from 1 to 255 that no other virtual router of the network has, or leave it out"}},
	"an interface too long":  {three, []string{"", "endpoint: {host: 192.0.2.100, vrrp: {interface: abcdefghijklmnop}}\n"}, []string{`line 9: endpoint.vrrp.interface: "abcdefghijklmnop" is not the name of an interface; write it as ip link shows it, such as eth0; at most 15 letters, digits, dots, dashes and underscores`}},
	"the loopback interface": {three, []string{"", "endpoint: {host: 192.0.2.100, vrrp: {interface: lo}}\n"}, []string{"line 9: endpoint.vrrp.interface: no other host receives what is sent on lo; write the interface that has the host's address, or leave it out"}},
	"an unreadable address hides what follows from it": {three, []string{"", "endpoint: {mode: vip, address: [192.0.2.100]}\n"}, []string{
		"line 9: endpoint.address: is a list where text is wanted"}},

	"no load balancers": {three, []string{"", "endpoint: {mode: loadBalancers, host: 192.0.2.100}\n"}, []string{
		"line 9: endpoint.mode: loadBalancers needs hosts of the role load-balancer, and there is none; give one, better two of the hosts the role load-balancer, and no other; or write vip, and the control planes balance the load themselves"}},
	"load balancers in another mode": {balanced, []string{"host: 192.0.2.100", "mode: vip, host: 192.0.2.100"}, []string{
		"line 9: hosts[3].roles: load-balancer is a role of endpoint.mode loadBalancers; the mode is vip; " + addRole,
		"line 10: hosts[4].roles: load-balancer is a role of endpoint.mode loadBalancers; the mode is vip; " + addRole}},
	"a load balancer that is more": {balanced, []string{"roles: [load-balancer]", "roles: [load-balancer, worker], labels: {a: b}, taints: [{key: a, effect: NoExecute}]"}, []string{
		"line 9: hosts[3].roles: load-balancer has no other role beside it; take it away: with endpoint.mode vip the control planes balance the load themselves",
		"line 9: hosts[3].labels: a load balancer is no node, which could have labels; leave it out",
		"line 9: hosts[3].taints: a load balancer is no node, which could have taints; leave it out"}},
	"a load balancer in other words": {balanced, []string{"[load-balancer]", "[lb]"}, []string{
		`line 9: hosts[3].roles[0]: "lb" is not a role; write load-balancer`}},
	"the virtual address of a load balancer": {balanced, []string{"192.0.2.100", "192.0.2.21"}, []string{
		"line 4: endpoint.host: 192.0.2.21 is lb-1's own address; write an address of the same subnet that nobody has: keepalived gives it to one of the hosts"}},
	"load balancers without an address": {balanced, []string{"endpoint: {host: 192.0.2.100}\n", ""}, []string{
		"line 1: endpoint.host: is missing; mode loadBalancers needs one; " + free + ": keepalived gives it to one of them"}},

	"local, an address": {three, []string{"", "endpoint: {mode: local, host: 192.0.2.100}\n"}, []string{
		"line 9: endpoint.host: 192.0.2.100 is an address: in mode local the endpoint is a name, which on every host leads to its own loopback; write a name like api.example.internal, or leave it out"}},
	"local, localhost": {three, []string{"", "endpoint: {mode: local, host: localhost}\n"}, []string{
		"line 9: endpoint.host: localhost is every host's name; write a name of its own, like api.example.com"}},
	"local, a host's name": {three, []string{"", "endpoint: {mode: local, host: worker-1}\n"}, []string{
		"line 9: endpoint.host: worker-1 is a host's own name; write a name of its own, like api.example.com"}},
	"local, a virtual address": {three, []string{"", "endpoint: {mode: local, address: 192.0.2.100, vrrp: {preempt: true}}\n"}, []string{
		"line 9: endpoint.address: there is no virtual address in mode local; " + noVIP,
		"line 9: endpoint.vrrp: there is no virtual address in mode local; " + noVIP}},
	"local, a cluster of no good name": {three, []string{"name: demo", "name: Demo", "", "endpoint: {mode: local}\n"}, []string{
		`line 3: name: "Demo" is not a name for a cluster; write demo, or another name of at most 63 lower-case letters, digits and dashes that begins and ends with a letter or digit`}},

	"external, nobody": {three, []string{"", "endpoint: {mode: external}\n"}, []string{
		"line 9: endpoint.host: is missing; mode external needs one; write the address or the name of your load balancer"}},
	"external, a control plane": {three, []string{"", "endpoint: {mode: external, host: 192.0.2.12}\n"}, []string{
		"line 9: endpoint.host: 192.0.2.12 is cp-2's own address, and at port 6443 its API server's; write your load balancer's address; where there is none, leave out the mode or write another"}},
	"external, a virtual address": {three, []string{"", "endpoint: {mode: external, host: lb, address: 192.0.2.9}\n"}, []string{
		"line 9: endpoint.address: there is no virtual address in mode external; " + noVIP}},
	"control plane, a virtual address": {one, []string{"", "endpoint: {vrrp: {routerID: 7}}\n"}, []string{
		"line 8: endpoint.vrrp: there is no virtual address in mode controlPlane; " + noVIP}},
	"another tool's word": {three, []string{"", "endpoint: {vip: 192.0.2.100, vrrp: {password: x}}\n"}, []string{
		"line 9: endpoint.vip: unknown field; write host",
		"line 9: endpoint.vrrp.password: unknown field; leave it out: VRRPv3 has none",
		"line 9: endpoint.host: is missing; mode vip needs one; " + free + ": keepalived gives it to one of them. Where VRRP is not allowed, write endpoint.mode: local or external"}},
}

func TestEndpointProblems(t *testing.T) {
	for name, test := range endpointCases {
		t.Run(name, func(t *testing.T) {
			file := edit(t, test.of, test.edits)
			if diff := cmp.Diff(test.want, problems(t, file)); diff != "" {
				t.Errorf("problems (-want +got):\n%s\nof\n%s", diff, file)
			}
		})
	}
}

// Who listens where haproxy would, and where not.
func TestEndpointPorts(t *testing.T) {
	const (
		vip      = three + "endpoint: {host: 192.0.2.100, port: PORT}\n"
		local    = three + "endpoint: {mode: local, port: PORT}\n"
		external = three + "endpoint: {mode: external, host: 192.0.2.9, port: PORT}\n"
		own      = one + "endpoint: {port: PORT}\n"
		etcd     = "etcd: {external: {endpoints: [https://192.0.2.31:2379], caFile: a, certFile: b, keyFile: c}}\n"
		ranged   = "extraArgs: {apiServer: [{name: service-node-port-range, value: 40000-40010}]}\n"
	)
	lbs := strings.Replace(balanced, "host: 192.0.2.100", "host: 192.0.2.100, port: PORT", 1)
	for port, test := range map[string]struct{ taken, free []string }{
		"6443":  {[]string{vip, local}, []string{lbs, external, own}},
		"2379":  {[]string{vip, local, own}, []string{lbs, external, vip + etcd}},
		"2380":  {[]string{vip, local, own}, []string{lbs, external, vip + etcd}},
		"2381":  {[]string{vip, local, own}, []string{lbs, external, vip + etcd}},
		"10248": {[]string{vip, local, own}, []string{lbs, external}},
		"10249": {[]string{vip, local, own}, []string{lbs, external}},
		"10250": {[]string{vip, local, own, vip + etcd}, []string{lbs, external}},
		"10256": {[]string{vip, local, own}, []string{lbs, external}},
		"10257": {[]string{vip, local, own}, []string{lbs, external}},
		"10259": {[]string{vip, local, own}, []string{lbs, external}},
		"30000": {[]string{vip, local, own}, []string{lbs, external, vip + ranged}},
		"32767": {[]string{vip, local, own}, []string{lbs, external, vip + ranged}},
		"40000": {[]string{vip + ranged}, []string{vip, local, own}},
		"16443": {nil, []string{vip, local, lbs, external, own}},
		"443":   {nil, []string{vip, local, lbs, external, own}},
	} {
		for _, file := range test.taken {
			all := problems(t, strings.Replace(file, "PORT", port, 1))
			if len(all) != 1 || !strings.Contains(all[0], "endpoint.port: "+port+" is ") {
				t.Errorf("%s: got %v of\n%s", port, all, file)
			}
		}
		for _, file := range test.free {
			load(t, strings.Replace(file, "PORT", port, 1))
		}
	}
}

var etcdCases = map[string]endpointCase{
	"nothing said": {one, []string{"", "etcd: {external: {}}\n"}, []string{
		"line 8: etcd.external.endpoints: is empty; list them, like https://192.0.2.31:2379",
		"line 8: etcd.external.caFile: is missing; write the name of a file with etcd's CA",
		"line 8: etcd.external.certFile: is missing; write the name of a file with the certificate by which API servers are etcd's clients",
		"line 8: etcd.external.keyFile: is missing; write the name of a file with the private key to certFile"}},
	"endpoints": {outside, []string{`[https://192.0.2.31:2379, "https://etcd.example.com:2379/", "https://[2001:db8::1]:2379"]`, `
    - http://192.0.2.31:2379
    - 192.0.2.31:2379
    - https://192.0.2.31
    - https://192.0.2.31:70000
    - https://etcd_1:2379
    - https://192.0.2.32:2379/v3
    - https://etcd.example.com:2379
    - https://ETCD.example.com:2379/
    - "https://192.0.2.31:2379 "
    - "https://[2001:db8::1]"`}, []string{
		"line 8: etcd.external.endpoints[0]: http://192.0.2.31:2379 is in clear text: all of the cluster's secrets pass here; write https://192.0.2.31:2379",
		"line 9: etcd.external.endpoints[1]: is not a URL; write it like https://192.0.2.31:2379",
		"line 10: etcd.external.endpoints[2]: https://192.0.2.31 has no port; write https://192.0.2.31:2379",
		"line 11: etcd.external.endpoints[3]: 70000 is not a port; write a port from 1 to 65535",
		`line 12: etcd.external.endpoints[4]: "etcd_1" is neither an address nor a DNS name; write it like https://192.0.2.31:2379`,
		"line 13: etcd.external.endpoints[5]: https://192.0.2.32:2379/v3 has more after the port; end it with the port",
		`line 15: etcd.external.endpoints[7]: "https://etcd.example.com:2379" is given twice: it is etcd.external.endpoints[6] as well`,
		"line 16: etcd.external.endpoints[8]: is not a URL; write it like https://192.0.2.31:2379",
		"line 17: etcd.external.endpoints[9]: https://[2001:db8::1] has no port; write https://[2001:db8::1]:2379"}},
	"flags for nobody": {outside, []string{"", "extraArgs: {etcd: [{name: quota-backend-bytes, value: \"1\"}]}\n"}, []string{
		"line 14: extraArgs.etcd: with etcd.external there is no etcd of Slipway's that could have flags; leave it out"}},
	"kubeadm's words": {one, []string{"", "etcd: {local: {dataDir: /x}, external: {endpoints: [https://192.0.2.31:2379], ca: a, certFile: b, keyFile: c}}\n"}, []string{
		"line 8: etcd.local: unknown field; leave it out: without external, etcd is on the control planes; its flags go to extraArgs.etcd",
		"line 8: etcd.external.ca: unknown field; write caFile",
		"line 8: etcd.external.caFile: is missing; write the name of a file with etcd's CA"}},
}

func TestEtcdProblems(t *testing.T) {
	for name, test := range etcdCases {
		t.Run(name, func(t *testing.T) {
			file := edit(t, test.of, test.edits)
			if diff := cmp.Diff(test.want, problems(t, file)); diff != "" {
				t.Errorf("problems (-want +got):\n%s\nof\n%s", diff, file)
			}
		})
	}
}

func TestSecretsInEtcdsEndpointsAreNotRepeated(t *testing.T) {
	for _, endpoint := range []string{"https://user:hunter2@192.0.2.31:2379", "user:hunter2@192.0.2.31:2379", "http://u:hunter2@h", "https://user:hunter2@%zz"} {
		all := problems(t, edit(t, outside, []string{"https://192.0.2.31:2379", "'" + endpoint + "'"}))
		if len(all) != 1 || strings.Contains(all[0], "hunter2") {
			t.Errorf("%s: a password is taken or shown: %v", endpoint, all)
		}
	}
}

// Null and nothing are as if they were not there.
func TestEmptyEtcdIsNone(t *testing.T) {
	for _, said := range []string{"etcd: {}\n", "etcd: {external: null}\n", "etcd:\n"} {
		if c := load(t, one+said); !c.StackedEtcd() {
			t.Errorf("%q is an external etcd", said)
		}
	}
}
