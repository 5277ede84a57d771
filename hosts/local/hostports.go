//go:build linux

package local

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"

	"github.com/slipway-k8s/slipway/hosts"
)

// CNI's portmap plugin keeps the host ports of every runtime's containers together: in
// chains of iptables of which one jumps to each container's own, or in an nft table whose
// rules name their container in the comment.
const (
	hostPortTable = "cni_hostport"
	hostPortJumps = "CNI-HOSTPORT-DNAT"
)

var hostPortChains = []string{hostPortJumps, "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SNAT"}

// place is where chains lie that jump to each other.
func (c chain) place() chain { return chain{legacy: c.legacy, family: c.family, table: c.table} }

// unusedHostPortChains lists portmap's own chains wherever they lead to no container but
// those whose chains go.
func (h *Host) unusedHostPortChains(ctx context.Context, going []chain) ([]chain, error) {
	there, err := h.matchingChains(ctx, hostPortChains)
	if err != nil || len(there) == 0 {
		return nil, err
	}
	used := map[chain]bool{}
	for _, c := range there {
		if c.name != hostPortJumps {
			continue
		}
		targets, err := h.targets(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, target := range targets {
			to := c.place()
			to.name = target
			if !slices.Contains(going, to) {
				used[c.place()] = true
			}
		}
	}
	return slices.DeleteFunc(there, func(c chain) bool { return used[c.place()] }), nil
}

// targets are the chains that the rules of one lead to; "" stands for a rule that leads to
// none.
func (h *Host) targets(ctx context.Context, c chain) ([]string, error) {
	if c.legacy != "" {
		saved, err := c.legacy.save(ctx)
		if err != nil {
			return nil, err
		}
		var targets []string
		for _, rule := range saved.rules {
			if rule.table == c.table && rule.chain == c.name {
				targets = append(targets, rule.target)
			}
		}
		return targets, nil
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("reach nftables: %w", err)
	}
	table := &nftables.Table{Family: c.family, Name: c.table}
	rules, err := conn.GetRules(table, &nftables.Chain{Table: table, Name: c.name})
	if err != nil {
		return nil, fmt.Errorf("list the rules of chain %s: %w", c.name, err)
	}
	var targets []string
	for _, rule := range rules {
		target := ""
		for _, e := range rule.Exprs {
			if verdict, ok := e.(*expr.Verdict); ok && verdict.Chain != "" {
				target = verdict.Chain
			}
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// hostPortRules lists portmap's nft tables that hold no rule of another container than the
// Pods', and of those that do the Pods' rules.
func hostPortRules(pods []hosts.Sandbox) (whole []*nftables.Table, rules []*nftables.Rule, err error) {
	tables, err := matchingTables([]string{hostPortTable})
	if err != nil || len(tables) == 0 {
		return nil, nil, err
	}
	conn, chains, err := allNFTChains()
	if err != nil {
		return nil, nil, err
	}
	for _, table := range tables {
		var ours []*nftables.Rule
		others := false
		for _, c := range chains {
			if c.Table.Family != table.Family || c.Table.Name != table.Name {
				continue
			}
			all, err := conn.GetRules(table, c)
			if err != nil {
				return nil, nil, fmt.Errorf("list the rules of chain %s: %w", c.Name, err)
			}
			for _, rule := range all {
				owner, has := userdata.GetString(rule.UserData, userdata.TypeComment)
				switch {
				case !has: // a rule of the table's own
				case slices.ContainsFunc(pods, func(pod hosts.Sandbox) bool { return pod.ID == owner }):
					ours = append(ours, rule)
				default:
					others = true
				}
			}
		}
		if !others {
			whole = append(whole, table)
		} else {
			rules = append(rules, ours...)
		}
	}
	return whole, rules, nil
}
