//go:build linux

package local

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// otherFirewalls are nft tables whose makers let through what is theirs, or are known.
var otherFirewalls = []string{"firewalld", "kube-proxy", "kube-proxy6", "f2b-table", "libvirt_network"}

// droppingChains lists the chains by which packets come in, or through, that drop what no rule lets in: those
// that nobody has made but an administrator, or a program that is none of the firewalls which Slipway opens.
func (h *Host) droppingChains(ctx context.Context, firewall string) ([]hosts.Filter, error) {
	// Their own chains in iptables' tables are opened by them.
	opened := firewall == hosts.UFW || firewall == hosts.Firewalld && h.value(firewalldConf, "FirewallBackend=") == "iptables"
	var found []hosts.Filter
	if nftablesAnswer() {
		var err error
		if found, err = droppingNFTChains(opened); err != nil {
			return nil, err
		}
	}
	if opened {
		return found, nil // it may have the legacy tables
	}
	for _, tool := range h.legacyTools() {
		text, err := exec.CommandContext(ctx, string(tool)+"-save", "-t", "filter").Output()
		if err != nil {
			return nil, fmt.Errorf("run %s-save: %w", tool, err)
		}
		found = append(found, droppingLegacyChains(string(tool), string(text))...)
	}
	return found, nil
}

// passing is what is known of a chain while its rules are gone through in their order.
type passing struct {
	filter hosts.Filter
	ended  bool // a rule without a condition has decided about all that came as far as it
	drops  bool
}

// rule takes in one that lets through (accepts) or drops, where it does so whatever the packet is, or whatever
// came in, or goes out, by one interface.
func (p *passing) rule(accepts bool, in, out string) {
	switch {
	case p.ended:
	case in == "" && out == "":
		p.ended, p.drops = true, !accepts
	case accepts && out == "":
		p.filter.In = append(p.filter.In, in)
	case accepts && in == "":
		p.filter.Out = append(p.filter.Out, out)
	}
}

// end gives the chain, if it drops what none of its rules lets through.
func (p *passing) end(policyDrops bool) (hosts.Filter, bool) {
	if !p.ended && policyDrops {
		p.filter.Policy, p.drops = true, true
	}
	return p.filter, p.drops
}

// legacyComment is a rule's comment in iptables-save's form.
var legacyComment = regexp.MustCompile(`-m comment --comment ("(\\.|[^"\\])*"|\S+) ?`)

// droppingLegacyChains finds, in what iptables-save shows of the table filter, the chains of what comes in and of
// what goes through that drop.
func droppingLegacyChains(tool, saved string) []hosts.Filter {
	var found []hosts.Filter
	for _, hook := range []string{"input", "forward"} {
		chain, policyDrops := strings.ToUpper(hook), false
		seen := passing{filter: hosts.Filter{Tool: tool, Table: "filter", Chain: chain, Hook: hook}}
		for line := range strings.Lines(saved) {
			fields := strings.Fields(legacyComment.ReplaceAllString(line, ""))
			switch {
			case len(fields) > 1 && fields[0] == ":"+chain:
				policyDrops = fields[1] == "DROP"
			case len(fields) > 3 && fields[0] == "-A" && fields[1] == chain:
				seen.legacyRule(fields[2:])
			}
		}
		if filter, drops := seen.end(policyDrops); drops {
			found = append(found, filter)
		}
	}
	return found
}

// legacyRule takes in a rule's words behind the chain's name.
func (p *passing) legacyRule(words []string) {
	in, out := "", ""
	if len(words) > 3 && words[0] == "-i" {
		in, words = words[1], words[2:]
	} else if len(words) > 3 && words[0] == "-o" {
		out, words = words[1], words[2:]
	}
	if words[0] != "-j" || strings.HasSuffix(in+out, "+") {
		return // another condition
	}
	switch words[1] {
	case "ACCEPT":
		p.rule(true, in, out)
	case "DROP", "REJECT":
		p.rule(false, in, out)
	}
}

func droppingNFTChains(opened bool) ([]hosts.Filter, error) {
	conn, chains, err := allNFTChains()
	if err != nil {
		return nil, err
	}
	var found []hosts.Filter
	for _, c := range chains {
		hook := hookOf(c)
		iptables := isIPTables(c.Table)
		if hook == "" || slices.Contains(otherFirewalls, c.Table.Name) || iptables && opened {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return nil, fmt.Errorf("list the rules of chain %s: %w", c.Name, err)
		}
		seen := passing{filter: hosts.Filter{Tool: "nft", Family: familyNames[c.Table.Family], Table: c.Table.Name, Chain: c.Name, Hook: hook}}
		if iptables {
			seen.filter.Tool, seen.filter.Family = "iptables", ""
			if c.Table.Family == nftables.TableFamilyIPv6 {
				seen.filter.Tool = "ip6tables"
			}
		}
		for _, rule := range rules {
			seen.nftRule(rule)
		}
		if filter, drops := seen.end(c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop); drops {
			found = append(found, filter)
		}
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

// nftRule takes in a rule, if it has no other condition than an interface's name.
func (p *passing) nftRule(rule *nftables.Rule) {
	var in, out string
	var name *string // what the next comparison is with
	accepts, decides := false, false
	for _, e := range rule.Exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Meta:
			switch {
			case e.Key == expr.MetaKeyIIFNAME && !e.SourceRegister:
				name = &in
			case e.Key == expr.MetaKeyOIFNAME && !e.SourceRegister:
				name = &out
			default:
				return
			}
		case *expr.Cmp:
			link, _, ends := bytes.Cut(e.Data, []byte{0})
			if name == nil || e.Op != expr.CmpOpEq || !ends && len(e.Data) < unix.IFNAMSIZ { // a name without an end is the beginning of names
				return
			}
			*name, name = string(link), nil
		case *expr.Match:
			if e.Name != "comment" {
				return
			}
		case *expr.Reject:
			decides = true
		case *expr.Target:
			if e.Name != "REJECT" {
				return
			}
			decides = true
		case *expr.Verdict:
			if e.Kind != expr.VerdictAccept && e.Kind != expr.VerdictDrop {
				return
			}
			accepts, decides = e.Kind == expr.VerdictAccept, true
		default:
			return // a condition
		}
	}
	if decides {
		p.rule(accepts, in, out)
	}
}
