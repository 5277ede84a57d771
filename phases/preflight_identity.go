package phases

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// checkIdentity is the check that a name leads to the machine that it is the name of. No
// --force passes it: what is done on a wrong machine is done to somebody else.
const checkIdentity = "identity"

// Fixes of a name that leads to a wrong machine.
const (
	fixWay  = "see that ssh.host of the cluster file leads each name to its own machine"
	fixCopy = fixWay + "; a machine made of another's disk image or snapshot has to be installed anew"
)

// identityProblems are those of all hosts that were looked at, in every workflow: also one
// that is not meant itself may be the machine that is.
func (in Input) identityProblems() []Problem {
	var problems []Problem
	for _, host := range in.Cluster.Hosts {
		facts, seen := in.Facts[host.Name]
		if !seen {
			continue
		}
		if other := in.sameMachine(host, facts); other != "" {
			problems = append(problems, problem(checkIdentity, host, fixWay, "it is the same machine as %s", other))
			continue
		}
		problems = append(problems, in.mistaken(host, facts)...)
	}
	return problems
}

// mistaken says why a host is not the machine that was made part of the cluster by its name.
func (in Input) mistaken(host cluster.Host, facts hosts.Facts) []Problem {
	if !view.Claimed(facts.Record) {
		return in.takenName(host, facts)
	}
	if foreign := in.recordProblems(host.Name, facts); len(foreign) > 0 {
		return foreign
	}
	if why := WrongMachine(host, facts); why != "" {
		return []Problem{problem(checkIdentity, host, fixMachineID(*facts.Record.Machine, host), "%s", why)}
	}
	if other := in.callsItself(host, facts); other != "" {
		return []Problem{problem(checkIdentity, host, fixWay+"; if it does: hostnamectl set-hostname "+host.Name, "it calls itself %s, which is another host of the file", other)}
	}
	node, _ := in.Node(host.Name)
	switch {
	case differ(node.MachineID, facts.MachineID):
		return []Problem{problem(checkIdentity, host, fixCopy, "the node %s is another machine: its machine-id is %s, and this one's is %s", host.Name, node.MachineID, facts.MachineID)}
	case node.Ready && differ(node.SystemUUID, facts.SystemUUID): // of one that is not, the machine may have moved
		return []Problem{problem(checkIdentity, host, fixCopy, "the node %s is another machine: its firmware's UUID is %s, and this one's is %s", host.Name, node.SystemUUID, facts.SystemUUID)}
	case len(facts.Interfaces) > 0 && !in.checksAddresses(host):
		return checkAddresses(in, host, facts)
	}
	return nil
}

// WrongMachine says why a host that was claimed by a name of the cluster is not the machine
// that was: by its record alone. Empty: nothing speaks against it.
func WrongMachine(host cluster.Host, facts hosts.Facts) string {
	if facts.Record == nil || facts.Record.Machine == nil {
		return ""
	}
	noted := *facts.Record.Machine
	switch {
	case noted.Node != host.Name:
		return "it is not " + host.Name + ": its record says that it was made the host " + noted.Node
	case differ(noted.MachineID, facts.MachineID):
		return "its record was written on another machine: the machine-id was " + noted.MachineID + " and is " + facts.MachineID
	}
	return ""
}

// fixMachineID is what to do about a host whose record is another machine's: the same machine may
// have been given another machine-id.
func fixMachineID(noted hosts.Machine, host cluster.Host) string {
	if id, err := hex.DecodeString(noted.MachineID); noted.Node != host.Name || err != nil || len(id) != 16 {
		return fixCopy
	}
	return "if it is the same machine, give it its machine-id back: echo " + noted.MachineID + " > /etc/machine-id, then reboot; if it is not: " + fixCopy
}

// takenName is a host that nobody has claimed, and whose node is Ready somewhere else. One
// that is not Ready may be what was left of a host that was installed anew.
func (in Input) takenName(host cluster.Host, facts hosts.Facts) []Problem {
	node, _ := in.Node(host.Name)
	if !node.Ready || !differ(node.MachineID, facts.MachineID) {
		return nil
	}
	return []Problem{problem(checkIdentity, host, fixWay+"; if it was installed anew just now, wait until the cluster has noticed",
		"the node %s is Ready on another machine: its machine-id is %s, and this one's is %s", host.Name, node.MachineID, facts.MachineID)}
}

// callsItself is another host's name that the machine has, and did not have when it was claimed.
func (in Input) callsItself(host cluster.Host, facts hosts.Facts) string {
	machine := facts.Record.Machine
	if facts.Hostname == host.Name || machine != nil && facts.Hostname == machine.Hostname {
		return ""
	}
	if _, another := in.Cluster.Host(facts.Hostname); another {
		return facts.Hostname
	}
	return ""
}

// checksAddresses tells whether the host's checks look for its addresses anyway.
func (in Input) checksAddresses(host cluster.Host) bool {
	switch in.Workflow {
	case view.Init, view.Join, view.Prepare:
		return among(in.Targets(in.Workflow), host.Name)
	}
	return false
}

// differ tells whether two identities are known and not the same.
func differ(one, other string) bool {
	return one != "" && other != "" && !strings.EqualFold(one, other)
}

// sameMachine is another host of the file that the machine is; empty for none.
func (in Input) sameMachine(host cluster.Host, facts hosts.Facts) string {
	for _, other := range in.Cluster.Hosts {
		twin := facts.MachineID != "" && facts.MachineID == in.machineID(other.Name) && sharesMAC(facts, in.Facts[other.Name])
		if other.Name != host.Name && (twin || hasAddressOf(facts, other)) {
			return other.Name
		}
	}
	return ""
}

// copies are hosts that come, and that are copies of other hosts.
func (in Input) copies(targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range targets {
		facts, seen := in.Facts[host.Name]
		if !seen || facts.MachineID == "" || in.sameMachine(host, facts) != "" {
			continue
		}
		for _, other := range in.Cluster.Hosts {
			if other.Name == host.Name || in.machineID(other.Name) != facts.MachineID {
				continue
			}
			problems = append(problems, problem(checkIdentity, host, "rm /etc/machine-id && systemd-machine-id-setup, then reboot",
				"it has the machine-id of %s: one is a copy of the other, and a network may take them for one", other.Name))
			break
		}
	}
	return problems
}

// machineID is a host's own word or, where it was not looked at, that of its node's kubelet.
func (in Input) machineID(name string) string {
	if facts, seen := in.Facts[name]; seen {
		return facts.MachineID
	}
	node, _ := in.Node(name)
	return node.MachineID
}

// hasAddressOf tells whether the machine that was looked at has another host's address: then
// it is that host, whether that was looked at or not.
func hasAddressOf(facts hosts.Facts, other cluster.Host) bool {
	have := addressesOf(facts)
	return slices.ContainsFunc(other.Addresses, func(text string) bool {
		address, err := netip.ParseAddr(text)
		return err == nil && slices.Contains(have, address.Unmap())
	})
}

func sharesMAC(one, other hosts.Facts) bool {
	for _, link := range one.Interfaces {
		if link.MAC == "" || link.MAC == "00:00:00:00:00:00" {
			continue
		}
		if slices.ContainsFunc(other.Interfaces, func(l hosts.Link) bool { return l.MAC == link.MAC }) {
			return true
		}
	}
	return false
}
