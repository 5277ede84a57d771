package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// Words of the table's cells. The reason for one that is not well stands below the tables,
// so that no error makes a table too wide to be read.
const (
	wordOK      = "ok"
	wordWaiting = "waiting"
	wordFailed  = "failed"
	wordNotWell = "not well"
)

// connectionWord is a host's connection in a word.
func connectionWord(err error) string {
	if host, known := errors.AsType[*hosts.Error](err); known && host.Kind != hosts.KindBroken {
		return string(host.Kind)
	}
	return wordFailed
}

// reason is why a cell says that something is not well.
type reason struct{ host, what, text string }

// reasons are those of everything that is not well, in the order of the tables. What a table
// shows by itself, such as a node that is missing, has none.
func (s status) reasons() []reason {
	var all []reason
	add := func(host, what, text string) {
		all = append(all, reason{dash(host), what, dash(hosts.CleanLine(text))})
	}
	for _, h := range s.Hosts {
		if h.Connection != wordOK && h.ConnectionKind != wordWaiting {
			add(h.Name, "SSH", h.Connection)
		}
		for _, silent := range h.Unanswered {
			add(h.Name, "host", silent.String())
		}
		if h.Node == nodeNotReady {
			add(h.Name, "node", h.Reason)
		}
		for _, unit := range h.downUnits() {
			add(h.Name, unit.Name, unit.Active)
		}
	}
	for _, m := range s.Members {
		if !m.Healthy || m.Detail != "" { // a healthy one's detail is an alarm
			add(m.Name, "etcd member", m.Detail)
		}
	}
	if len(s.Members) == 0 && s.MembersCause != "" {
		add("", "etcd", s.MembersCause)
	}
	for _, health := range s.Health {
		if !health.Healthy {
			add(health.Host, health.Component, health.Detail)
		}
	}
	return all
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
	return writeReasons(w, s.reasons())
}

func writeHosts(w io.Writer, list []hostStatus) error {
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

func writeReasons(w io.Writer, all []reason) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat is not well:")
	for _, one := range all {
		if _, err := fmt.Fprintf(w, "  %s, %s: %s\n", one.host, one.what, one.text); err != nil {
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

// What a host's node is.
const (
	nodeReady    = "Ready"
	nodeNotReady = "NotReady"
	nodeAbsent   = "absent"
	nodeUnknown  = "unknown"
)

// sshState is how a host answers, in a word: it may be reached and not answer all.
func sshState(h hostStatus) string {
	if h.ConnectionKind == wordOK && len(h.Unanswered) > 0 {
		return string(hosts.KindStuck)
	}
	return h.ConnectionKind
}

func nodeState(h hostStatus) string {
	switch {
	case slices.Contains(h.Roles, cluster.RoleLoadBalancer):
		return dash("")
	case h.Node == nodeAbsent:
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

func units(h hostStatus) string {
	switch {
	case len(h.downUnits()) > 0:
		return wordNotWell
	case len(h.Units) == 0:
		return dash("")
	}
	return "active"
}
