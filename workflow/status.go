package workflow

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// Status is what there is of a cluster.
type Status struct {
	Cluster   string         `json:"cluster"`
	ID        string         `json:"id,omitempty"`
	Endpoint  string         `json:"endpoint"`
	Reachable bool           `json:"reachable"` // an API server answers
	Cause     string         `json:"cause,omitempty"`
	Version   string         `json:"version,omitempty"`
	Hosts     []HostStatus   `json:"hosts"`
	Health    []hosts.Health `json:"health,omitempty"`
	// Holders are the hosts that have the endpoint's virtual address: one, where all is well.
	VirtualAddress string         `json:"virtualAddress,omitempty"`
	Holders        []string       `json:"holders,omitempty"`
	Members        []hosts.Member `json:"members,omitempty"`
	MembersCause   string         `json:"membersCause,omitempty"`
}

// HostStatus is what there is of a host and its node.
type HostStatus struct {
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
	Pressures      []string     `json:"pressures,omitempty"` // DiskPressure …: few Pods or none are placed on the node
	Kubelet        string       `json:"kubelet,omitempty"`
	Units          []UnitStatus `json:"units,omitempty"`
	// Unanswered is what the host was asked and did not answer; what it would have said is missing here.
	Unanswered []hosts.Unanswered `json:"unanswered,omitempty"`
}

// UnitStatus is how a unit of a host is.
type UnitStatus struct {
	Name   string `json:"name"`
	Active string `json:"active"`
}

// What a host's connection is, in a word; else it is a kind of hosts.Error.
const (
	ConnectionOK      = "ok"
	connectionWaiting = "waiting"
	connectionFailed  = "failed"
)

// What a host's node is.
const (
	NodeReady    = "Ready"
	NodeNotReady = "NotReady"
	NodeAbsent   = "absent"
	NodeUnknown  = "unknown"
)

// Waiting tells that a host has not answered yet.
func (h HostStatus) Waiting() bool { return h.ConnectionKind == connectionWaiting }

// statusUnits are the units of a host whose state is shown.
func (s *Session) statusUnits(h cluster.Host) []string {
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
func (s *Session) holders() []string {
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

// slowHosts is how long after the first host the others may answer before what is there is
// shown without them.
const slowHosts = 1500 * time.Millisecond

// Status looks at every host and component. What is there goes to early, where that is not nil,
// when the hosts that answer have done so and others are still waited for.
func (s *Session) Status(ctx context.Context, early func(Status) error) (Status, error) {
	a := s.approach(ctx, s.cluster.Hosts, func(h cluster.Host) hosts.Query { return hosts.Query{Units: s.statusUnits(h)} })
	within := ctx
	for a.left > 0 {
		if !s.await(within, a) {
			break
		}
		if len(s.hosts) == 1 && within == ctx && early != nil {
			var cancel context.CancelFunc
			within, cancel = context.WithTimeout(ctx, slowHosts)
			defer cancel()
		}
	}
	if err := ctx.Err(); err != nil {
		return Status{}, err
	}
	found, err := s.status(ctx)
	if err != nil || a.left == 0 {
		return found, err
	}
	if err := early(found); err != nil {
		return Status{}, err
	}
	return s.fillIn(ctx, found, a)
}

// fillIn waits for the hosts that are missing in a status. Where one is there that was not, all
// is asked anew.
func (s *Session) fillIn(ctx context.Context, found Status, a *arrivals) (Status, error) {
	before := len(s.hosts)
	for a.left > 0 {
		if !s.await(ctx, a) {
			return Status{}, ctx.Err()
		}
	}
	if len(s.hosts) > before {
		s.closeClient() // it knows only those that were connected before
		return s.status(ctx)
	}
	found.Hosts = slices.Clone(found.Hosts) // early may have kept them
	for i, h := range s.cluster.Hosts {
		if found.Hosts[i].Waiting() {
			found.Hosts[i] = s.hostStatus(h)
		}
	}
	return found, nil
}

func (s *Session) status(ctx context.Context) (Status, error) {
	if err := s.findKeys(ctx); err != nil {
		return s.asStatus(err.Error()), nil
	}
	if err := s.observeCluster(ctx); err != nil {
		return Status{}, err
	}
	s.live.Health = s.api.Health(ctx)
	return s.asStatus(""), nil
}

// asStatus is what was seen; the cause says why the cluster was not looked at, where it was not.
func (s *Session) asStatus(cause string) Status {
	found := Status{
		Cluster: s.cluster.Name, Endpoint: net.JoinHostPort(s.cluster.Endpoint.Host, strconv.Itoa(s.cluster.Endpoint.Port)),
		VirtualAddress: s.cluster.VirtualAddress(), Holders: s.holders(), Cause: cause,
	}
	if cause == "" && s.keys != nil {
		found.ID = s.keys.identity(s.cluster).ID
		found.Reachable, found.Cause, found.Version = s.live.Reachable, s.live.Cause, s.live.Version
		found.Members, found.MembersCause, found.Health = s.live.Members, s.live.MembersCause, s.live.Health
	}
	for _, h := range s.cluster.Hosts {
		found.Hosts = append(found.Hosts, s.hostStatus(h))
	}
	return found
}

func (s *Session) hostStatus(h cluster.Host) HostStatus {
	row := HostStatus{Name: h.Name, Address: h.Address(), Roles: h.Roles, Connection: ConnectionOK, ConnectionKind: ConnectionOK, Node: NodeUnknown}
	if s.live.Reachable {
		row.Node = NodeAbsent
	}
	if err, isDown := s.down[h.Name]; isDown {
		row.Connection, row.ConnectionKind = err.Error(), connectionKind(err)
	} else if _, up := s.hosts[h.Name]; !up {
		row.Connection, row.ConnectionKind = "no answer yet", connectionWaiting
	}
	if facts, ok := s.facts[h.Name]; ok {
		row.OS, row.Unanswered = facts.OS.Pretty, facts.Unanswered
		for _, unit := range s.statusUnits(h) {
			row.Units = append(row.Units, UnitStatus{Name: unit, Active: facts.Units[unit].Active})
		}
	}
	for _, node := range s.live.Nodes {
		if node.Name == h.Name {
			row.Node, row.Ready, row.Reason, row.Kubelet = NodeNotReady, node.Ready, node.Reason, node.KubeletVersion
			row.Pressures = node.Pressures
			if node.Ready {
				row.Node = NodeReady
			}
		}
	}
	return row
}

// Healthy tells whether all is well: there is no reason why not, and nothing is missing.
func (s Status) Healthy() bool {
	if len(s.Reasons()) > 0 || !s.Reachable || s.VirtualAddress != "" && len(s.Holders) != 1 {
		return false
	}
	for _, h := range s.Hosts {
		if h.Connection != ConnectionOK || !h.Ready && !slices.Contains(h.Roles, cluster.RoleLoadBalancer) {
			return false
		}
	}
	return !slices.ContainsFunc(s.Members, func(m hosts.Member) bool { return m.Learner })
}

// DownUnits are the host's units that do not run.
func (h HostStatus) DownUnits() []UnitStatus {
	return slices.DeleteFunc(slices.Clone(h.Units), func(u UnitStatus) bool { return u.Active == "active" })
}

// connectionKind is a host's connection in a word.
func connectionKind(err error) string {
	if host, known := errors.AsType[*hosts.Error](err); known && host.Kind != hosts.KindBroken {
		return string(host.Kind)
	}
	return connectionFailed
}

// Reason is why something is not well; no host: it is the cluster's.
type Reason struct{ Host, What, Text string }

// Reasons are those of everything that is not well, in the order of the tables. What a table
// shows by itself, such as a node that is missing, has none.
func (s Status) Reasons() []Reason {
	var all []Reason
	add := func(host, what, text string) {
		all = append(all, Reason{host, what, hosts.CleanLine(text)})
	}
	for _, h := range s.Hosts {
		if h.Connection != ConnectionOK && !h.Waiting() {
			add(h.Name, "SSH", h.Connection)
		}
		for _, silent := range h.Unanswered {
			add(h.Name, "host", silent.String())
		}
		if h.Node == NodeNotReady {
			add(h.Name, "node", h.Reason)
		}
		if len(h.Pressures) > 0 {
			add(h.Name, "node", strings.Join(h.Pressures, ", ")+": few Pods or none are placed on it")
		}
		for _, unit := range h.DownUnits() {
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
