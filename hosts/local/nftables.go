//go:build linux

package local

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
)

// nftablesAnswer tells whether the kernel carries nftables.
func nftablesAnswer() bool {
	conn, err := nftables.New()
	if err != nil {
		return false
	}
	_, err = conn.ListTablesOfFamily(nftables.TableFamilyIPv4)
	return err == nil
}

// allNFTChains lists all chains of nftables, and gives the connection to go on with.
func allNFTChains() (*nftables.Conn, []*nftables.Chain, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, nil, fmt.Errorf("reach nftables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, nil, fmt.Errorf("list nft chains: %w", err)
	}
	return conn, chains, nil
}

// familyNames are nft's own words.
var familyNames = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
	nftables.TableFamilyARP: "arp", nftables.TableFamilyBridge: "bridge", nftables.TableFamilyNetdev: "netdev",
}

// tableName is a table as nft writes it: ip kube-proxy.
func tableName(table *nftables.Table) string {
	return familyNames[table.Family] + " " + table.Name
}

// matchingTables lists the tables with one of the names, of any family. A kernel without
// nftables has none.
func matchingTables(names []string) ([]*nftables.Table, error) {
	if len(names) == 0 || !nftablesAnswer() {
		return nil, nil
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("reach nftables: %w", err)
	}
	tables, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list nft tables: %w", err)
	}
	return slices.DeleteFunc(tables, func(t *nftables.Table) bool { return !slices.Contains(names, t.Name) }), nil
}

// removeTables removes tables with all that is in them, and rules of others, in one
// transaction.
func removeTables(tables []*nftables.Table, rules []*nftables.Rule) error {
	if len(tables)+len(rules) == 0 {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	for _, table := range tables {
		conn.DelTable(table)
	}
	for _, rule := range rules {
		if err := conn.DelRule(rule); err != nil {
			return fmt.Errorf("remove a rule of nft table %s: %w", tableName(rule.Table), err)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove nft tables: %w", err)
	}
	return nil
}
