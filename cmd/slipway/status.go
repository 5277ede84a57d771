package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

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
	// ConnectionKind is the connection in a word: ok, waiting, failed or a kind of hosts.Error.
	ConnectionKind string       `json:"connectionKind"`
	OS             string       `json:"os,omitempty"`
	Node           string       `json:"node"` // Ready, NotReady, absent, or unknown while no API server answers
	Ready          bool         `json:"ready"`
	Reason         string       `json:"reason,omitempty"`
	Kubelet        string       `json:"kubelet,omitempty"`
	Units          []unitStatus `json:"units,omitempty"`
	// Unanswered is what the host was asked and did not answer; what it would have said is missing here.
	Unanswered []hosts.Unanswered `json:"unanswered,omitempty"`
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
		found, err := s.statusInParts(command.Context(), command.OutOrStdout(), *format)
		if err != nil {
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

// slowHosts is how long after the first host the others may answer before what is there is
// shown without them.
const slowHosts = 1500 * time.Millisecond

// statusInParts shows the status as soon as the hosts that answer have done so; as text it
// shows then what is there, and fills in the others when they have answered or their time is
// over. What it gives is the whole.
func (s *session) statusInParts(ctx context.Context, w io.Writer, format string) (status, error) {
	a := s.approach(ctx, s.cluster.Hosts, func(h cluster.Host) hosts.Query { return hosts.Query{Units: s.statusUnits(h)} })
	early := ctx
	for a.left > 0 {
		if !s.await(early, a) {
			break
		}
		if len(s.hosts) == 1 && early == ctx && format == formatText {
			var cancel context.CancelFunc
			early, cancel = context.WithTimeout(ctx, slowHosts)
			defer cancel()
		}
	}
	if err := ctx.Err(); err != nil {
		return status{}, err
	}
	found, err := s.status(ctx)
	if err != nil {
		return status{}, err
	}
	if a.left > 0 {
		return s.fillIn(ctx, w, found, a)
	}
	return found, show(w, format, found, func(w io.Writer) error { return writeStatus(w, found) })
}

// fillIn shows what is there, waits for the hosts that are missing in it, and shows those: a
// line each where they are down, and all anew where one is there that was not.
func (s *session) fillIn(ctx context.Context, w io.Writer, found status, a *arrivals) (status, error) {
	if err := writeStatus(w, found); err != nil {
		return status{}, err
	}
	before := len(s.hosts)
	for a.left > 0 {
		if !s.await(ctx, a) {
			return status{}, ctx.Err()
		}
	}
	fmt.Fprintln(w)
	if len(s.hosts) > before {
		if s.api != nil { // it knows only those that were connected before
			s.api.Close()
			s.api = nil
		}
		found, err := s.status(ctx)
		if err != nil {
			return status{}, err
		}
		fmt.Fprintf(w, "hosts that were slow have answered:\n\n")
		return found, writeStatus(w, found)
	}
	var late status
	for i, h := range s.cluster.Hosts {
		if found.Hosts[i].ConnectionKind == wordWaiting {
			found.Hosts[i] = s.hostStatus(h)
			late.Hosts = append(late.Hosts, found.Hosts[i])
		}
	}
	if err := writeHosts(w, late.Hosts); err != nil {
		return status{}, err
	}
	return found, writeReasons(w, late.reasons())
}

func (s *session) status(ctx context.Context) (status, error) {
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
	row := hostStatus{Name: h.Name, Address: h.Address(), Roles: h.Roles, Connection: wordOK, ConnectionKind: wordOK, Node: nodeUnknown}
	if s.live.Reachable {
		row.Node = nodeAbsent
	}
	if err, isDown := s.down[h.Name]; isDown {
		row.Connection, row.ConnectionKind = err.Error(), connectionWord(err)
	} else if _, up := s.hosts[h.Name]; !up {
		row.Connection, row.ConnectionKind = "no answer yet", wordWaiting
	}
	if facts, ok := s.facts[h.Name]; ok {
		row.OS, row.Unanswered = facts.OS.Pretty, facts.Unanswered
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

// healthy tells whether all is well: there is no reason why not, and nothing is missing.
func (s status) healthy() bool {
	if len(s.reasons()) > 0 || !s.Reachable || s.VirtualAddress != "" && len(s.Holders) != 1 {
		return false
	}
	for _, h := range s.Hosts {
		if h.Connection != wordOK || !h.Ready && !slices.Contains(h.Roles, cluster.RoleLoadBalancer) {
			return false
		}
	}
	return !slices.ContainsFunc(s.Members, func(m hosts.Member) bool { return m.Learner })
}

// downUnits are the host's units that do not run.
func (h hostStatus) downUnits() []unitStatus {
	return slices.DeleteFunc(slices.Clone(h.Units), func(u unitStatus) bool { return u.Active == "active" })
}
