//go:build linux

package local_test

import (
	"crypto/sha512"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"

	"github.com/slipway-k8s/slipway/hosts"
)

// sandboxID is an id as containerd makes them.
func sandboxID(c string) string { return strings.Repeat(c, 64) }

// chainOf is the name that portmap gives a container's chain.
func chainOf(network, id string) string {
	return fmt.Sprintf("CNI-DN-%x", sha512.Sum512([]byte(network+id)))[:28]
}

// pod puts on the machine what containerd and libcni keep of a Pod.
func (m *machine) pod(id, network, namespace string) {
	m.write("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/"+id+"/hostname", "x")
	m.result(id, network, namespace)
}

// result is what libcni notes of any runtime's container.
func (m *machine) result(id, network, namespace string) {
	m.write("/run/netns/"+namespace, "")
	m.write("/var/lib/cni/results/"+network+"-"+id+"-eth0", fmt.Sprintf(
		`{"kind":"cniCacheV1","containerId":%q,"ifName":"eth0","networkName":%q,"netns":"/var/run/netns/%s"}`, id, network, namespace))
}

// TestOnlyPodsNetworksAreRemoved: Podman's containers on the same host have network
// namespaces and chains with names of the same kind, and host ports in the same chains.
func TestOnlyPodsNetworksAreRemoved(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	ended, running, podmans := sandboxID("a"), sandboxID("b"), sandboxID("c")
	m.pod(ended, "cbr0", "cni-ended")
	m.write("/run/netns/cni-running", "")
	m.write("/run/containerd/io.containerd.runtime.v2.task/k8s.io/"+running+"/config.json", fmt.Sprintf(
		`{"annotations":{"io.kubernetes.cri.sandbox-id":%q},"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/var/run/netns/cni-running"}]}}`, running))
	m.result(podmans, "podman", "cni-podman")
	addHostPorts(t, map[string]string{ended: chainOf("cbr0", ended), podmans: chainOf("podman", podmans)})

	facts := m.observe(host, hosts.Query{Sandboxes: true})
	want := []hosts.Sandbox{
		{ID: ended, Namespace: "cni-ended", Chains: []string{chainOf("cbr0", ended)}},
		{ID: running, Namespace: "cni-running"},
	}
	if diff := cmp.Diff(want, facts.Sandboxes); diff != "" {
		t.Fatalf("the Pods' sandboxes (-want +got):\n%s", diff)
	}
	m.do(host, hosts.RemoveNetwork{Pods: facts.Sandboxes, HostPorts: true})
	if m.has("/run/netns/cni-ended") || m.has("/run/netns/cni-running") || !m.has("/run/netns/cni-podman") {
		t.Error("the network namespaces that are left are not the right ones")
	}
	left := []string{"CNI-ADMIN", chainOf("podman", podmans), "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "hostports"}
	slices.Sort(left)
	if got := chainNames(t); !slices.Equal(got, left) {
		t.Errorf("the chains that are left are %v, want %v", got, left)
	}
	if owners := hostPortOwners(t); !slices.Equal(owners, []string{podmans}) {
		t.Errorf("host ports are left of %v", owners)
	}

	// With Podman's container gone nobody uses what they shared.
	m.do(host, hosts.RemoveNetwork{HostPorts: true, Pods: []hosts.Sandbox{{ID: podmans, Chains: []string{chainOf("podman", podmans)}}}})
	if got := chainNames(t); !slices.Equal(got, []string{"CNI-ADMIN"}) {
		t.Errorf("the chains that are left are %v", got)
	}
	m.fails(host, hosts.RemoveNetwork{Pods: []hosts.Sandbox{{ID: "x", Namespace: "../../etc"}}})
}

// addHostPorts makes portmap's chains and its nft table as they are with host ports of
// these containers, and a chain that an administrator made for Podman.
func addHostPorts(t *testing.T, chains map[string]string) {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	conn.FlushRuleset() // of another test's
	t.Cleanup(func() {
		conn.FlushRuleset()
		_ = conn.Flush()
	})
	nat := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat"})
	hostports := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "cni_hostport"})
	filter := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	conn.AddChain(&nftables.Chain{Name: "CNI-ADMIN", Table: filter})
	conn.AddChain(&nftables.Chain{Name: "CNI-HOSTPORT-MASQ", Table: nat})
	jumps := conn.AddChain(&nftables.Chain{Name: "CNI-HOSTPORT-DNAT", Table: nat})
	ports := conn.AddChain(&nftables.Chain{Name: "hostports", Table: hostports})
	for id, name := range chains {
		own := conn.AddChain(&nftables.Chain{Name: name, Table: nat})
		conn.AddRule(&nftables.Rule{Table: nat, Chain: own, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}})
		conn.AddRule(&nftables.Rule{Table: nat, Chain: jumps, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: name}}})
		conn.AddRule(&nftables.Rule{Table: hostports, Chain: ports, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}},
			UserData: userdata.AppendString(nil, userdata.TypeComment, id)})
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// hostPortOwners are the containers that have host ports in portmap's nft table.
func hostPortOwners(t *testing.T) []string {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "cni_hostport"}
	rules, err := conn.GetRules(table, &nftables.Chain{Table: table, Name: "hostports"})
	if err != nil {
		t.Fatal(err)
	}
	var owners []string
	for _, rule := range rules {
		owner, _ := userdata.GetString(rule.UserData, userdata.TypeComment)
		owners = append(owners, owner)
	}
	return owners
}
