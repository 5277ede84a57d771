package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// Words of the table's cells. The reason for one that is not well stands below the tables,
// so that no error makes a table too wide to be read.
const (
	wordOK      = "ok"
	wordNotWell = "not well"
)

func writeStatus(w io.Writer, s workflow.Status) error {
	fmt.Fprintf(w, "cluster   %s\n", s.Cluster)
	if s.ID != "" {
		fmt.Fprintf(w, "id        %s\n", s.ID)
	}
	fmt.Fprintf(w, "endpoint  %s\n", s.Endpoint)
	if s.VirtualAddress != "" {
		fmt.Fprintf(w, "VIP       %s %s\n", s.VirtualAddress, held(s.Holders))
	}
	if s.Reachable {
		fmt.Fprintf(w, "API       answers, %s\n\n", hosts.CleanLine(s.Version))
	} else {
		fmt.Fprintf(w, "API       does not answer: %s\n\n", hosts.CleanLine(s.Cause))
	}
	if err := writeHosts(w, s.Hosts); err != nil {
		return err
	}
	if err := writeMembers(w, s.Members); err != nil {
		return err
	}
	if err := writeHealth(w, s.Health); err != nil {
		return err
	}
	return writeReasons(w, s.Reasons())
}

func writeHosts(w io.Writer, list []workflow.HostStatus) error {
	var rows [][]string
	for _, h := range list {
		rows = append(rows, []string{h.Name, h.Address, roles(h.Roles), sshState(h), nodeState(h), dash(hosts.CleanLine(h.Kubelet)), units(h)})
	}
	return writeTable(w, "HOST\tADDRESS\tROLES\tSSH\tNODE\tKUBELET\tUNITS", rows)
}

func writeHealth(w io.Writer, list []hosts.Health) error {
	var rows [][]string
	for _, health := range list {
		word := wordOK
		if !health.Healthy {
			word = wordNotWell
		}
		rows = append(rows, []string{health.Host, health.Component, word})
	}
	return writeSection(w, "HOST\tCOMPONENT\tHEALTH", rows)
}

// writeMembers shows etcd's members and who leads them.
func writeMembers(w io.Writer, members []hosts.Member) error {
	var rows [][]string
	for _, m := range members {
		role, health := "follower", wordOK
		switch {
		case m.Learner:
			role = "learner"
		case m.Leader:
			role = "leader"
		}
		if m.Healthy && m.Detail != "" {
			health = "alarm"
		}
		if !m.Healthy {
			role, health = dash(""), wordNotWell
		}
		rows = append(rows, []string{dash(hosts.CleanLine(m.Name)), m.ID, hosts.CleanLine(strings.Join(m.Peers, ",")), role, health})
	}
	return writeSection(w, "ETCD MEMBER\tID\tPEER\tROLE\tHEALTH", rows)
}

func writeReasons(w io.Writer, all []workflow.Reason) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat is not well:")
	for _, one := range all {
		if _, err := fmt.Fprintf(w, "  %s, %s: %s\n", dash(one.Host), one.What, dash(one.Text)); err != nil {
			return err
		}
	}
	return nil
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

// sshState is how a host answers, in a word: it may be reached and not answer all.
func sshState(h workflow.HostStatus) string {
	if h.ConnectionKind == workflow.ConnectionOK && len(h.Unanswered) > 0 {
		return string(hosts.KindStuck)
	}
	return h.ConnectionKind
}

func nodeState(h workflow.HostStatus) string {
	switch {
	case slices.Contains(h.Roles, cluster.RoleLoadBalancer):
		return dash("")
	case h.Node == workflow.NodeAbsent:
		return "not in the cluster"
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

func units(h workflow.HostStatus) string {
	switch {
	case len(h.DownUnits()) > 0:
		return wordNotWell
	case len(h.Units) == 0:
		return dash("")
	}
	return "active"
}
