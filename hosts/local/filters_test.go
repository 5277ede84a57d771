//go:build linux

package local_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/slipway-k8s/slipway/hosts"
)

// byLink is the beginning of a rule about an interface, with the name as iptables writes it.
func byLink(key expr.MetaKey, link string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: append([]byte(link), 0)}}
}

// TestChainsThatDropAreSeen, those of iptables that packets go through among them: a container engine leaves a policy
// behind, and images of clouds have a last rule.
func TestChainsThatDropAreSeen(t *testing.T) {
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	var made []*nftables.Table
	chain := func(family nftables.TableFamily, table, name string, hook *nftables.ChainHook, policy nftables.ChainPolicy, rules ...[]expr.Any) {
		in := conn.AddTable(&nftables.Table{Family: family, Name: table})
		made = append(made, in)
		c := conn.AddChain(&nftables.Chain{Name: name, Table: in, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &policy})
		for _, rule := range rules {
			conn.AddRule(&nftables.Rule{Table: in, Chain: c, Exprs: rule})
		}
	}
	accept := []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictAccept}}
	rejects := []expr.Any{&expr.Counter{}, &expr.Reject{}}
	chain(nftables.TableFamilyIPv4, "filter", "FORWARD", nftables.ChainHookForward, nftables.ChainPolicyDrop,
		append(byLink(expr.MetaKeyIIFNAME, "docker0"), accept...))
	chain(nftables.TableFamilyIPv6, "filter", "FORWARD", nftables.ChainHookForward, nftables.ChainPolicyAccept,
		append(byLink(expr.MetaKeyIIFNAME, "cni0"), accept...), append(byLink(expr.MetaKeyOIFNAME, "cni0"), accept...), rejects,
		append(byLink(expr.MetaKeyIIFNAME, "late"), accept...))
	chain(nftables.TableFamilyINet, "site", "in", nftables.ChainHookInput, nftables.ChainPolicyDrop, accept)
	chain(nftables.TableFamilyINet, "kube-proxy", "in", nftables.ChainHookInput, nftables.ChainPolicyDrop)
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, table := range made {
			conn.DelTable(table)
		}
		if err := conn.Flush(); err != nil {
			t.Error(err)
		}
	})
	want := []hosts.Filter{
		{Tool: "iptables", Table: "filter", Chain: "FORWARD", Hook: "forward", Policy: true, In: []string{"docker0"}},
		{Tool: "ip6tables", Table: "filter", Chain: "FORWARD", Hook: "forward", In: []string{"cni0"}, Out: []string{"cni0"}},
	}
	m := newMachine(t)
	if diff := cmp.Diff(want, m.observe(m.host(), hosts.Query{}).Filters); diff != "" {
		t.Errorf("chains that drop (-want +got):\n%s", diff)
	}
	m = firewalldMachine(t)
	m.write("/etc/firewalld/firewalld.conf", "FirewallBackend=iptables\n") // they are its own then
	if got := m.observe(m.host(), hosts.Query{}).Filters; len(got) > 0 {
		t.Errorf("chains of firewalld's own: %v", got)
	}
}
