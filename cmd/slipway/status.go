package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// status is what `slipway status` shows.
type status struct {
	Cluster   string         `json:"cluster"`
	ID        string         `json:"id,omitempty"`
	Endpoint  string         `json:"endpoint"`
	Reachable bool           `json:"reachable"` // an API server answers
	Cause     string         `json:"cause,omitempty"`
	Version   string         `json:"version,omitempty"`
	Hosts     []hostStatus   `json:"hosts"`
	Health    []hosts.Health `json:"health,omitempty"`
	// Holders are the hosts that have the endpoint's virtual address: one, where all is well.
	VirtualAddress string         `json:"virtualAddress,omitempty"`
	Holders        []string       `json:"holders,omitempty"`
	Members        []hosts.Member `json:"members,omitempty"`
	MembersCause   string         `json:"membersCause,omitempty"`
}

type hostStatus struct {
	Name       string         `json:"name"`
	Address    string         `json:"address"`
	Roles      []cluster.Role `json:"roles"`
	Connection string         `json:"connection"` // ok, or why not
	OS         string         `json:"os,omitempty"`
	Node       string         `json:"node"` // Ready, NotReady, absent, or unknown while no API server answers
	Ready      bool           `json:"ready"`
	Reason     string         `json:"reason,omitempty"`
	Kubelet    string         `json:"kubelet,omitempty"`
	Units      []unitStatus   `json:"units,omitempty"`
}

type unitStatus struct {
	Name   string `json:"name"`
	Active string `json:"active"`
}

// statusUnits are the units of a host whose state is shown.
func (s *session) statusUnits(h cluster.Host) []string {
	var units []string
	if !h.HasRole(cluster.RoleLoadBalancer) {
		units = append(units, manifests.ContainerdUnit, manifests.KubeletUnit)
	}
	if s.cluster.Balances(h) {
		units = append(units, manifests.HAProxyUnit)
		if s.cluster.VirtualAddress() != "" {
			units = append(units, manifests.KeepalivedUnit)
		}
	}
	return units
}

// holders are the hosts that have the virtual address on an interface.
func (s *session) holders() []string {
	address := s.cluster.VirtualAddress()
	var names []string
	for _, h := range s.cluster.Hosts {
		for _, link := range s.facts[h.Name].Interfaces {
			for _, text := range link.Addresses {
				if bare, _, _ := strings.Cut(text, "/"); address != "" && bare == address {
					names = append(names, h.Name)
				}
			}
		}
	}
	return names
}

func newStatusCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "status -f FILE",
		Short: "Show hosts, nodes, versions and the health of every component",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		s, err := load(flags)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.connect(command.Context(), s.cluster.Hosts); err != nil {
			return err
		}
		found, err := s.status(command)
		if err != nil {
			return err
		}
		if err := show(command.OutOrStdout(), *format, found, func(w io.Writer) error { return writeStatus(w, found) }); err != nil {
			return err
		}
		if !found.healthy() {
			return &exitError{exitFailed}
		}
		return nil
	}
	flags.add(command)
	return command
}

func (s *session) status(command *cobra.Command) (status, error) {
	ctx := command.Context()
	err := s.observe(ctx, func(h cluster.Host) hosts.Query { return hosts.Query{Units: s.statusUnits(h)} })
	if err != nil {
		return status{}, err
	}
	found := status{
		Cluster: s.cluster.Name, Endpoint: fmt.Sprintf("%s:%d", s.cluster.Endpoint.Host, s.cluster.Endpoint.Port),
		VirtualAddress: s.cluster.VirtualAddress(), Holders: s.holders(),
	}
	if err := s.findKeys(ctx); err != nil {
		found.Cause = err.Error()
	} else {
		found.ID = s.identity().ID
		if err := s.observeCluster(ctx); err != nil {
			return status{}, err
		}
		found.Reachable, found.Cause, found.Version = s.live.Reachable, s.live.Cause, s.live.Version
		found.Members, found.MembersCause = s.live.Members, s.live.MembersCause
		found.Health = s.api.Health(ctx)
	}
	for _, h := range s.cluster.Hosts {
		found.Hosts = append(found.Hosts, s.hostStatus(h))
	}
	return found, nil
}

func (s *session) hostStatus(h cluster.Host) hostStatus {
	row := hostStatus{Name: h.Name, Address: h.Address(), Roles: h.Roles, Connection: "ok", Node: nodeUnknown}
	if s.live.Reachable {
		row.Node = nodeAbsent
	}
	if err, isDown := s.down[h.Name]; isDown {
		row.Connection = err.Error()
	}
	if facts, ok := s.facts[h.Name]; ok {
		row.OS = facts.OS.Pretty
		for _, unit := range s.statusUnits(h) {
			row.Units = append(row.Units, unitStatus{Name: unit, Active: facts.Units[unit].Active})
		}
	}
	for _, node := range s.live.Nodes {
		if node.Name == h.Name {
			row.Node, row.Ready, row.Reason, row.Kubelet = nodeNotReady, node.Ready, node.Reason, node.KubeletVersion
			if node.Ready {
				row.Node = nodeReady
			}
		}
	}
	return row
}

func (s status) healthy() bool {
	for _, h := range s.Hosts {
		if h.Connection != "ok" || !h.Ready && !slices.Contains(h.Roles, cluster.RoleLoadBalancer) {
			return false
		}
		for _, unit := range h.Units {
			if unit.Active != "active" {
				return false
			}
		}
	}
	for _, health := range s.Health {
		if !health.Healthy {
			return false
		}
	}
	for _, member := range s.Members {
		if !member.Healthy || member.Learner || member.Detail != "" { // a healthy one's detail is an alarm
			return false
		}
	}
	return s.Reachable && (s.VirtualAddress == "" || len(s.Holders) == 1)
}

func writeStatus(w io.Writer, s status) error {
	fmt.Fprintf(w, "cluster   %s\n", s.Cluster)
	if s.ID != "" {
		fmt.Fprintf(w, "id        %s\n", s.ID)
	}
	fmt.Fprintf(w, "endpoint  %s\n", s.Endpoint)
	if s.VirtualAddress != "" {
		fmt.Fprintf(w, "VIP       %s %s\n", s.VirtualAddress, held(s.Holders))
	}
	if s.Reachable {
		fmt.Fprintf(w, "API       answers, %s\n\n", s.Version)
	} else {
		fmt.Fprintf(w, "API       does not answer: %s\n\n", s.Cause)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOST\tADDRESS\tROLES\tSSH\tNODE\tKUBELET\tUNITS")
	for _, h := range s.Hosts {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Address, roles(h.Roles), firstLine(h.Connection), nodeState(h), dash(h.Kubelet), units(h.Units))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := writeMembers(w, s); err != nil || len(s.Health) == 0 {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(table, "HOST\tCOMPONENT\tHEALTH")
	for _, health := range s.Health {
		word := "ok"
		if !health.Healthy {
			word = "not healthy: " + firstLine(health.Detail)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", health.Host, health.Component, word)
	}
	return table.Flush()
}

// held says where the virtual address is.
func held(holders []string) string {
	switch len(holders) {
	case 0:
		return "is on no host that answers"
	case 1:
		return "on " + holders[0]
	}
	return "on several hosts at once: " + strings.Join(holders, ", ")
}

// writeMembers shows etcd's members and who leads them.
func writeMembers(w io.Writer, s status) error {
	if len(s.Members) == 0 {
		if s.MembersCause != "" {
			fmt.Fprintf(w, "\netcd does not answer: %s\n", firstLine(s.MembersCause))
		}
		return nil
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ETCD MEMBER\tID\tPEER\tROLE\tHEALTH")
	for _, m := range s.Members {
		role, health := "follower", "ok"
		switch {
		case m.Learner:
			role = "learner"
		case m.Leader:
			role = "leader"
		}
		if m.Healthy && m.Detail != "" {
			health = "alarm: " + m.Detail
		}
		if !m.Healthy {
			role, health = dash(""), "not healthy: "+firstLine(m.Detail)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", dash(m.Name), m.ID, strings.Join(m.Peers, ","), role, health)
	}
	return table.Flush()
}

// What a host's node is.
const (
	nodeReady    = "Ready"
	nodeNotReady = "NotReady"
	nodeAbsent   = "absent"
	nodeUnknown  = "unknown"
)

func nodeState(h hostStatus) string {
	switch {
	case slices.Contains(h.Roles, cluster.RoleLoadBalancer):
		return dash("")
	case h.Node == nodeAbsent:
		return "not in the cluster"
	case h.Node == nodeNotReady && h.Reason != "":
		return "NotReady: " + firstLine(h.Reason)
	}
	return h.Node
}

func roles(list []cluster.Role) string {
	words := make([]string, len(list))
	for i, role := range list {
		words[i] = string(role)
	}
	return strings.Join(words, ",")
}

func units(list []unitStatus) string {
	var wrong []string
	for _, unit := range list {
		if unit.Active != "active" {
			wrong = append(wrong, fmt.Sprintf("%s %s", unit.Name, dash(unit.Active)))
		}
	}
	switch {
	case len(list) == 0:
		return "-"
	case len(wrong) == 0:
		return "active"
	}
	return strings.Join(wrong, ", ")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
