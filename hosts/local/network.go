//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/slipway-k8s/slipway/hosts"
)

// namespaceDir is where named network namespaces are mounted.
const namespaceDir = "/run/netns"

func (h *Host) observeLinks(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	links, err := matchingLinks(query.Links)
	for _, link := range links {
		facts.Links = append(facts.Links, link.Attrs().Name)
	}
	return err
}

func (h *Host) observeTables(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	tables, err := matchingTables(query.Tables)
	for _, table := range tables {
		facts.Tables = append(facts.Tables, tableName(table))
	}
	return err
}

func (h *Host) observeChains(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	chains, err := h.matchingChains(ctx, query.Chains)
	for _, chain := range chains {
		facts.Chains = append(facts.Chains, chain.String())
	}
	return err
}

func matchingLinks(patterns []string) ([]netlink.Link, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var found []netlink.Link
	for _, link := range links {
		if hosts.MatchesLink(patterns, link.Attrs().Name) {
			found = append(found, link)
		}
	}
	return found, nil
}

// withPorts adds to the bridges among some links the virtual pairs that are plugged into
// them: those of Pods, whose names are made up by CNI's plugins.
func withPorts(links []netlink.Link) ([]netlink.Link, error) {
	bridges := map[int]bool{}
	for _, link := range links {
		if link.Type() == "bridge" {
			bridges[link.Attrs().Index] = true
		}
	}
	if len(bridges) == 0 {
		return links, nil
	}
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	for _, link := range all {
		known := slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Attrs().Index == link.Attrs().Index })
		if link.Type() == "veth" && bridges[link.Attrs().MasterIndex] && !known {
			links = append(links, link)
		}
	}
	return links, nil
}

// podNamespaces lists the network namespaces of Pods that are there.
func (h *Host) podNamespaces(pods []hosts.Sandbox) ([]string, error) {
	var found []string
	for _, pod := range pods {
		if pod.Namespace == "" {
			continue
		}
		if filepath.Base(pod.Namespace) != pod.Namespace {
			return nil, fmt.Errorf("%q is not a network namespace's name", pod.Namespace)
		}
		info, err := lstat(h.at(filepath.Join(namespaceDir, pod.Namespace)))
		if err != nil {
			return nil, err
		}
		if info != nil {
			found = addOnce(found, pod.Namespace)
		}
	}
	return found, nil
}

// networkLeftovers are what of a network action's names is there.
type networkLeftovers struct {
	namespaces []string
	links      []netlink.Link
	chains     []chain
	tables     []*nftables.Table
	rules      []*nftables.Rule // in tables that stay
}

func (h *Host) networkLeftovers(ctx context.Context, a hosts.RemoveNetwork) (found networkLeftovers, err error) {
	if found.namespaces, err = h.podNamespaces(a.Pods); err != nil {
		return found, err
	}
	if found.links, err = matchingLinks(a.Links); err != nil {
		return found, err
	}
	if found.links, err = withPorts(found.links); err != nil {
		return found, err
	}
	names := slices.Clone(a.Chains)
	for _, pod := range a.Pods {
		names = append(names, pod.Chains...)
	}
	if found.chains, err = h.matchingChains(ctx, names); err != nil {
		return found, err
	}
	if found.tables, err = matchingTables(a.Tables); err != nil || !a.HostPorts {
		return found, err
	}
	shared, err := h.unusedHostPortChains(ctx, found.chains)
	if err != nil {
		return found, err
	}
	found.chains = append(found.chains, shared...)
	tables, rules, err := hostPortRules(a.Pods)
	found.tables, found.rules = append(found.tables, tables...), rules
	return found, err
}

func (n networkLeftovers) String() string {
	var names []string
	for _, namespace := range n.namespaces {
		names = append(names, "namespace "+namespace)
	}
	for _, link := range n.links {
		names = append(names, "link "+link.Attrs().Name)
	}
	for _, chain := range n.chains {
		names = append(names, "chain "+chain.String())
	}
	for _, table := range n.tables {
		names = append(names, "table "+tableName(table))
	}
	if len(n.rules) > 0 {
		names = append(names, fmt.Sprintf("%d rules for host ports", len(n.rules)))
	}
	return strings.Join(names, ", ")
}

// removeNetwork removes network namespaces, links, iptables chains and nft tables.
func (h *Host) removeNetwork(ctx context.Context, a hosts.RemoveNetwork) (hosts.Outcome, error) {
	found, err := h.networkLeftovers(ctx, a)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if found.String() == "" {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: found.String(),
		act: func(ctx context.Context) error {
			for _, namespace := range found.namespaces {
				if err := h.removeNamespace(namespace); err != nil {
					return err
				}
			}
			if err := removeLinks(found.links); err != nil {
				return err
			}
			if err := h.removeChains(ctx, found.chains); err != nil {
				return err
			}
			return removeTables(found.tables, found.rules)
		},
	})
}

// removeLinks removes links; the other end of a pair may have gone with its peer, and all
// of them with a namespace.
func removeLinks(links []netlink.Link) error {
	for _, link := range links {
		err := netlink.LinkDel(link)
		var gone netlink.LinkNotFoundError
		if err == nil || errors.Is(err, syscall.ENODEV) || errors.As(err, &gone) {
			continue
		}
		if _, err := netlink.LinkByName(link.Attrs().Name); errors.As(err, &gone) {
			continue
		}
		return fmt.Errorf("remove link %s: %w", link.Attrs().Name, err)
	}
	return nil
}

func (h *Host) removeNamespace(name string) error {
	path, err := filepath.EvalSymlinks(h.at(namespaceDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	path = filepath.Join(path, name)
	if err := unmountPoint(path); err != nil {
		return fmt.Errorf("unmount network namespace %s: %w", name, err)
	}
	if err := removeFile(path); err != nil {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	return nil
}
