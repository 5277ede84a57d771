//go:build linux

package local

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/slipway-k8s/slipway/hosts"
)

// otherFirewalls are nft tables whose makers let through what is theirs, or are known.
var otherFirewalls = []string{"firewalld", "kube-proxy", "kube-proxy6", "f2b-table", "libvirt_network"}

// droppingChains lists the chains by which packets come in, or through, that drop what no rule lets in: those
// that nobody has made but an administrator.
func (h *Host) droppingChains(ctx context.Context, firewall string) ([]hosts.Filter, error) {
	var found []hosts.Filter
	if nftablesAnswer() {
		var err error
		if found, err = droppingNFTChains(firewall); err != nil {
			return nil, err
		}
	}
	if firewall == hosts.UFW {
		return found, nil // it may have the legacy tables
	}
	for _, tool := range h.legacyTools() {
		text, err := exec.CommandContext(ctx, string(tool)+"-save", "-t", "filter").Output()
		if err != nil {
			return nil, fmt.Errorf("run %s-save: %w", tool, err)
		}
		if dropsLegacy(string(text)) {
			found = append(found, hosts.Filter{Tool: string(tool), Table: "filter", Chain: "INPUT", Hook: "input"})
		}
	}
	return found, nil
}

// dropsLegacy tells whether iptables' chain of what comes in drops what no rule lets in: by its policy, or by a
// rule without a condition.
func dropsLegacy(saved string) bool {
	for line := range strings.Lines(saved) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == ":INPUT" && fields[1] == "DROP":
			return true
		case len(fields) > 3 && fields[0] == "-A" && fields[1] == "INPUT" && fields[2] == "-j" && (fields[3] == "DROP" || fields[3] == "REJECT"):
			return true
		}
	}
	return false
}

func droppingNFTChains(firewall string) ([]hosts.Filter, error) {
	conn, chains, err := allNFTChains()
	if err != nil {
		return nil, err
	}
	var found []hosts.Filter
	for _, c := range chains {
		hook := hookOf(c)
		iptables := isIPTables(c.Table)
		// flannel and kube-proxy let through, in iptables' own chain, what is theirs; ufw's chains are opened.
		if hook == "" || slices.Contains(otherFirewalls, c.Table.Name) || iptables && (hook == "forward" || firewall == hosts.UFW) {
			continue
		}
		drops := c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		if !drops {
			rules, err := conn.GetRules(c.Table, c)
			if err != nil {
				return nil, fmt.Errorf("list the rules of chain %s: %w", c.Name, err)
			}
			drops = slices.ContainsFunc(rules, dropsAll)
		}
		if !drops {
			continue
		}
		filter := hosts.Filter{Tool: "nft", Family: familyNames[c.Table.Family], Table: c.Table.Name, Chain: c.Name, Hook: hook}
		if iptables {
			filter.Tool, filter.Family = "iptables", ""
			if c.Table.Family == nftables.TableFamilyIPv6 {
				filter.Tool = "ip6tables"
			}
		}
		found = append(found, filter)
	}
	return found, nil
}

// hookOf is where a chain sees packets: input, forward, or "" for all else.
func hookOf(c *nftables.Chain) string {
	if c.Hooknum == nil || c.Type != nftables.ChainTypeFilter {
		return ""
	}
	switch *c.Hooknum {
	case *nftables.ChainHookInput:
		return "input"
	case *nftables.ChainHookForward:
		return "forward"
	}
	return ""
}

// dropsAll tells whether a rule drops or rejects whatever comes to it.
func dropsAll(rule *nftables.Rule) bool {
	ends := false
	for _, e := range rule.Exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Reject:
			ends = true
		case *expr.Verdict:
			ends = ends || e.Kind == expr.VerdictDrop
		case *expr.Target:
			ends = ends || e.Name == "REJECT"
		default:
			return false // a condition
		}
	}
	return ends
}
