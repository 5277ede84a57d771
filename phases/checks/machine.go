package checks

import (
	"cmp"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Fixes of a name that leads to a wrong machine.
const (
	fixWay  = "see that ssh.host of the cluster file leads each name to its own machine"
	fixCopy = fixWay + "; a machine made of another's disk image or snapshot has to be installed anew"
)

// wrongMachine says why a name does not lead to the machine that it is the name of. All hosts that
// were looked at are asked: one that is not meant may be the machine that is.
func wrongMachine(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if other := sameMachine(v, host, facts); other != "" {
		return []Finding{finding(fixWay, "it is the same machine as %s", other)}
	}
	return mistaken(v, host, facts)
}

// mistaken says why a host is not the machine that was made part of the cluster by its name.
func mistaken(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if !view.Claimed(facts.Record) {
		return takenName(v, host, facts)
	}
	if foreign := otherCluster(v, facts); len(foreign) > 0 {
		return foreign
	}
	if why := WrongMachine(host, facts); why != "" {
		return []Finding{finding(fixMachineID(*facts.Record.Machine, host), "%s", why)}
	}
	if other := callsItself(v, host, facts); other != "" {
		return []Finding{finding(fixWay+"; if it does: hostnamectl set-hostname "+host.Name, "it calls itself %s, which is another host of the file", other)}
	}
	node, _ := v.Node(host.Name)
	switch {
	case differ(node.MachineID, facts.MachineID):
		return []Finding{finding(fixCopy, "the node %s is another machine: its machine-id is %s, and this one's is %s", host.Name, node.MachineID, facts.MachineID)}
	case node.Ready && differ(node.SystemUUID, facts.SystemUUID): // of one that is not, the machine may have moved
		return []Finding{finding(fixCopy, "the node %s is another machine: its firmware's UUID is %s, and this one's is %s", host.Name, node.SystemUUID, facts.SystemUUID)}
	case len(facts.Interfaces) > 0 && !checksAddresses(v, host):
		return missingAddresses(v, host, facts)
	}
	return nil
}

// otherCluster is a host that another cluster has noted as its own.
func otherCluster(v view.View, facts hosts.Facts) []Finding {
	// The file's name counts too, unless the file says which cluster is meant by its id.
	// Where the keys are lost, the name has to do.
	other, want := facts.Record.Cluster, cmp.Or(v.ClusterID.ID, v.Cluster.ID)
	known := want == "" || want == other.ID
	if known && (other.Name == v.Cluster.Name || other.ID == v.Cluster.ID) {
		return nil
	}
	foreign := finding("use that cluster's file, or take the host out of that cluster first: slipway reset",
		"it belongs to the cluster %s (%.12s)", other.Name, other.ID)
	foreign.Check = "Membership"
	return []Finding{foreign}
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
func takenName(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	node, _ := v.Node(host.Name)
	return when(node.Ready && differ(node.MachineID, facts.MachineID),
		finding(fixWay+"; if it was installed anew just now, wait until the cluster has noticed",
			"the node %s is Ready on another machine: its machine-id is %s, and this one's is %s", host.Name, node.MachineID, facts.MachineID))
}

// callsItself is another host's name that the machine has, and did not have when it was claimed.
func callsItself(v view.View, host cluster.Host, facts hosts.Facts) string {
	machine := facts.Record.Machine
	if facts.Hostname == host.Name || machine != nil && facts.Hostname == machine.Hostname {
		return ""
	}
	if _, another := v.Cluster.Host(facts.Hostname); another {
		return facts.Hostname
	}
	return ""
}

// checksAddresses tells whether the host's checks look for its addresses anyway.
func checksAddresses(v view.View, host cluster.Host) bool {
	switch v.Workflow {
	case view.Init, view.Join, view.Prepare, view.Upgrade:
		return view.Among(v.Targets(v.Workflow), host.Name)
	}
	return false
}

// differ tells whether two identities are known and not the same.
func differ(one, other string) bool {
	return one != "" && other != "" && !strings.EqualFold(one, other)
}

// sameMachine is another host of the file that the machine is; empty for none.
func sameMachine(v view.View, host cluster.Host, facts hosts.Facts) string {
	for _, other := range v.Cluster.Hosts {
		twin := facts.MachineID != "" && facts.MachineID == machineID(v, other.Name) && sharesMAC(facts, v.Facts[other.Name])
		if other.Name != host.Name && (twin || hasAddressOf(facts, other)) {
			return other.Name
		}
	}
	return ""
}

// dbusMachineID is where systemd-machine-id-setup takes the identity from where it is a file of its own, and no link to
// the other (its manual page says so): the copied one would come back.
const dbusMachineID = "/var/lib/dbus/machine-id"

// copiedMachine is a host that comes, and that is a copy of another.
func copiedMachine(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.MachineID == "" || sameMachine(v, host, facts) != "" {
		return nil
	}
	for _, other := range v.Cluster.Hosts {
		if other.Name != host.Name && machineID(v, other.Name) == facts.MachineID {
			return []Finding{finding("rm -f /etc/machine-id "+dbusMachineID+" && systemd-machine-id-setup, then reboot",
				"it has the machine-id of %s: one is a copy of the other, and a network may take them for one", other.Name)}
		}
	}
	return nil
}

// machineID is what a host says or, where it was not looked at, what its node's kubelet says.
func machineID(v view.View, name string) string {
	if facts, seen := v.Facts[name]; seen {
		return facts.MachineID
	}
	node, _ := v.Node(name)
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
