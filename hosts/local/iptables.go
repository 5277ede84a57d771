//go:build linux

package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/slipway-k8s/slipway/hosts"
)

// chain is an iptables chain: of the variant that lives in nftables, or of the legacy one.
type chain struct {
	legacy legacyTool // "" for one in nftables
	family nftables.TableFamily
	table  string
	name   string
}

func (c chain) String() string {
	if c.legacy != "" {
		return string(c.legacy) + " " + c.table + " " + c.name
	}
	return familyNames[c.family] + " " + c.table + " " + c.name
}

// iptablesTables are the tables that iptables keeps its chains in, in both variants.
var iptablesTables = []string{"filter", "nat", "mangle", "raw", "security"}

// matchingChains lists the chains with one of the names, in both variants.
func (h *Host) matchingChains(ctx context.Context, names []string) ([]chain, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, err := nftChains(names)
	if err != nil {
		return nil, err
	}
	for _, tool := range h.legacyTools() {
		saved, err := tool.save(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range saved.chains {
			if hosts.MatchesChain(names, c.name) {
				found = append(found, c)
			}
		}
	}
	return found, nil
}

// nftChains lists iptables' chains in nftables.
func nftChains(names []string) ([]chain, error) {
	if !nftablesAnswer() {
		return nil, nil
	}
	_, all, err := allNFTChains()
	if err != nil {
		return nil, err
	}
	var found []chain
	for _, c := range all {
		if isIPTables(c.Table) && hosts.MatchesChain(names, c.Name) {
			found = append(found, chain{family: c.Table.Family, table: c.Table.Name, name: c.Name})
		}
	}
	return found, nil
}

// isIPTables tells whether a table of nftables is one that iptables keeps.
func isIPTables(table *nftables.Table) bool {
	ip := table.Family == nftables.TableFamilyIPv4 || table.Family == nftables.TableFamilyIPv6
	return ip && slices.Contains(iptablesTables, table.Name)
}

// removeChains removes chains and the rules that jump to them.
func (h *Host) removeChains(ctx context.Context, chains []chain) error {
	if err := removeNFTChains(slices.DeleteFunc(slices.Clone(chains), func(c chain) bool { return c.legacy != "" })); err != nil {
		return err
	}
	for _, tool := range h.legacyTools() {
		saved, err := tool.save(ctx)
		if err != nil {
			return err
		}
		ours := func(table, name string) bool {
			return slices.Contains(chains, chain{legacy: tool, table: table, name: name})
		}
		if err := tool.restore(ctx, saved.removal(ours)); err != nil {
			return err
		}
	}
	return nil
}

// removeNFTChains removes chains of nftables in one transaction, and in a second one the
// tables that hold nothing any more.
func removeNFTChains(chains []chain) error {
	if len(chains) == 0 {
		return nil
	}
	conn, all, err := allNFTChains()
	if err != nil {
		return err
	}
	ours := func(table *nftables.Table, name string) bool {
		return slices.Contains(chains, chain{family: table.Family, table: table.Name, name: name})
	}
	var remove []*nftables.Chain
	touched := map[nftables.TableFamily][]string{}
	for _, c := range all {
		if !isIPTables(c.Table) {
			continue
		}
		if ours(c.Table, c.Name) {
			remove = append(remove, c)
			touched[c.Table.Family] = addOnce(touched[c.Table.Family], c.Table.Name)
			conn.FlushChain(c)
			continue
		}
		if err := deleteJumps(conn, c, ours); err != nil {
			return err
		}
	}
	for _, c := range remove {
		conn.DelChain(c)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove iptables chains: %w", err)
	}
	return removeEmptyTables(touched)
}

// deleteJumps deletes the rules of a chain that jump to one of ours.
func deleteJumps(conn *nftables.Conn, from *nftables.Chain, ours func(*nftables.Table, string) bool) error {
	rules, err := conn.GetRules(from.Table, from)
	if err != nil {
		return fmt.Errorf("list the rules of chain %s: %w", from.Name, err)
	}
	for _, rule := range rules {
		for _, e := range rule.Exprs {
			if verdict, ok := e.(*expr.Verdict); ok && verdict.Chain != "" && ours(from.Table, verdict.Chain) {
				if err := conn.DelRule(rule); err != nil {
					return fmt.Errorf("remove a jump to chain %s: %w", verdict.Chain, err)
				}
				break
			}
		}
	}
	return nil
}

// removeEmptyTables removes those tables that have only empty base chains which accept, the same as no
// table: of those that were touched, and of all where there is no chain at all. The kubelet and kube-proxy
// ask iptables about tables in which they leave nothing, and it makes them.
func removeEmptyTables(touched map[nftables.TableFamily][]string) error {
	conn, chains, err := allNFTChains()
	if err != nil {
		return err
	}
	tables, err := conn.ListTables()
	if err != nil {
		return fmt.Errorf("list nft tables: %w", err)
	}
	for _, table := range tables {
		if !isIPTables(table) {
			continue
		}
		others := func(c *nftables.Chain) bool { return c.Table.Family != table.Family || c.Table.Name != table.Name }
		own := slices.DeleteFunc(slices.Clone(chains), others)
		if len(own) > 0 && !slices.Contains(touched[table.Family], table.Name) {
			continue
		}
		empty, err := allEmpty(conn, own)
		if err != nil {
			return err
		}
		if empty {
			conn.DelTable(table)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove empty nft tables: %w", err)
	}
	return nil
}

// allEmpty tells whether chains are all base chains that accept, without a rule.
func allEmpty(conn *nftables.Conn, chains []*nftables.Chain) (bool, error) {
	for _, c := range chains {
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return false, fmt.Errorf("list the rules of chain %s: %w", c.Name, err)
		}
		accepts := c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
		if len(rules) > 0 || c.Hooknum == nil || !accepts {
			return false, nil
		}
	}
	return true, nil
}

// legacyTool is the old iptables, for one family: its tables can be reached only through
// its own binaries.
type legacyTool string

// legacyTools are those that have tables in the kernel and a binary on the host. One
// without tables is not called: that would make them.
func (h *Host) legacyTools() []legacyTool {
	var tools []legacyTool
	for list, tool := range map[string]legacyTool{
		"/proc/net/ip_tables_names": "iptables-legacy", "/proc/net/ip6_tables_names": "ip6tables-legacy",
	} {
		if h.line(list) == "" {
			continue
		}
		if _, err := exec.LookPath(string(tool) + "-save"); err == nil {
			tools = append(tools, tool)
		}
	}
	slices.Sort(tools)
	return tools
}

// legacyRules are what iptables-save shows.
type legacyRules struct {
	chains []chain
	rules  []legacyRule
}

type legacyRule struct {
	table, chain string
	text         string // -A CHAIN …
	target       string // what it jumps to
}

func (tool legacyTool) save(ctx context.Context) (legacyRules, error) {
	output, err := exec.CommandContext(ctx, string(tool)+"-save").Output()
	if err != nil {
		return legacyRules{}, fmt.Errorf("run %s-save: %w", tool, err)
	}
	return tool.parse(string(output)), nil
}

// parse reads iptables-save's form, which is an interface: iptables-restore reads it.
func (tool legacyTool) parse(saved string) legacyRules {
	var all legacyRules
	table := ""
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			name, _, _ := strings.Cut(line[1:], " ")
			all.chains = append(all.chains, chain{legacy: tool, table: table, name: name})
		case strings.HasPrefix(line, "-A "):
			fields := strings.Fields(line)
			rule := legacyRule{table: table, chain: fields[1], text: line}
			for i, field := range fields[:len(fields)-1] {
				if field == "-j" || field == "-g" {
					rule.target = fields[i+1]
				}
			}
			all.rules = append(all.rules, rule)
		}
	}
	return all
}

// removal is the script for iptables-restore that removes chains and the jumps to them.
func (all legacyRules) removal(ours func(table, name string) bool) string {
	var script bytes.Buffer
	for _, table := range iptablesTables {
		var jumps, flushes, deletes []string
		for _, rule := range all.rules {
			if rule.table == table && ours(table, rule.target) && !ours(table, rule.chain) {
				jumps = append(jumps, "-D"+strings.TrimPrefix(rule.text, "-A"))
			}
		}
		for _, c := range all.chains {
			if c.table == table && ours(table, c.name) {
				flushes, deletes = append(flushes, "-F "+c.name), append(deletes, "-X "+c.name)
			}
		}
		if len(deletes) > 0 {
			lines := slices.Concat([]string{"*" + table}, jumps, flushes, deletes, []string{"COMMIT"})
			script.WriteString(strings.Join(lines, "\n") + "\n")
		}
	}
	return script.String()
}

func (tool legacyTool) restore(ctx context.Context, script string) error {
	if script == "" {
		return nil
	}
	command := exec.CommandContext(ctx, string(tool)+"-restore", "--noflush", "--wait")
	command.Stdin = strings.NewReader(script)
	command.Env = append(os.Environ(), "LC_ALL=C")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s-restore: %w: %s", tool, err, bytes.TrimSpace(output))
	}
	return nil
}
