package hosts

import (
	"fmt"
	"slices"
	"strings"
)

// ConditionsQuery asks for what only checks look at: nothing is planned by it.
type ConditionsQuery struct {
	// Modules are kernel modules of which is asked whether the kernel has them, or can load them.
	Modules []string `json:"modules,omitempty"`
	// Places are paths that are written to, or will be: their mounts are wanted.
	Places []string `json:"places,omitempty"`
	// Programs are looked for in the folders that systemd's services find programs in.
	Programs []string `json:"programs,omitempty"`
	// Own are addresses of the host's, of which the network is asked who else has them.
	Own []string `json:"own,omitempty"`
	// Peers are other hosts' addresses, of which is looked up by which interface packets would leave.
	Peers []string `json:"peers,omitempty"`
	// Leftovers asks for what an earlier cluster has left. It is not looked for on a host that
	// has a record of a cluster: there it is that one's.
	Leftovers *LeftoversQuery `json:"leftovers,omitempty"`
}

// LeftoversQuery names what clusters leave on hosts while they run.
type LeftoversQuery struct {
	Links     []string `json:"links,omitempty"` // as RemoveNetwork names them, like the next two
	Tables    []string `json:"tables,omitempty"`
	Chains    []string `json:"chains,omitempty"`
	Mounts    []string `json:"mounts,omitempty"`    // folders below which mounts are looked for
	Processes []string `json:"processes,omitempty"` // names of programs
	Units     []string `json:"units,omitempty"`     // enabled by links that lead nowhere
}

// Conditions are what a host is like, beside what is planned by.
type Conditions struct {
	// Modules tells of each module asked for whether the kernel has it, or can load it.
	Modules map[string]bool `json:"modules,omitempty"`
	// ModulesLocked tells that no module is loaded any more until the next boot
	// (kernel.modules_disabled).
	ModulesLocked bool `json:"modulesLocked,omitempty"`
	// Mounts are the mounts that the places asked for lie on, by place.
	Mounts map[string]Mount `json:"mounts,omitempty"`
	// Unsynchronized tells that the kernel's clock follows no other: nobody keeps it right.
	Unsynchronized bool `json:"unsynchronized,omitempty"`
	// TimeKeeper is a unit that runs to keep the clock right; empty: none of those that are known.
	TimeKeeper string `json:"timeKeeper,omitempty"`
	// MissingPrograms are those asked for that are not there.
	MissingPrograms []string `json:"missingPrograms,omitempty"`
	// Proxy are the variables http_proxy, https_proxy and no_proxy that systemd gives its services, without
	// user names and passwords.
	Proxy map[string]string `json:"proxy,omitempty"`
	// Localhost are the addresses that /etc/hosts has for localhost.
	Localhost []string `json:"localhost,omitempty"`
	// Conflicts are others' hardware addresses that answered for the host's own addresses.
	Conflicts map[string]string `json:"conflicts,omitempty"`
	// RouteTo is, by the peers' addresses, the interface by which a packet would leave; one that no route
	// leads to is absent.
	RouteTo   map[string]string `json:"routeTo,omitempty"`
	Leftovers Leftovers         `json:"leftovers,omitzero"`
	// Outgoing is ufw's, where it lets nothing out that no rule allows; nil elsewhere.
	Outgoing *Outgoing `json:"outgoing,omitempty"`
}

// Outgoing is what a firewall lets out of the host that lets nothing else out.
type Outgoing struct {
	Default string       `json:"default"` // what becomes of the rest: deny or reject
	Allowed []PacketRule `json:"allowed,omitempty"`
}

// Mount is what a path lies on.
type Mount struct {
	At   string `json:"at"`   // the mount point
	Type string `json:"type"` // of the file system
	// ReadOnly, NoExec and NoSUID are the options that matter.
	ReadOnly bool `json:"readOnly,omitempty"`
	NoExec   bool `json:"noExec,omitempty"`
	NoSUID   bool `json:"noSUID,omitempty"`
}

// Leftovers are what a cluster has left on a host that belongs to none.
type Leftovers struct {
	Links     []string  `json:"links,omitempty"`
	Tables    []string  `json:"tables,omitempty"`
	Chains    []string  `json:"chains,omitempty"` // at most MostLeftovers
	Mounts    []string  `json:"mounts,omitempty"` // at most MostLeftovers
	Processes []Process `json:"processes,omitempty"`
	Units     []string  `json:"units,omitempty"` // links to unit files that are gone
}

// MostLeftovers is how many of a kind are told.
const MostLeftovers = 100

// Process is one that runs.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

func (p Process) String() string { return fmt.Sprintf("%s (%d)", p.Name, p.PID) }

// clean makes texts of others fit to be shown.
func (c *Conditions) clean() {
	if c == nil {
		return
	}
	for name, value := range c.Proxy {
		c.Proxy[name] = CleanLine(value)
	}
	for _, list := range [][]string{c.Leftovers.Links, c.Leftovers.Tables, c.Leftovers.Chains, c.Leftovers.Mounts, c.Leftovers.Units} {
		for i := range list {
			list[i] = CleanLine(list[i])
		}
	}
	for i := range c.Leftovers.Processes {
		c.Leftovers.Processes[i].Name = CleanLine(c.Leftovers.Processes[i].Name)
	}
}

// SearchDomains lists the search domains of a resolv.conf, as resolv.conf(5) has them: the last line of its
// kind counts.
func SearchDomains(conf []byte) []string {
	var domains []string
	for line := range strings.Lines(string(conf)) {
		if fields := strings.Fields(line); len(fields) > 1 && (fields[0] == "search" || fields[0] == "domain") {
			domains = slices.Clone(fields[1:])
		}
	}
	return domains
}
